//! The words every layer shares: volumes, paths, parameters, secrets.
//!
//! Imports nothing of ours.

mod access;
mod health;
mod id;
mod node;
mod parameters;
mod path;
mod provision;
mod secret;
mod snapshot;

pub use access::{Access, AccessType};
pub use health::{
    Health, HealthCondition, Severity, StorageCondition, StorageSeverity, VolumeHealth,
    VolumeHealthPage,
};
pub use id::{DriverName, GroupSnapshotId, NodeId, PageToken, SnapshotId, VolumeId, VolumeKey};
pub use node::NodeInfo;
pub use parameters::Parameters;
pub use path::{PathError, StagingPath, TargetPath};
pub use provision::{
    AccessMode, CapacityRange, CreateVolume, Topology, VolumeCapability, VolumeInfo, VolumePage,
    VolumeSource,
};
pub use secret::{Secret, Secrets, SecretsError};
pub use snapshot::{
    CreateGroupSnapshot, CreateSnapshot, GroupSnapshot, Readiness, Snapshot, SnapshotFilter,
    SnapshotPage,
};
