//! How the component's volumes are made here, which nobody can guess.

use clap::Args;
use drivebay::config;
use drivebay::driver::VolumeReference;
use drivebay::volume::{NodeId, Parameters, VolumeId, VolumeKey};

use crate::commands::run::pair;

/// Said by the author.
#[derive(Debug, Args)]
pub(super) struct SubjectArguments {
    /// A parameter of the volumes that are made, as a StorageClass has them
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Their size: bytes, or a number with Ki, Mi, Gi, Ti
    #[arg(long, value_parser = config::size, default_value = "1Gi")]
    size: u64,
    /// A parameter of the snapshots that are cut, as a VolumeSnapshotClass has them
    #[arg(long = "snapshot-parameter", value_name = "KEY=VALUE", value_parser = pair)]
    snapshot_parameters: Vec<(String, String)>,
    /// What can change of the volumes that are made, as a VolumeAttributesClass has it
    #[arg(long = "mutable-parameter", value_name = "KEY=VALUE", value_parser = pair)]
    mutable_parameters: Vec<(String, String)>,
    /// A parameter of the groups that are cut, as a VolumeGroupSnapshotClass has them
    #[arg(long = "group-parameter", value_name = "KEY=VALUE", value_parser = pair)]
    group_parameters: Vec<(String, String)>,
    /// A node that volumes can be attached to, by the backend's name
    #[arg(long, default_value = "node-1")]
    node: String,
    /// A volume that is there, for a component that makes none
    #[arg(long, value_name = "ID")]
    volume: Option<String>,
    /// A parameter of that volume, as a PersistentVolume has them
    #[arg(long = "volume-parameter", value_name = "KEY=VALUE", value_parser = pair, requires = "volume")]
    volume_parameters: Vec<(String, String)>,
}

/// The same, for rules.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) parameters: Vec<(String, String)>,
    pub(super) size_bytes: u64,
    pub(super) snapshot_parameters: Vec<(String, String)>,
    pub(super) mutable_parameters: Vec<(String, String)>,
    pub(super) group_parameters: Vec<(String, String)>,
    pub(super) node: NodeId,
    /// One that is there already.
    pub(super) volume: Option<VolumeReference>,
}

impl SubjectArguments {
    pub(super) fn subject(&self) -> Subject {
        let volume = self.volume.as_ref().map(|id| VolumeReference {
            key: VolumeKey(id.clone()),
            id: VolumeId(id.clone()),
            context: Parameters::new(self.volume_parameters.clone()),
        });
        Subject {
            parameters: self.parameters.clone(),
            size_bytes: self.size,
            snapshot_parameters: self.snapshot_parameters.clone(),
            mutable_parameters: self.mutable_parameters.clone(),
            group_parameters: self.group_parameters.clone(),
            node: NodeId(self.node.clone()),
            volume,
        }
    }
}
