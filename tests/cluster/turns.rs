//! Whose turn it is: tests that only have volumes run beside each other, one that takes something away runs alone.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static CLUSTER: RwLock<()> = RwLock::new(());

/// As long as this lives, nobody takes anything away.
pub(crate) fn beside_others() -> RwLockReadGuard<'static, ()> {
    // A test that failed leaves the cluster to the next, which finds out by itself what it can do with it.
    CLUSTER.read().unwrap_or_else(PoisonError::into_inner)
}

/// As long as this lives, no other test does anything.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    CLUSTER.write().unwrap_or_else(PoisonError::into_inner)
}
