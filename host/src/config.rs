//! What the operator decides: where things lie, and one file for each driver.
//!
//! Every key is checked; an unknown one is an error that names the file, the key and the nearest known
//! key. A driver's file belongs to the operator alone: whoever delivers components cannot write it.

mod driver_file;
mod grants;
mod limits;
mod paths;
mod section;

use std::path::PathBuf;
use std::time::Duration;

pub use driver_file::{find_driver, find_flexvolume_driver, load_drivers};
pub use grants::misspelt_mount_options;
pub use paths::Paths;
pub use section::{bytes, duration};

use crate::grant::Grants;
use crate::volume::DriverName;
use crate::worker::JobLimits;
use crate::worker::client::{CompileLimits, WorkerLimits};

/// One driver, as its file says.
#[derive(Debug, Clone)]
pub struct DriverConfig {
    /// The stem of the file.
    pub name: DriverName,
    /// Name in the component store.
    pub component: String,
    /// The name CSI callers use.
    pub csi_name: Option<String>,
    /// The name FlexVolume callers use: `vendor/driver`.
    pub flexvolume: Option<FlexVolumeName>,
    /// Who attaches its FlexVolumes.
    pub flexvolume_attach: FlexVolumeAttach,
    /// Which components may serve it; empty: any of that name.
    pub require_sha256: Vec<String>,
    /// What it may use.
    pub grants: Grants,
    /// How much of everything.
    pub limits: Limits,
}

/// `vendor/driver`, as a FlexVolume PersistentVolume names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlexVolumeName {
    /// Before the slash.
    pub vendor: String,
    /// After it; also the executable's name.
    pub driver: String,
}

impl FlexVolumeName {
    /// `vendor~driver`: the directory in kubelet's plugin directory.
    pub fn directory(&self) -> String {
        format!("{}~{}", self.vendor, self.driver)
    }
}

/// `flexvolume-attach`: who attaches the volumes of a driver that attaches, where FlexVolume is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FlexVolumeAttach {
    /// `"by-kubelet"`: the controller or kubelet, by call-outs of their own.
    #[default]
    ByKubelet,
    /// `"on-mount"`: we do, on the node, with a volume's first `mount`; its last `unmount` detaches it.
    /// kubelet is told that there is nothing to attach, and needs no controller.
    OnMount,
}

impl FlexVolumeAttach {
    /// Whether mounting a volume attaches it.
    pub fn is_on_mount(self) -> bool {
        self == Self::OnMount
    }
}

/// `[limits]`
#[derive(Debug, Clone)]
pub struct Limits {
    /// Linear memory of a guest, in bytes.
    pub memory_bytes: usize,
    /// Processor time a guest may use in one call, the host's own work not counted.
    pub cpu: Duration,
    /// Wall time for one operation, all included.
    pub deadline: Duration,
    /// Lines a guest may log in one call.
    pub log_lines: u32,
    /// `[limits.jobs]`
    pub jobs: JobLimits,
    /// `[limits.workers]`
    pub workers: WorkerLimits,
    /// What compiling its component may take.
    pub compile: CompileLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // The nfs guest touches under 2 MiB; language runtimes with a collector want some tens.
            memory_bytes: 64 << 20,
            cpu: Duration::from_secs(2),
            // Below the two minutes after which a CSI caller gives up, so that our own answer gets out.
            deadline: Duration::from_secs(100),
            log_lines: 100,
            jobs: JobLimits::default(),
            workers: WorkerLimits::default(),
            compile: CompileLimits::default(),
        }
    }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Someone other than root could have written it.
    #[error("{} is not trusted: {reason}", file.display())]
    Untrusted {
        /// Which file.
        file: PathBuf,
        /// Owner or mode.
        reason: String,
    },
    /// It is not TOML.
    #[error("{} is not valid TOML: {reason}", file.display())]
    Syntax {
        /// Which file.
        file: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A key nobody knows.
    #[error("{}: unknown key {key:?}{}", file.display(), hint(nearest.as_deref()))]
    UnknownKey {
        /// Which file.
        file: PathBuf,
        /// With its table: `grants.mounts.optoins`.
        key: String,
        /// The known key most like it.
        nearest: Option<String>,
    },
    /// A value that makes no sense.
    #[error("{}: {key} {reason}", file.display())]
    BadValue {
        /// Which file.
        file: PathBuf,
        /// With its table.
        key: String,
        /// What it is and what it should be.
        reason: String,
    },
    /// Two files claim one name.
    #[error("{} and {} both serve {name}", first.display(), second.display())]
    Duplicate {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// The FlexVolume or CSI name.
        name: String,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest
        .map(|key| format!("; did you mean {key:?}?"))
        .unwrap_or_default()
}
