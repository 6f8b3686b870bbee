//! Which version of its component serves each driver, and which did, wait, and were refused.

mod active;
mod version_record;
mod watcher_lock;

pub use active::{ActiveVersions, Version, VersionError};
pub use version_record::{
    ActiveVersion, HeldVersion, PendingVersion, RecordError, RefusedVersion, RejectedBy,
    RejectedVersion, Step, VersionRecord,
};
pub use watcher_lock::WatcherLock;
