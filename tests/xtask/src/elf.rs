//! What a program or a library says that it needs. Read from the file, so that it does not have to run here.

use anyhow::{Context, Result};
use object::Endianness;
use object::elf::{DT_NEEDED, EM_AARCH64, EM_X86_64};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};

use crate::architecture::Architecture;

/// What ELF files begin with.
const MAGIC: &[u8] = b"\x7fELF";

/// A program or a library.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    /// None for a processor that no image is made for.
    pub(crate) architecture: Option<Architecture>,
    /// The path of what loads it; a static program has none, and a library neither.
    pub(crate) interpreter: Option<String>,
    /// Names of the libraries that it loads.
    pub(crate) needed: Vec<String>,
}

impl Elf {
    /// None where it is no ELF file.
    pub(crate) fn read(content: &[u8]) -> Result<Option<Self>> {
        if !content.starts_with(MAGIC) {
            return Ok(None);
        }
        let file = ElfFile64::<Endianness>::parse(content)?;
        let (header, endian) = (file.elf_header(), file.endian());
        let architecture = match header.e_machine(endian) {
            EM_X86_64 => Some(Architecture::Amd64),
            EM_AARCH64 => Some(Architecture::Arm64),
            _ => None,
        };
        let mut interpreter = None;
        for segment in file.elf_program_headers() {
            if let Some(path) = segment.interpreter(endian, content)? {
                interpreter = Some(text(path)?);
            }
        }
        let dynamic = file.elf_dynamic_table()?;
        let needed = dynamic.iter().filter(|entry| entry.tag == DT_NEEDED);
        let needed = needed.map(|entry| text(dynamic.string(entry)?));
        Ok(Some(Self {
            architecture,
            interpreter,
            needed: needed.collect::<Result<_>>()?,
        }))
    }

    /// Whether it runs where there is nothing else.
    pub(crate) fn is_static(&self) -> bool {
        self.interpreter.is_none() && self.needed.is_empty()
    }
}

fn text(bytes: &[u8]) -> Result<String> {
    let text =
        std::str::from_utf8(bytes).context("an ELF file names something that is not text")?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_tells_what_it_needs() {
        let this = std::fs::read("/proc/self/exe").unwrap();
        let elf = Elf::read(&this).unwrap().unwrap();
        assert_eq!(elf.architecture, Architecture::here().ok());
        assert!(elf.interpreter.as_ref().unwrap().contains("/ld-linux-"));
        assert!(elf.needed.contains(&"libc.so.6".to_owned()), "{elf:?}");
        assert!(!elf.is_static());
    }

    #[test]
    fn what_is_no_program_is_told_apart_and_a_cut_one_is_an_error() {
        assert_eq!(Elf::read(b"#!/bin/sh\n").unwrap(), None);
        assert!(Elf::read(b"\x7fELF\x02\x01").is_err());
    }
}
