//! Promises that take the machine, and promises about time and memory that nobody can keep beside those: a target of
//! its own, because cargo runs one after the other, and within it locks.
//!
//! | what | why |
//! |---|---|
//! | `csi_storm`, `disk_stress`, `overload` | hundreds of processes, devices and gigabytes at once: whoever has a deadline of seconds misses it beside them |
//! | `hang`, `host_functions` | deadlines of two and three seconds, of which nothing else may take a part |

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod csi_storm;
mod disk_stress;
mod hang;
mod host_functions;
mod overload;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// For a test that takes what it can get of the machine: nothing else runs meanwhile.
fn takes_all() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// For a test that has seconds: others like it may run meanwhile.
fn is_in_time() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}
