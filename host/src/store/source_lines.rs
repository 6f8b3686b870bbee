//! Where in its author's source an instruction of a component stands, as far as the component has that with it: DWARF, in
//! the custom sections of its modules.
//!
//! It is read once something trapped, of the file and not of compiled code, so that nothing else has to know of it. All of
//! it is a stranger's to choose: what it may take in memory and time has a bound, and so has each path.

use std::convert::Infallible;
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use gimli::{AttributeValue, Dwarf, EndianSlice, LineProgramHeader, LittleEndian, Unit, constants};
use wasmparser::{Encoding, Parser, Payload};

use super::components::{ComponentBytes, ComponentFile};
use crate::error::GuestText;

/// Bytes of one module's DWARF; more of it is not read. What Rust writes for lines alone is a tenth of this even with its
/// standard library.
const MAX_DWARF_BYTES: usize = 16 << 20;

/// What DWARF says can take long to find out: a few bytes may refer to many, again and again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Of what was inlined into one function: the calls nearest to that function, which are its author's.
const MAX_INLINED: usize = 4;

/// Of a path, in bytes: its end, which tells files apart.
const LONGEST_PATH: usize = 96;

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// A line of somebody's source.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SourceLine {
    file: GuestText,
    line: u64,
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// For each offset of an instruction in a component's file, its line, and then the lines that it was inlined at, innermost
/// first. None where the component does not tell, or is not in its file any more.
pub(crate) fn source_lines(file: &ComponentFile, offsets: &[usize]) -> Vec<Vec<SourceLine>> {
    match ComponentBytes::read(&file.path) {
        Ok(component) if component.sha256 == file.sha256 => lines_in(&component.bytes, offsets),
        Ok(_) | Err(_) => vec![Vec::new(); offsets.len()],
    }
}

fn lines_in(component: &[u8], offsets: &[usize]) -> Vec<Vec<SourceLine>> {
    let until = Instant::now() + PATIENCE;
    let mut lines = vec![Vec::new(); offsets.len()];
    for module in modules(component) {
        let code = &module.code;
        let addresses: Vec<(usize, u64)> = offsets
            .iter()
            .enumerate()
            .filter(|(_, offset)| code.contains(offset))
            // DWARF counts from where the code section's content begins.
            .map(|(at, offset)| (at, (offset - code.start) as u64))
            .collect();
        if !addresses.is_empty() && module.dwarf_bytes() <= MAX_DWARF_BYTES {
            // What was found before it stopped making sense counts.
            let _ = module.find(&addresses, &mut lines, until);
        }
    }
    lines
}

/// A module in a component: where its code lies, and its sections of DWARF by name.
#[derive(Default)]
struct Module<'a> {
    code: Range<usize>,
    sections: Vec<(&'a str, &'a [u8])>,
}

/// As far as they can be read; whoever runs the component has had it validated.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "of more than thirty kinds of sections two are looked for"
)]
fn modules(component: &[u8]) -> Vec<Module<'_>> {
    let mut modules = Vec::new();
    // Those whose end was not met yet, the outermost first; components may have DWARF of nothing.
    let mut open: Vec<Option<Module<'_>>> = Vec::new();
    for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
        match payload {
            Payload::Version { encoding, .. } => {
                open.push((encoding == Encoding::Module).then(Module::default));
            }
            Payload::End(_) => modules.extend(open.pop().flatten()),
            Payload::CodeSectionStart { range, .. } => {
                if let Some(Some(module)) = open.last_mut() {
                    module.code = range.clone();
                }
            }
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                if let Some(Some(module)) = open.last_mut() {
                    module.sections.push((section.name(), section.data()));
                }
            }
            _ => {}
        }
    }
    modules
}

impl<'a> Module<'a> {
    fn dwarf_bytes(&self) -> usize {
        self.sections.iter().map(|(_, data)| data.len()).sum()
    }

    fn section(&self, wanted: &str) -> Bytes<'a> {
        let found = self.sections.iter().find(|(name, _)| *name == wanted);
        EndianSlice::new(found.map_or(&[], |(_, data)| data), LittleEndian)
    }

    /// Puts the lines of each address at its place.
    fn find(
        &self,
        addresses: &[(usize, u64)],
        lines: &mut [Vec<SourceLine>],
        until: Instant,
    ) -> gimli::Result<()> {
        let load = |section: gimli::SectionId| Ok::<_, Infallible>(self.section(section.name()));
        let Ok(dwarf) = Dwarf::load(load);
        let mut units = dwarf.units();
        while let Some(header) = units.next()?
            && Instant::now() < until
        {
            let unit = dwarf.unit(header)?;
            let source = Source {
                dwarf: &dwarf,
                unit: &unit,
            };
            for (at, address, line) in source.rows(addresses)? {
                if lines[at].is_empty() {
                    lines[at].push(line);
                    lines[at].extend(source.inlined_at(address, until)?);
                }
            }
        }
        Ok(())
    }
}

/// What one file was compiled to.
struct Source<'a> {
    dwarf: &'a Dwarf<Bytes<'a>>,
    unit: &'a Unit<Bytes<'a>>,
}

/// Since which address which line goes.
#[derive(Clone, Copy)]
struct Row {
    address: u64,
    file: u64,
    line: u64,
}

impl Source<'_> {
    /// The innermost line of each address that lies in this unit, beside its place and the address.
    fn rows(&self, addresses: &[(usize, u64)]) -> gimli::Result<Vec<(usize, u64, SourceLine)>> {
        let mut found: Vec<(usize, u64, SourceLine)> = Vec::new();
        let Some(program) = self.unit.line_program.clone() else {
            return Ok(found);
        };
        let mut rows = program.rows();
        let mut before: Option<Row> = None;
        // A function that the linker left out goes on to be described, from address zero.
        let mut is_linked = false;
        while let Some((header, row)) = rows.next_row()? {
            let row_ends = row.address();
            is_linked = match before {
                None => row_ends != 0,
                Some(_) => is_linked,
            };
            if let Some(last) = before.filter(|_| is_linked) {
                let range = last.address..row_ends;
                for &(at, address) in addresses.iter().filter(|(_, it)| range.contains(it)) {
                    // Once for each, however often a program comes by it.
                    if found.iter().all(|(known, ..)| *known != at)
                        && let Some(line) = self.line(header, last.file, last.line)
                    {
                        found.push((at, address, line));
                    }
                }
            }
            before = (!row.end_sequence()).then(|| Row {
                address: row_ends,
                file: row.file_index(),
                line: row.line().map_or(0, |line| line.get()),
            });
        }
        Ok(found)
    }

    /// Where the calls were whose functions were inlined and hold the address, innermost first.
    fn inlined_at(&self, address: u64, until: Instant) -> gimli::Result<Vec<SourceLine>> {
        let mut calls = Vec::new();
        let Some(program) = &self.unit.line_program else {
            return Ok(calls);
        };
        let mut entries = self.unit.entries();
        while let Some(entry) = entries.next_dfs()?
            && calls.len() < MAX_INLINED
            && Instant::now() < until
        {
            if entry.tag() != constants::DW_TAG_inlined_subroutine {
                continue;
            }
            let mut ranges = self.dwarf.die_ranges(self.unit, entry)?;
            let mut holds = false;
            while let Some(range) = ranges.next()? {
                holds |= (range.begin..range.end).contains(&address);
            }
            let file = entry.attr_value(constants::DW_AT_call_file);
            let line = entry.attr_value(constants::DW_AT_call_line);
            if let (true, Some(AttributeValue::FileIndex(file)), Some(line)) =
                (holds, file, line.and_then(|line| line.udata_value()))
            {
                calls.extend(self.line(program.header(), file, line));
            }
        }
        // Entries lie in those that hold them: the outermost call came first.
        calls.reverse();
        Ok(calls)
    }

    /// A compiler that cannot tell a line says zero.
    fn line(
        &self,
        header: &LineProgramHeader<Bytes<'_>>,
        file: u64,
        line: u64,
    ) -> Option<SourceLine> {
        let file = header.file(file).filter(|_| line != 0)?;
        let name = self.dwarf.attr_string(self.unit, file.path_name()).ok()?;
        // The first directory is the one that the compiler was run in.
        let directory = match file.directory_index() {
            0 => None,
            _ => file.directory(header),
        };
        let directory = directory.and_then(|it| self.dwarf.attr_string(self.unit, it).ok());
        Some(SourceLine {
            file: path(directory.as_deref().unwrap_or_default(), &name),
            line,
        })
    }
}

/// The end of a path, on one line.
fn path(directory: &[u8], name: &[u8]) -> GuestText {
    let end_of = |bytes: &'_ [u8]| bytes[bytes.len().saturating_sub(LONGEST_PATH)..].to_vec();
    let mut path = end_of(name);
    if !directory.is_empty() && !name.starts_with(b"/") {
        path = [&end_of(directory)[..], b"/", &path].concat();
    }
    let is_cut = path.len() > LONGEST_PATH || name.len() > LONGEST_PATH;
    let text = String::from_utf8_lossy(&path);
    let from = text.ceil_char_boundary(text.len().saturating_sub(LONGEST_PATH));
    match is_cut {
        true => GuestText::name(&format!("…{}", &text[from..])),
        false => GuestText::name(&text),
    }
}

#[cfg(test)]
mod tests;
