//! Reading a device past the page cache.
//!
//! The cache may hold what a disk of the same number held before, or what was written and never arrived.
//! O_DIRECT wants offsets, lengths and memory aligned to the device's logical blocks (open(2)); 4096 is the
//! largest that Linux has.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::fcntl::OFlag;

use super::block::Block;
use crate::worker::{Fault, FaultKind};

pub(super) const ALIGNMENT: usize = 4096;
const ALIGNMENT_BYTES: u64 = 4096;

/// A device opened for such reads.
pub(super) struct Direct<'a> {
    block: &'a Block,
    file: File,
    pub(super) size: u64,
}

impl<'a> Direct<'a> {
    pub(super) fn open(block: &'a Block) -> Result<Self, Fault> {
        let file = block.reopen(OFlag::O_RDONLY | OFlag::O_DIRECT);
        let file = file.map_err(|errno| unreadable(block, 0, &errno.desc()))?;
        let size = block.size()?;
        Ok(Self { block, file, size })
    }

    /// Exactly that much from there. Anything less is an error: what cannot be read is never blank.
    pub(super) fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, Fault> {
        let mut buffer = vec![0; length + ALIGNMENT];
        let start = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let aligned = &mut buffer[start..start + length];
        let count = loop {
            match self.file.read_at(aligned, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(self.block, at, &error)),
                Ok(count) => break count,
            }
        };
        if count != length {
            let reason = format!("the device gave {count} bytes of {length}");
            return Err(unreadable(self.block, at, &reason));
        }
        buffer.drain(..start);
        buffer.truncate(length);
        Ok(buffer)
    }

    /// The end of the device from at most `length` bytes before it, and where that begins. Sizes are
    /// multiples of the logical block, so the length of what is left is one too.
    pub(super) fn read_end(&self, length: u64) -> Result<(u64, Vec<u8>), Fault> {
        let from = self.size.saturating_sub(length) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
        let rest = usize::try_from(self.size - from)
            .map_err(|error| unreadable(self.block, from, &error))?;
        Ok((from, self.read(from, rest)?))
    }
}

/// Not "blank", and not for ever: the disk may come back.
fn unreadable(block: &Block, at: u64, reason: &dyn std::fmt::Display) -> Fault {
    let name = match block.node() {
        Ok(node) => node.display().to_string(),
        Err(_) => block.number_text(),
    };
    Fault::new(
        FaultKind::Unreachable,
        format!(
            "cannot read device {name} at byte {at}: {reason}; it is left alone, check the disk"
        ),
    )
}
