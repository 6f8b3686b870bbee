//! Directories that a worker has opened, by where they come from.

use cap_std::fs::Dir;

use super::files::open_local;
use super::mount_remote;
use crate::worker::{DirectoryOrigin, Fault};

/// Directories that are open at once: each is a mount where it is remote, and a guest may name as many as it likes.
const MAX_DIRECTORIES: usize = 16;

/// Directories this worker has opened.
#[derive(Debug, Default)]
pub(super) struct Directories(Vec<(DirectoryOrigin, Dir)>);

impl Directories {
    pub(super) fn open(&mut self, origin: &DirectoryOrigin) -> Result<&Dir, Fault> {
        let at = match self.0.iter().position(|(known, _)| known == origin) {
            Some(at) => at,
            None => {
                let opened = match origin {
                    DirectoryOrigin::Local(path) => open_local(path)?,
                    DirectoryOrigin::Remote(source) => mount_remote::open_unseen(source)?,
                };
                if self.0.len() == MAX_DIRECTORIES {
                    self.0.remove(0);
                }
                self.0.push((origin.clone(), opened));
                self.0.len() - 1
            }
        };
        Ok(&self.0[at].1)
    }
}
