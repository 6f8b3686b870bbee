//! `group-snapshots`: the content of several volumes at one moment.

use clap::{Args, Subcommand};
use drivebay::driver::{Scope, Session};
use drivebay::error::DriverError;
use drivebay::volume::{CreateGroupSnapshot, GroupSnapshotId, SnapshotId, VolumeId};
use serde_json::Value;

use super::arguments::{pair, parameters};
use super::json as answer;

#[derive(Debug, Subcommand)]
pub(super) enum Operation {
    /// Create a snapshot of each volume at one moment, or find those that an earlier try created
    #[command(name = "create-group-snapshot")]
    Create {
        /// The group's name; a retry with the same one finds the same group
        #[arg(long)]
        name: String,
        /// A volume's id; several times
        #[arg(long = "source", value_name = "ID")]
        sources: Vec<String>,
        /// A parameter, as a VolumeGroupSnapshotClass has them
        #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = pair)]
        parameters: Vec<(String, String)>,
    },
    /// Delete a group with all its snapshots
    #[command(name = "delete-group-snapshot")]
    Delete(Group),
    /// Show a group as the backend has it
    #[command(name = "get-group-snapshot")]
    Get(Group),
}

/// An existing group.
#[derive(Debug, Args)]
pub(super) struct Group {
    /// The group's id
    id: String,
    /// The id of one of its snapshots; all of them have to be named
    #[arg(long = "snapshot", value_name = "ID")]
    snapshots: Vec<String>,
}

impl Group {
    fn names(self) -> (GroupSnapshotId, Vec<SnapshotId>) {
        let snapshots = self.snapshots.into_iter().map(SnapshotId).collect();
        (GroupSnapshotId(self.id), snapshots)
    }
}

impl Operation {
    pub(super) fn run(self, session: &Session) -> Result<Value, DriverError> {
        match self {
            Self::Create {
                name,
                sources,
                parameters: given,
            } => {
                let request = CreateGroupSnapshot {
                    name,
                    sources: sources.into_iter().map(VolumeId).collect(),
                    parameters: parameters(session, Scope::GroupSnapshot, given)?,
                };
                let group = session.create_group_snapshot(&request)?;
                Ok(answer::group_snapshot(&group))
            }
            Self::Delete(group) => {
                let (id, snapshots) = group.names();
                session.delete_group_snapshot(&id, &snapshots)?;
                Ok(answer::nothing())
            }
            Self::Get(group) => {
                let (id, snapshots) = group.names();
                let group = session.get_group_snapshot(&id, &snapshots)?;
                Ok(answer::group_snapshot(&group))
            }
        }
    }
}
