//! `controller`, `expansion`, `modification`: volumes come, change and go.

use clap::{Args, Subcommand};
use drivebay::config;
use drivebay::driver::{Scope, Session};
use drivebay::error::DriverError;
use drivebay::volume::{
    CapacityRange, CreateVolume, PageToken, SnapshotId, Topology, VolumeId, VolumeSource,
};
use serde_json::{Value, json};

use super::arguments::{Capability, Page, Volume, pair, parameters, place};
use super::caller::Caller;
use super::json as answer;

#[derive(Debug, Subcommand)]
pub(super) enum Operation {
    /// Create a volume, or find the one that an earlier try created
    CreateVolume(Create),
    /// Delete a volume
    DeleteVolume {
        /// The volume's id
        id: String,
    },
    /// Ask whether a volume can be used so
    ValidateVolume {
        #[command(flatten)]
        volume: Volume,
        #[command(flatten)]
        capability: Capability,
    },
    /// Show a volume as the backend has it
    GetVolume {
        /// The volume's id
        id: String,
    },
    /// Show a page of volumes
    ListVolumes(Page),
    /// Show what is wrong with a volume, as the backend knows it
    GetVolumeHealth {
        /// The volume's id
        id: String,
    },
    /// Show a page of the volumes with which something is wrong
    ListVolumeHealth(Page),
    /// Show the available capacity
    AvailableCapacity {
        /// A parameter of the volumes to be created
        #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = pair)]
        parameters: Vec<(String, String)>,
        /// The topology that is asked about
        #[arg(long, value_name = "KEY=VALUE,…", value_parser = place)]
        place: Option<Topology>,
    },
    /// Expand a volume at the backend
    ExpandVolume {
        #[command(flatten)]
        volume: Volume,
        /// At least: bytes, or a number with Ki, Mi, Gi, Ti
        #[arg(long, value_parser = config::size)]
        size: u64,
        /// At most
        #[arg(long, value_parser = config::size)]
        limit: Option<u64>,
    },
    /// Change what can change while a volume lives
    ModifyVolume {
        /// The volume's id
        id: String,
        /// What to change
        #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = pair, required = true)]
        parameters: Vec<(String, String)>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The name; a retry with the same one finds the same volume
    #[arg(long)]
    name: String,
    /// At least: bytes, or a number with Ki, Mi, Gi, Ti
    #[arg(long, value_parser = config::size)]
    size: Option<u64>,
    /// At most
    #[arg(long, value_parser = config::size)]
    limit: Option<u64>,
    /// A parameter, as a StorageClass has them
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    #[command(flatten)]
    capability: Capability,
    /// A place to choose from, the preferred first
    #[arg(long = "place", value_name = "KEY=VALUE,…", value_parser = place)]
    places: Vec<Topology>,
    /// Start with the content of a snapshot
    #[arg(long, value_name = "ID", conflicts_with = "from_volume")]
    from_snapshot: Option<String>,
    /// Start with the content of another volume
    #[arg(long, value_name = "ID")]
    from_volume: Option<String>,
}

impl Create {
    fn request(self, session: &Session) -> Result<CreateVolume, DriverError> {
        let snapshot = self
            .from_snapshot
            .map(|id| VolumeSource::Snapshot(SnapshotId(id)));
        let volume = self
            .from_volume
            .map(|id| VolumeSource::Volume(VolumeId(id)));
        Ok(CreateVolume {
            name: self.name,
            capacity: CapacityRange {
                required_bytes: self.size,
                limit_bytes: self.limit,
            },
            parameters: parameters(session, Scope::Creation, self.parameters)?,
            capabilities: vec![self.capability.capability()],
            source: snapshot.or(volume),
            places: self.places,
        })
    }
}

impl Operation {
    pub(super) fn run(self, session: &Session) -> Result<Value, DriverError> {
        match self {
            Self::CreateVolume(create) => Caller(session)
                .create_volume(&create.request(session)?)
                .map(|volume| answer::volume(&volume)),
            Self::DeleteVolume { id } => Caller(session)
                .delete_volume(&VolumeId(id))
                .map(|()| answer::nothing()),
            Self::ValidateVolume { volume, capability } => {
                let volume = volume.reference(session)?;
                session.validate_volume(&volume.id, &volume.context, &[capability.capability()])?;
                Ok(answer::nothing())
            }
            Self::GetVolume { id } => session
                .get_volume(&VolumeId(id))
                .map(|volume| answer::volume(&volume)),
            Self::ListVolumes(page) => session
                .list_volumes(page.max, page.token.map(PageToken).as_ref())
                .map(|page| answer::volumes(&page)),
            Self::GetVolumeHealth { id } => session
                .volume_health(&VolumeId(id))
                .map(|conditions| answer::conditions(&conditions)),
            Self::ListVolumeHealth(page) => session
                .list_volume_health(page.max, page.token.map(PageToken).as_ref())
                .map(|page| answer::unwell(&page)),
            Self::AvailableCapacity {
                parameters: given,
                place,
            } => session
                .available_capacity(
                    &parameters(session, Scope::Creation, given)?,
                    place.as_ref(),
                )
                .map(|bytes| json!({ "available-bytes": bytes })),
            Self::ExpandVolume {
                volume,
                size,
                limit,
            } => {
                let capacity = CapacityRange {
                    required_bytes: Some(size),
                    limit_bytes: limit,
                };
                Caller(session)
                    .expand_volume(&volume.reference(session)?, capacity)
                    .map(|bytes| json!({ "capacity-bytes": bytes }))
            }
            Self::ModifyVolume {
                id,
                parameters: given,
            } => session
                .modify_volume(
                    &VolumeId(id),
                    &parameters(session, Scope::Modification, given)?,
                )
                .map(|()| answer::nothing()),
        }
    }
}
