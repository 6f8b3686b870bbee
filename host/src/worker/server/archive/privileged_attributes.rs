//! What an archive's entries get only once it is proven where the archive comes from.
//!
//! Set-user-ID and set-group-ID on files, file capabilities and device nodes give whoever uses them more than they have.
//! Those who use a volume may have put them there; a guest, which could have written the archive, may not. So they wait
//! until all of the archive was read and its digest is known. How much waits is bounded: the archive says what there is.

use std::path::{Path, PathBuf};

use rustix::fs::{FileType, RawMode};

use crate::worker::server::files::attributes::{Attributes, SET_ID, Xattr};
use crate::worker::server::files::tree::Identity;
use crate::worker::{Withheld, WithheldFor};

/// No honest tree has as many, and the paths of a hostile one are long.
const MAX_ENTRIES: usize = 1 << 16;
const MAX_BYTES: usize = 16 << 20;

/// One thing that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) path: PathBuf,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// All permission bits of a file.
    Mode(Identity, RawMode),
    Capabilities(Identity, Xattr),
    Device(FileType, u64, Attributes),
}

impl What {
    fn count<'a>(&self, counts: &'a mut Withheld) -> &'a mut u64 {
        match self {
            Self::Mode(..) => &mut counts.set_id,
            Self::Capabilities(..) => &mut counts.capabilities,
            Self::Device(..) => &mut counts.devices,
        }
    }
}

/// In the archive's order.
#[derive(Debug)]
pub(super) struct WaitingList {
    waiting: Vec<Waiting>,
    bytes: usize,
    /// How much waits.
    counts: Withheld,
    /// How much found no room.
    beyond: Withheld,
}

impl Default for WaitingList {
    fn default() -> Self {
        let none = |reason| Withheld {
            set_id: 0,
            capabilities: 0,
            devices: 0,
            reason,
        };
        Self {
            waiting: Vec::new(),
            bytes: 0,
            counts: none(WithheldFor::Provenance),
            beyond: none(WithheldFor::Number),
        }
    }
}

impl WaitingList {
    pub(super) fn add(&mut self, path: &Path, what: What) {
        *what.count(&mut self.counts) += 1;
        let bytes = path.as_os_str().len()
            + match &what {
                What::Capabilities(_, (name, value)) => name.count_bytes() + value.len(),
                What::Mode(..) | What::Device(..) => 0,
            };
        if self.waiting.len() == MAX_ENTRIES || self.bytes + bytes > MAX_BYTES {
            *what.count(&mut self.beyond) += 1;
            return;
        }
        self.bytes += bytes;
        self.waiting.push(Waiting {
            path: path.to_owned(),
            what,
        });
    }

    /// A file's permission bits without what has to wait, which is added.
    pub(super) fn mode_now(&mut self, path: &Path, file: Identity, mode: RawMode) -> RawMode {
        if mode & SET_ID != 0 {
            self.add(path, What::Mode(file, mode));
        }
        mode & !SET_ID
    }

    /// What is to be given now, and what nobody gets all the same.
    pub(super) fn proven(self) -> (Vec<Waiting>, Withheld) {
        (self.waiting, self.beyond)
    }

    /// What nobody gets.
    pub(super) fn unproven(self) -> Withheld {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_what_found_no_room_is_counted() {
        let mut list = WaitingList::default();
        let long = PathBuf::from("p".repeat(MAX_BYTES / 2 - 1));
        for _ in 0..3 {
            assert_eq!(list.mode_now(&long, (1, 2), 0o4755), 0o755);
        }
        assert_eq!(list.mode_now(&long, (1, 2), 0o1755), 0o1755);
        let (waiting, beyond) = list.proven();
        assert_eq!((waiting.len(), beyond.set_id), (2, 1));
        let mut list = WaitingList::default();
        for _ in 0..=MAX_ENTRIES {
            list.mode_now(Path::new("p"), (1, 2), 0o2755);
        }
        assert_eq!(list.unproven().set_id, MAX_ENTRIES as u64 + 1);
    }
}
