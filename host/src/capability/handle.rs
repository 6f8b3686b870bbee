//! What the handles stand for that guests hold: the contract's resources. A guest sees none of it.

use std::path::PathBuf;

use crate::sys::MountEntry;
use crate::volume::Access;
use crate::worker::{DirectoryOrigin, WantedDevice};

/// Where a volume has to appear, lent to a guest for one call.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
#[derive(Debug)]
pub struct Target {
    /// Never seen by the guest.
    pub(crate) path: PathBuf,
    /// Decided by the caller; a guest cannot widen it.
    pub(crate) access: Access,
    /// What is mounted there already.
    pub(crate) mounted: Option<MountEntry>,
    /// Decided by the caller.
    pub(crate) purpose: Purpose,
}

/// Why a guest is lent a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To mount the volume there.
    Mount,
    /// To tell by the same calls whether the volume is what is mounted there: it is compared with what the guest
    /// would mount, and nothing is mounted, made or written.
    Compare,
}

/// A directory, and all beneath it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
#[derive(Debug)]
pub struct Directory {
    /// Never seen by the guest.
    pub(crate) origin: DirectoryOrigin,
}

/// What a `device` handle stands for.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
#[derive(Debug)]
pub struct Device {
    /// Never the name of a node.
    pub(super) wanted: WantedDevice,
}

/// What an `endpoint` handle stands for.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
#[derive(Debug)]
pub struct Endpoint {
    /// In the driver's grants.
    pub(super) name: String,
}

/// What a `signing-key` handle stands for.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
#[derive(Debug)]
pub struct SigningKey {
    /// In the driver's grants.
    pub(super) name: String,
}
