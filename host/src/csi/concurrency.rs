//! How many calls of one driver run at once.
//!
//! Each runs on a thread that may wait for a guest, a server or a lock until its deadline. So each driver has threads of
//! its own: calls of one that all hang leave those of the others alone. And so have calls that unmount a volume,
//! which run no guest: however many hang that want one, a pod can be torn down. `Probe` needs no thread at all.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use crate::driver::Session;
use crate::error::DriverError;

/// Calls of one driver at once that may run its guest: the most that a sidecar makes by itself is a hundred
/// (external-provisioner's `--worker-threads`).
const MAX_GUEST_CALLS: usize = 112;

/// And those that unmount a volume from a pod or from the node; kubelet makes a few at a time.
const MAX_TEARDOWNS: usize = 16;

/// Threads that the calls of one driver can come to.
pub(super) const THREADS: usize = MAX_GUEST_CALLS + MAX_TEARDOWNS;

/// Of the calls of one driver.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    guest_calls: Arc<Semaphore>,
    teardowns: Arc<Semaphore>,
}

/// What a call does, as far as it matters whom it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallKind {
    /// It may run a guest.
    Guest,
    /// It unmounts a volume, which the host does alone.
    Teardown,
}

impl CallKind {
    fn of(rpc: &str) -> Self {
        match rpc {
            "NodeUnpublishVolume" | "NodeUnstageVolume" => Self::Teardown,
            _ => Self::Guest,
        }
    }
}

impl ConcurrencyLimit {
    pub(super) fn new() -> Self {
        Self {
            guest_calls: Arc::new(Semaphore::new(MAX_GUEST_CALLS)),
            teardowns: Arc::new(Semaphore::new(MAX_TEARDOWNS)),
        }
    }

    /// Waits until a call may have a thread, which it may as long as it holds what is returned. First come, first
    /// served; the wait takes no thread.
    ///
    /// # Errors
    /// `exhausted` when its deadline comes first.
    pub(super) async fn acquire(
        &self,
        rpc: &str,
        driver: &Session,
    ) -> Result<OwnedSemaphorePermit, DriverError> {
        let deadline = driver.deadline(Instant::now());
        let (kind, name) = (CallKind::of(rpc), &driver.config().name.0);
        self.acquire_until(deadline, kind, name).await
    }

    async fn acquire_until(
        &self,
        deadline: Instant,
        kind: CallKind,
        driver: &str,
    ) -> Result<OwnedSemaphorePermit, DriverError> {
        let (permits, bound) = match kind {
            CallKind::Guest => (&self.guest_calls, MAX_GUEST_CALLS),
            CallKind::Teardown => (&self.teardowns, MAX_TEARDOWNS),
        };
        let permit = timeout_at(deadline.into(), Arc::clone(permits).acquire_owned()).await;
        // Nobody closes them.
        permit.ok().and_then(Result::ok).ok_or_else(|| {
            DriverError::overloaded(format!(
                "driver {driver} already runs {bound} calls in this process, which is the maximum, and none of them \
                 ended before this one's deadline; the log says what they wait for"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Condition;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.expect("a runtime").block_on(future)
    }

    async fn acquire(
        limit: &ConcurrencyLimit,
        rpc: &str,
    ) -> Result<OwnedSemaphorePermit, DriverError> {
        limit
            .acquire_until(Instant::now(), CallKind::of(rpc), "nfs")
            .await
    }

    async fn taken(limit: &ConcurrencyLimit, rpc: &str, count: usize) -> Vec<OwnedSemaphorePermit> {
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.push(acquire(limit, rpc).await.expect("free"));
        }
        taken
    }

    #[test]
    fn a_call_too_many_is_told_whose_calls_and_how_many() {
        let limit = ConcurrencyLimit::new();
        block_on(async {
            let _taken = taken(&limit, "NodePublishVolume", MAX_GUEST_CALLS).await;
            let error = acquire(&limit, "CreateVolume").await.expect_err("full");
            assert_eq!(error.condition(), Condition::Exhausted);
            let said = error.to_string();
            assert!(
                said.starts_with("driver nfs already runs 112 calls"),
                "{said}"
            );
        });
    }

    #[test]
    fn volumes_are_taken_away_however_many_calls_want_a_guest_and_are_bounded_too() {
        let limit = ConcurrencyLimit::new();
        block_on(async {
            let _taken = taken(&limit, "NodePublishVolume", MAX_GUEST_CALLS).await;
            let _unstaged = taken(&limit, "NodeUnstageVolume", MAX_TEARDOWNS - 1).await;
            let last = acquire(&limit, "NodeUnpublishVolume").await.expect("free");
            assert!(acquire(&limit, "NodeUnpublishVolume").await.is_err());
            drop(last);
            assert!(acquire(&limit, "NodeUnpublishVolume").await.is_ok());
        });
    }
}
