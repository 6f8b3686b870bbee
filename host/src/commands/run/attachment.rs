//! `attachment`: a volume is attached to a node.

use clap::Subcommand;
use drivebay::driver::{AttachVolume, Session};
use drivebay::error::DriverError;
use drivebay::volume::{NodeId, VolumeKey};
use serde_json::{Value, json};

use super::arguments::{ReadOnlyFlag, Volume};
use super::caller::Caller;
use super::json as answer;

#[derive(Debug, Subcommand)]
pub(super) enum Operation {
    /// Attach a volume to a node; shows what stage-volume will need
    AttachVolume {
        #[command(flatten)]
        volume: Volume,
        /// The node, by the backend's name
        #[arg(long)]
        node: String,
        #[command(flatten)]
        read_only: ReadOnlyFlag,
    },
    /// Detach a volume from a node
    DetachVolume {
        /// The volume's id
        id: String,
        /// The node, by the backend's name; every node if empty
        #[arg(long)]
        node: String,
    },
    /// Ask whether a volume is attached to a node
    IsAttached {
        #[command(flatten)]
        volume: Volume,
        /// The node, by the backend's name
        #[arg(long)]
        node: String,
    },
}

impl Operation {
    pub(super) fn run(self, session: &Session) -> Result<Value, DriverError> {
        match self {
            Self::AttachVolume {
                volume,
                node,
                read_only,
            } => {
                let request = AttachVolume {
                    access: read_only.access_to(&volume),
                    volume: volume.reference(session)?,
                    node: NodeId(node),
                    kind: None,
                };
                let context = Caller(session).attach_volume(&request)?;
                Ok(json!({ "publish-context": answer::pairs(&context) }))
            }
            Self::DetachVolume { id, node } => Caller(session)
                .detach_volume(&VolumeKey(id), &NodeId(node))
                .map(|()| answer::nothing()),
            Self::IsAttached { volume, node } => session
                .is_attached(&volume.reference(session)?, &NodeId(node))
                .map(|attached| json!({ "attached": attached })),
        }
    }
}
