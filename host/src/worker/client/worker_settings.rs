//! What the workers of one driver share: where they note things, how many there may be, how much each may take.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::sys::byte_lock::ByteLocks;
use crate::worker::process_slots::{Quota, SlotFile};
use crate::worker::{Fault, JobLimits};

/// `[limits.workers]`: of processes that work for one call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Of the driver, over all processes of the node.
    pub at_once: u32,
    /// Of all drivers of the node, for one of this driver to begin.
    pub node_at_once: u32,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        Self {
            // A server carries out 128 calls at once, most of them by one worker of two megabytes.
            at_once: 64,
            node_at_once: 256,
        }
    }
}

impl WorkerLimits {
    fn quota(&self, purpose: Purpose) -> Quota {
        Quota {
            kind: match purpose {
                Purpose::TakingAway => "unmounting worker",
                Purpose::AnythingElse => "worker",
            },
            at_once: self.at_once,
            node_at_once: self.node_at_once,
            table: "limits.workers",
        }
    }
}

/// What a worker is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Unmounting, which has slots of its own: what hangs or floods the others must not keep a pod from going.
    TakingAway,
    AnythingElse,
}

/// Of one driver, for all its calls.
#[derive(Debug, Clone)]
pub struct WorkSite {
    /// Where bulk work and formatting note their state.
    pub(super) notes: PathBuf,
    pub(super) slots: SlotFile,
    pub(super) jobs: JobLimits,
    pub(super) workers: WorkerLimits,
}

impl WorkSite {
    /// `notes` is the driver's own directory, `slots` the node's file of locks, which all its processes share.
    pub fn new(
        driver: &str,
        notes: PathBuf,
        slots: PathBuf,
        jobs: JobLimits,
        workers: WorkerLimits,
    ) -> Self {
        let driver = driver.to_owned();
        Self {
            notes,
            slots: SlotFile {
                path: slots,
                driver,
            },
            jobs,
            workers,
        }
    }

    /// The slot of all workers of one call: the one that it has, else a new one, for which it waits until then.
    ///
    /// # Errors
    /// [`crate::worker::FaultKind::Full`], with the key that says how many there are.
    pub(super) fn slot_of_call(
        &self,
        of_call: &mut Option<Arc<ByteLocks>>,
        purpose: Purpose,
        until: Instant,
    ) -> Result<Arc<ByteLocks>, Fault> {
        if let Some(slot) = of_call {
            return Ok(slot.clone());
        }
        let slot = self.slots.open()?;
        self.slots
            .take(&slot, &self.workers.quota(purpose), until)?;
        Ok(of_call.insert(Arc::new(slot)).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_needs_one_slot_for_all_its_workers() {
        let directory = tempfile::tempdir().expect("a directory");
        let limits = WorkerLimits {
            at_once: 1,
            node_at_once: 1,
        };
        let site = WorkSite::new(
            "nfs",
            directory.path().join("jobs"),
            directory.path().join("slots"),
            JobLimits::default(),
            limits,
        );
        let take =
            |call: &mut _, purpose| site.slot_of_call(call, purpose, Instant::now()).map(drop);
        let (mut one, mut other, mut removing) = (None, None, None);
        for purpose in [
            Purpose::AnythingElse,
            Purpose::AnythingElse,
            Purpose::TakingAway,
        ] {
            take(&mut one, purpose).expect("its own");
        }
        take(&mut other, Purpose::AnythingElse).expect_err("taken");
        take(&mut removing, Purpose::TakingAway).expect("not kept waiting");
        take(&mut removing, Purpose::AnythingElse).expect("its own");
        drop(one);
        take(&mut other, Purpose::AnythingElse).expect("free");
    }
}
