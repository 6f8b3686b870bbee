//! What can be asked of a block device, and what comes back.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mount_flags::MountOption;
use crate::volume::Access;

/// What can be asked of a device.
#[expect(missing_docs, reason = "the names of the fields say it")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceRequest {
    /// Work on the one device that is wanted.
    On {
        wanted: WantedDevice,
        operation: DeviceOperation,
    },
    /// Let what is mounted at a path fill its device. Replies [`DeviceReply::Size`], of the device.
    GrowMounted {
        /// Where a filesystem is mounted, or a raw device is bound.
        mount_point: PathBuf,
        /// What the device has to have; on a smaller one nothing grows, and the reply says how small it is.
        at_least_bytes: Option<u64>,
    },
}

/// A device by what it is, and what may be seen of this node at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedDevice {
    /// As the disk reports it.
    pub serial: String,
    /// As the backend reports it, where it does.
    pub size_bytes: Option<u64>,
    /// Granted names, as in /dev/disk/by-id.
    pub granted: Vec<NamePattern>,
}

/// A granted name: what it begins with and, where it has a `*`, what it ends with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamePattern {
    /// Before the `*`, or all of it.
    pub begins: String,
    /// After the `*`; none where there is no `*`.
    pub ends: Option<String>,
}

/// Work on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceOperation {
    /// Whether it is here: [`DeviceReply::Found`] or [`DeviceReply::NotGranted`].
    Find,
    /// The same, as soon as it appears.
    Await {
        /// Ends before the request's own deadline, so that the answer says what was missed.
        timeout: Duration,
    },
    /// Its size now: [`DeviceReply::Size`].
    Size,
    /// What is on it: [`DeviceReply::Content`].
    Inspect,
    /// Have a filesystem on it.
    EnsureFilesystem {
        /// The kernel's name of the one that is made if it is blank.
        make: String,
        /// The kernel's names under which one that is there may be mounted.
        keep: Vec<String>,
        /// For mkfs; checked.
        options: Vec<String>,
        /// Read-only: nothing is written.
        access: Access,
    },
    /// Let its filesystem fill it.
    GrowFilesystem,
    /// Mount its filesystem.
    Mount {
        /// An existing directory, not a symlink.
        target: PathBuf,
        /// In order; checked.
        options: Vec<MountOption>,
        /// Read-only or not.
        access: Access,
        /// The kernel's names of what may be mounted.
        filesystems: Vec<String>,
    },
    /// Whether it is what is mounted or bound there: [`Reply::Done`](super::Reply::Done), or [`FaultKind::Exists`](super::FaultKind::Exists).
    Compare {
        /// A mount point.
        target: PathBuf,
        /// Read-only or not.
        access: Access,
    },
    /// Bind the raw device.
    Bind {
        /// An existing plain file, not a symlink.
        target: PathBuf,
        /// Read-only or not.
        access: Access,
    },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceReply {
    /// It is here.
    Found,
    /// It is here, under a name that was not granted.
    NotGranted {
        /// As in /dev/disk/by-id.
        name: String,
    },
    /// Bytes.
    Size(u64),
    /// What is on it.
    Content(DeviceContent),
}

/// What lies on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceContent {
    /// Nothing.
    Blank,
    /// A filesystem, by the kernel's name.
    Filesystem(String),
    /// Something else, in words.
    Other(String),
}

impl NamePattern {
    fn matches(&self, name: &str) -> bool {
        match &self.ends {
            None => name == self.begins,
            Some(ends) => name
                .strip_prefix(self.begins.as_str())
                .is_some_and(|rest| rest.ends_with(ends.as_str())),
        }
    }
}

impl WantedDevice {
    pub(super) fn may_see(&self, name: &str) -> bool {
        self.granted.iter().any(|pattern| pattern.matches(name))
    }
}

impl DeviceRequest {
    /// Whether it mounts something that nobody else is to see.
    pub(super) fn mounts_unseen(&self) -> bool {
        matches!(
            self,
            Self::On {
                operation: DeviceOperation::GrowFilesystem,
                ..
            }
        )
    }

    /// What the person who reads about a missing answer has to look at.
    pub(super) fn purpose(&self) -> String {
        match self {
            Self::On { wanted, operation } => {
                format!("{} device {:?}", operation.verb(), wanted.serial)
            }
            Self::GrowMounted { mount_point, .. } => {
                format!("growing what is mounted at {}", mount_point.display())
            }
        }
    }
}

impl DeviceOperation {
    fn verb(&self) -> &'static str {
        match self {
            Self::Find | Self::Await { .. } => "looking for",
            Self::Size | Self::Inspect => "inspecting",
            Self::EnsureFilesystem { .. } => "making or checking the filesystem of",
            Self::GrowFilesystem => "growing the filesystem of",
            Self::Mount { .. } => "mounting",
            Self::Bind { .. } => "binding",
            Self::Compare { .. } => "recognising",
        }
    }
}
