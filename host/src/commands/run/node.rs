//! `node`: what happens on this node, and the host's own part of it.

use clap::Subcommand;
use drivebay::config;
use drivebay::driver::{
    ExpandOnNode, ExpandOutcome, PublishVolume, Session, Sharing, StageVolume, StagedFor,
    VolumeLocation,
};
use drivebay::error::DriverError;
use drivebay::volume::{Parameters, StagingPath, TargetPath, VolumeKey};
use serde_json::{Value, json};

use super::arguments::{Kind, ReadOnlyFlag, Volume, distinct, pair};
use super::caller::Caller;
use super::json as answer;

#[derive(Debug, Subcommand)]
pub(super) enum Operation {
    /// Stage a volume: mount it once for this node
    StageVolume {
        #[command(flatten)]
        volume: Volume,
        /// The staging directory; a raw device becomes the file `device` in it
        #[arg(long)]
        path: String,
        #[command(flatten)]
        kind: Kind,
        /// What attach-volume returned; what the journal knows otherwise
        #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
        publish_context: Vec<(String, String)>,
        #[command(flatten)]
        read_only: ReadOnlyFlag,
    },
    /// Unstage a volume: unmount it from this node
    UnstageVolume {
        /// The staging directory
        #[arg(long)]
        path: String,
    },
    /// Publish a volume: mount it for one pod
    PublishVolume {
        #[command(flatten)]
        volume: Volume,
        /// The pod's directory, or file for a raw device
        #[arg(long)]
        path: String,
        #[command(flatten)]
        kind: Kind,
        #[command(flatten)]
        read_only: ReadOnlyFlag,
    },
    /// Unpublish a volume: unmount it from one pod
    UnpublishVolume {
        /// The pod's directory, or file for a raw device; it is removed
        #[arg(long)]
        path: String,
    },
    /// Expand a mounted filesystem to the size that expand-volume has given its volume
    ExpandOnNode {
        /// The volume's id
        id: String,
        /// What it has to fill at least: bytes, or a number with Ki, Mi, Gi, Ti
        #[arg(long, value_parser = config::size)]
        size: u64,
    },
    /// Show where this node is and what it can hold
    GetInfo,
    /// Show how a volume is doing, seen from this node
    GetHealth {
        #[command(flatten)]
        volume: Volume,
    },
}

impl Operation {
    pub(super) fn run(self, session: &Session) -> Result<Value, DriverError> {
        match self {
            Self::StageVolume {
                volume,
                path,
                kind,
                publish_context,
                read_only,
            } => {
                let request = StageVolume {
                    access: read_only.access_to(&volume),
                    kind: kind.access_type_of(&volume),
                    volume: volume.reference(session)?,
                    staging: staging(&path)?,
                    publish_context: Parameters::new(distinct(publish_context)?),
                    staged_for: StagedFor::Everyone,
                };
                Caller(session).stage_volume(&request)?;
                Ok(answer::nothing())
            }
            Self::UnstageVolume { path } => Caller(session)
                .unstage_volume(&staging(&path)?)
                .map(|()| answer::nothing()),
            Self::PublishVolume {
                volume,
                path,
                kind,
                read_only,
            } => {
                let request = PublishVolume {
                    access: read_only.access_to(&volume),
                    kind: kind.access_type_of(&volume),
                    volume: volume.reference(session)?,
                    target: target(&path)?,
                    sharing: Sharing::ManyTargets,
                    staging: None,
                    publish_context: Parameters::default(),
                    staged_for: StagedFor::Everyone,
                };
                Caller(session).publish_volume(&request)?;
                Ok(answer::nothing())
            }
            Self::UnpublishVolume { path } => Caller(session)
                .unpublish_volume(&target(&path)?)
                .map(|()| answer::nothing()),
            Self::ExpandOnNode { id, size } => expand_on_node(session, id, size),
            Self::GetInfo => session.node_info(None).map(|info| answer::node(&info)),
            Self::GetHealth { volume } => session
                .node_health(&volume.reference(session)?)
                .map(|health| answer::health(&health)),
        }
    }
}

fn expand_on_node(session: &Session, id: String, bytes: u64) -> Result<Value, DriverError> {
    let request = ExpandOnNode {
        key: VolumeKey(id),
        at: VolumeLocation::Unknown,
        required_bytes: bytes,
    };
    let grown = match Caller(session).expand_on_node(&request)? {
        ExpandOutcome::Filesystem => "filesystem",
        ExpandOutcome::Nothing => "nothing",
        ExpandOutcome::NotMounted => "not-mounted",
    };
    Ok(json!({ "grown": grown }))
}

fn staging(path: &str) -> Result<StagingPath, DriverError> {
    StagingPath::new(path).map_err(|error| {
        DriverError::invalid_argument("cannot use the staging directory").caused_by(error)
    })
}

fn target(path: &str) -> Result<TargetPath, DriverError> {
    TargetPath::new(path)
        .map_err(|error| DriverError::invalid_argument("cannot use the target").caused_by(error))
}
