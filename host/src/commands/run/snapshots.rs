//! `snapshots`: the content of a volume at one moment.

use clap::Subcommand;
use drivebay::driver::{Scope, Session};
use drivebay::error::DriverError;
use drivebay::volume::{CreateSnapshot, PageToken, SnapshotFilter, SnapshotId, VolumeId};
use serde_json::Value;

use super::arguments::{Page, pair, parameters};
use super::json as answer;

#[derive(Debug, Subcommand)]
pub(super) enum Operation {
    /// Create a snapshot, or find the one that an earlier try created
    CreateSnapshot {
        /// The name; a retry with the same one finds the same snapshot
        #[arg(long)]
        name: String,
        /// The volume's id
        #[arg(long, value_name = "ID")]
        source: String,
        /// A parameter, as a VolumeSnapshotClass has them
        #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = pair)]
        parameters: Vec<(String, String)>,
    },
    /// Delete a snapshot
    DeleteSnapshot {
        /// The snapshot's id
        id: String,
    },
    /// Show a snapshot as the backend has it
    GetSnapshot {
        /// The snapshot's id
        id: String,
    },
    /// Show a page of snapshots
    ListSnapshots {
        /// That one alone
        #[arg(long, value_name = "ID")]
        snapshot: Option<String>,
        /// Those of that volume
        #[arg(long, value_name = "ID")]
        source: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

impl Operation {
    pub(super) fn run(self, session: &Session) -> Result<Value, DriverError> {
        match self {
            Self::CreateSnapshot {
                name,
                source,
                parameters: given,
            } => {
                let request = CreateSnapshot {
                    name,
                    source: VolumeId(source),
                    parameters: parameters(session, Scope::Snapshot, given)?,
                };
                let snapshot = session.create_snapshot(&request)?;
                Ok(answer::snapshot(&snapshot))
            }
            Self::DeleteSnapshot { id } => session
                .delete_snapshot(&SnapshotId(id))
                .map(|()| answer::nothing()),
            Self::GetSnapshot { id } => session
                .get_snapshot(&SnapshotId(id))
                .map(|snapshot| answer::snapshot(&snapshot)),
            Self::ListSnapshots {
                snapshot,
                source,
                page,
            } => {
                let filter = SnapshotFilter {
                    snapshot: snapshot.map(SnapshotId),
                    source: source.map(VolumeId),
                };
                let from = page.token.map(PageToken);
                let page = session.list_snapshots(&filter, page.max, from.as_ref())?;
                Ok(answer::snapshots(&page))
            }
        }
    }
}
