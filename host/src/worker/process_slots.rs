//! How many processes of a kind run at once, for one driver and on the node.
//!
//! Each has a slot of its driver and one of the node: a byte of the node's lock file, whichever process took it. The kernel
//! gives them up with their last holder, so that nothing is counted that was killed.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::errno::{Fault, FaultKind};
use crate::sys::byte_lock::{ByteLocks, Hold};
use crate::sys::lock_file::try_until;

/// Bytes from one name's first to the next one's: more than anybody may ask for.
const STRIDE: u64 = 1 << 16;

/// Names spread over the largest offsets that are still a file's.
const NAMES: u64 = 1 << 46;

/// The node's lock file, and the driver for which slots are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SlotFile {
    pub(super) path: PathBuf,
    pub(super) driver: String,
}

/// How many of a kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    /// `"job"`: for messages, and apart from other kinds.
    pub(super) kind: &'static str,
    /// Of the driver.
    pub(super) at_once: u32,
    /// Of all drivers together.
    pub(super) node_at_once: u32,
    /// The table of the driver's file that says so.
    pub(super) table: &'static str,
}

/// Whose slots are all taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    Driver,
    Node,
}

/// The first of the bytes that stand for a name.
pub(super) fn byte_of(words: &[&str]) -> u64 {
    let mut digest = Sha256::new();
    for word in words {
        digest.update(word.as_bytes());
        digest.update([0]);
    }
    let head: [u8; 8] = digest.finalize()[..8].try_into().unwrap_or_default();
    u64::from_le_bytes(head) % NAMES * STRIDE
}

impl SlotFile {
    pub(super) fn open(&self) -> Result<ByteLocks, Fault> {
        ByteLocks::open(&self.path).map_err(|error| unlocked(&self.path, &error))
    }

    /// Takes a slot of the driver and one of the node, held by that open file. Waits for them until then.
    ///
    /// # Errors
    /// [`FaultKind::Full`], with the key that says how many there are.
    pub(super) fn take(
        &self,
        locks: &ByteLocks,
        quota: &Quota,
        until: Instant,
    ) -> Result<(), Fault> {
        let mut full = Full::Driver;
        let taken = try_until(until, || match self.try_take(locks, quota) {
            Ok(None) => Ok(Some(())),
            Ok(Some(whose)) => {
                full = whose;
                Ok(None)
            }
            Err(error) => Err(unlocked(&self.path, &error)),
        })?;
        taken.ok_or_else(|| self.refused(quota, full))
    }

    fn try_take(&self, locks: &ByteLocks, quota: &Quota) -> io::Result<Option<Full>> {
        let own = byte_of(&[quota.kind, "driver", &self.driver]);
        let Some(taken) = first_free(locks, own, quota.at_once)? else {
            return Ok(Some(Full::Driver));
        };
        let node = byte_of(&[quota.kind, "node"]);
        if first_free(locks, node, quota.node_at_once)?.is_some() {
            return Ok(None);
        }
        locks.release(taken)?;
        Ok(Some(Full::Node))
    }

    fn refused(&self, quota: &Quota, full: Full) -> Fault {
        let Quota {
            kind,
            at_once,
            node_at_once,
            table,
        } = quota;
        let message = match full {
            Full::Driver => format!(
                "cannot start another {kind} process: {at_once} of driver {} run already ({table}.at-once = {at_once})",
                self.driver
            ),
            Full::Node => format!(
                "cannot start another {kind} process: {node_at_once} run on this node already ({table}.node-at-once = {node_at_once})"
            ),
        };
        Fault::new(FaultKind::Full, message)
    }
}

/// Holds one of the bytes; which, if one was free.
fn first_free(locks: &ByteLocks, first: u64, count: u32) -> io::Result<Option<u64>> {
    for byte in first..first + u64::from(count).min(STRIDE) {
        if locks.try_hold(byte, Hold::Exclusive)? {
            return Ok(Some(byte));
        }
    }
    Ok(None)
}

pub(super) fn unlocked(path: &Path, error: &io::Error) -> Fault {
    let message = format!("cannot lock {}: {error}", path.display());
    Fault::new(FaultKind::Other, message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const QUOTA: Quota = Quota {
        kind: "job",
        at_once: 2,
        node_at_once: 3,
        table: "limits.jobs",
    };

    fn take(slots: &SlotFile) -> Result<ByteLocks, String> {
        let locks = slots.open().expect("opened");
        match slots.take(&locks, &QUOTA, Instant::now()) {
            Ok(()) => Ok(locks),
            Err(fault) => {
                assert_eq!(fault.kind, FaultKind::Full);
                Err(fault.message)
            }
        }
    }

    #[test]
    fn a_driver_has_so_many_and_the_node_so_many() {
        let directory = tempfile::tempdir().expect("a directory");
        let of = |driver: &str| SlotFile {
            path: directory.path().join("slots"),
            driver: driver.into(),
        };
        let mut held: Vec<ByteLocks> = (0..2).map(|_| take(&of("nfs")).expect("free")).collect();
        assert_eq!(
            take(&of("nfs")).expect_err("full"),
            "cannot start another job process: 2 of driver nfs run already (limits.jobs.at-once = 2)"
        );
        held.push(take(&of("local")).expect("free"));
        assert_eq!(
            take(&of("local")).expect_err("full"),
            "cannot start another job process: 3 run on this node already (limits.jobs.node-at-once = 3)"
        );
        held.remove(0);
        // What was refused holds nothing.
        held.push(take(&of("local")).expect("free"));
        assert!(take(&of("other")).is_err());
    }

    #[test]
    fn whoever_waits_gets_what_becomes_free() {
        let directory = tempfile::tempdir().expect("a directory");
        let slots = SlotFile {
            path: directory.path().join("slots"),
            driver: "nfs".into(),
        };
        let held = [take(&slots).expect("free"), take(&slots).expect("free")];
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let locks = slots.open().expect("opened");
                slots.take(&locks, &QUOTA, Instant::now() + Duration::from_secs(20))
            });
            drop(held);
            assert_eq!(waiting.join().expect("no panic"), Ok(()));
        });
    }
}
