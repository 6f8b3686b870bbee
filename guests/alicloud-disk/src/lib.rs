//! Alibaba Cloud ECS disks as volumes.
//!
//! ```text
//! create adopt delete attach expand modify tagging snapshot group list health
//!                                                         what is done with disks, each a story of its own
//! instance disk_quantity stage                            what is done on nodes
//! volume_spec parameter_names category size zone tags     what is asked for; pure
//! disk disk_snapshot id                                   what ECS has
//! ecs cloud api_request error_codes signature             how ECS is asked, and what its answers mean
//! ```
//!
//! Everything but `cloud` and `stage` runs natively against `fake`, a small ECS with faults. No key and no
//! address ever passes through here: the host signs, resolves and connects. What other backends need too is the SDK's.

mod adopt;
mod api_request;
mod attach;
mod category;
mod cloud;
mod create;
mod delete;
mod disk;
mod disk_quantity;
mod disk_snapshot;
mod ecs;
mod error_codes;
mod expand;
#[cfg(test)]
mod fake;
mod group;
mod health;
mod id;
mod instance;
mod list;
#[cfg(target_arch = "wasm32")]
mod memory;
mod modify;
mod parameter_names;
mod signature;
mod size;
mod snapshot;
mod stage;
mod tagging;
mod tags;
mod volume_spec;
mod zone;

use cloud::HostCloud;
use drivebay_guest::exports::attach_limit::{self, TypeLimit};
use drivebay_guest::exports::group_snapshots::{self, GroupSnapshot};
use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::exports::snapshot_listing::{self, Filter, SnapshotPage};
use drivebay_guest::exports::volume_health_listing::{self, VolumeHealthPage};
use drivebay_guest::exports::volume_listing::{self, VolumePage};
use drivebay_guest::exports::{
    accessibility, attachment, controller, expansion, modification, snapshots, volume_health,
};
use drivebay_guest::mounts::Target;
use drivebay_guest::prelude::*;
use ecs::Ecs;

/// The guest.
#[derive(Debug)]
pub struct AlicloudDisk;

drivebay_guest::export!(
    AlicloudDisk: identity, controller, volume_listing, volume_health, volume_health_listing, attachment, snapshots,
    snapshot_listing, group_snapshots, expansion, modification, node, attach_limit, accessibility
);

const ECS: Ecs<'static> = Ecs { cloud: &HostCloud };

// What the exports below call is never inlined into them: the compiler would copy the code that hands out an
// error for every place one comes from, which is a tenth of this guest.

impl identity::Guest for AlicloudDisk {
    fn describe() -> Description {
        let parameters = parameter_names::described();
        drivebay_guest::description!(
            "makes, attaches and mounts disks of Alibaba Cloud ECS",
            parameters
        )
    }
}

impl controller::Guest for AlicloudDisk {
    fn create_volume(request: CreateRequest) -> Result<VolumeInfo, Error> {
        create::create_volume(ECS, &request)
    }

    fn delete_volume(id: String) -> Result<(), Error> {
        delete::delete_volume(ECS, &id)
    }

    fn validate_volume(volume: Volume, capabilities: Vec<VolumeCapability>) -> Result<(), Error> {
        list::validate_volume(ECS, &volume, &capabilities)
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        list::get_volume(ECS, &id)
    }
}

impl volume_listing::Guest for AlicloudDisk {
    fn list_volumes(max_entries: u32, starting_token: Option<String>) -> Result<VolumePage, Error> {
        list::list_volumes(ECS, max_entries, starting_token.as_deref())
    }
}

impl volume_health::Guest for AlicloudDisk {
    fn get_volume_health(id: String) -> Result<Vec<HealthCondition>, Error> {
        health::get_volume_health(ECS, &id)
    }
}

impl volume_health_listing::Guest for AlicloudDisk {
    fn list_volume_health(
        max_entries: u32,
        starting_token: Option<String>,
    ) -> Result<VolumeHealthPage, Error> {
        health::list_volume_health(ECS, max_entries, starting_token.as_deref())
    }
}

impl attachment::Guest for AlicloudDisk {
    /// Read-only is the mount's: ECS attaches a disk in one way only.
    fn attach_volume(
        volume: Volume,
        node_id: String,
        _access: Access,
    ) -> Result<Parameters, Error> {
        attach::attach_volume(ECS, &volume, &node_id)
    }

    fn detach_volume(volume: Volume, node_id: String) -> Result<(), Error> {
        attach::detach_volume(ECS, &volume, &node_id)
    }

    fn is_attached(volume: Volume, node_id: String) -> Result<bool, Error> {
        attach::is_attached(ECS, &volume, &node_id)
    }
}

impl snapshots::Guest for AlicloudDisk {
    fn create_snapshot(request: snapshots::CreateRequest) -> Result<Snapshot, Error> {
        snapshot::create_snapshot(ECS, &request)
    }

    fn delete_snapshot(id: String) -> Result<(), Error> {
        snapshot::delete_snapshot(ECS, &id)
    }

    fn get_snapshot(id: String) -> Result<Snapshot, Error> {
        snapshot::get_snapshot(ECS, &id)
    }
}

impl snapshot_listing::Guest for AlicloudDisk {
    fn list_snapshots(
        filter: Filter,
        max_entries: u32,
        starting_token: Option<String>,
    ) -> Result<SnapshotPage, Error> {
        snapshot::list_snapshots(ECS, &filter, max_entries, starting_token.as_deref())
    }
}

impl group_snapshots::Guest for AlicloudDisk {
    fn create_group_snapshot(
        request: group_snapshots::CreateRequest,
    ) -> Result<GroupSnapshot, Error> {
        group::create_group_snapshot(ECS, &request)
    }

    fn delete_group_snapshot(id: String, snapshot_ids: Vec<String>) -> Result<(), Error> {
        group::delete_group_snapshot(ECS, &id, &snapshot_ids)
    }

    fn get_group_snapshot(id: String, snapshot_ids: Vec<String>) -> Result<GroupSnapshot, Error> {
        group::get_group_snapshot(ECS, &id, &snapshot_ids)
    }
}

impl expansion::Guest for AlicloudDisk {
    fn expand_volume(volume: Volume, capacity: CapacityRange) -> Result<u64, Error> {
        expand::expand_volume(ECS, &volume, &capacity)
    }
}

impl modification::Guest for AlicloudDisk {
    fn modify_volume(id: String, parameters: Parameters) -> Result<(), Error> {
        modify::modify_volume(ECS, &id, &parameters)
    }
}

impl attach_limit::Guest for AlicloudDisk {
    fn get_instance_type() -> Result<String, Error> {
        disk_quantity::instance_type(ECS)
    }

    fn get_limit() -> Result<u32, Error> {
        disk_quantity::of_this_instance(ECS)
    }

    fn list_limits() -> Result<Vec<TypeLimit>, Error> {
        disk_quantity::of_all_types(ECS)
    }
}

impl node::Guest for AlicloudDisk {
    fn get_info() -> Result<NodeInfo, Error> {
        instance::node_info(ECS.cloud)
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        stage::stage_volume(&request, target)
    }

    fn get_health(volume: Volume) -> Result<Health, Error> {
        stage::get_health(&volume)
    }
}

impl accessibility::Guest for AlicloudDisk {
    fn get_topology() -> Result<Topology, Error> {
        instance::place(ECS)
    }
}
