//! Disks come, go, grow, change and are attached: all that the API does with a disk.

use drivebay_guest::capacity::GIB;
use drivebay_guest::exports::volume_listing::{self, VolumePage};
use drivebay_guest::exports::{attachment, controller, expansion, modification};
use drivebay_guest::prelude::*;
use drivebay_guest::volume::refuse_several_nodes;
use serde_json::{Value, json};

use crate::api::{self, Disk, Page, path_of};
use crate::{CloudDisk, DEFAULT_TYPE, SERIAL, TYPE, ZONE, cloud};

impl controller::Guest for CloudDisk {
    fn create_volume(request: CreateRequest) -> Result<VolumeInfo, Error> {
        refuse_several_nodes(&request.capabilities)?;
        let snapshot = request.source_snapshot_id.as_deref();
        let gigabytes = api::gigabytes(&request.capacity)?;
        let kind = Params(&request.parameters)
            .get(TYPE)
            .unwrap_or(DEFAULT_TYPE);
        let zone = request
            .accessibility_requirements
            .first()
            .and_then(|place| Params(place).get(ZONE));
        // The name is the token: a retry gets the disk that the first try made.
        let wanted = json!({
            "token": request.name, "gigabytes": gigabytes, "type": kind, "zone": zone, "snapshot": snapshot,
        });
        let what = format!("making a disk for {}", request.name);
        let disk: Disk = cloud::call(&what, api::request("POST", "/disks", wanted))?;
        if disk.gigabytes != gigabytes
            || disk.r#type != kind
            || disk.snapshot.as_deref() != snapshot
        {
            bail!(AlreadyExists: "disk {} was made for {} with other properties", disk.id, request.name);
        }
        if disk.state == "creating" {
            bail!(InProgress: "disk {} is being made", disk.id);
        }
        Ok(info(disk))
    }

    fn delete_volume(id: String) -> Result<(), Error> {
        cloud::delete(&format!("disk {id}"), &path_of("disks", &id))
    }

    fn validate_volume(volume: Volume, capabilities: Vec<VolumeCapability>) -> Result<(), Error> {
        disk(&volume.id)?;
        refuse_several_nodes(&capabilities)
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        disk(&id).map(info)
    }
}

impl volume_listing::Guest for CloudDisk {
    fn list_volumes(max_entries: u32, starting_token: Option<String>) -> Result<VolumePage, Error> {
        let limit = (max_entries > 0).then(|| max_entries.to_string());
        let call = api::list("/disks", &[("limit", limit), ("after", starting_token)]);
        let page: Page<Disk> = cloud::call("listing disks", call)?;
        Ok(VolumePage {
            volumes: page.items.into_iter().map(info).collect(),
            next_token: page.next,
        })
    }
}

impl attachment::Guest for CloudDisk {
    fn attach_volume(volume: Volume, node_id: String, access: Access) -> Result<Parameters, Error> {
        let path = format!("{}/attachment", path_of("disks", &volume.id));
        let wanted = json!({ "node": node_id, "read_only": access == Access::ReadOnly });
        let what = format!("attaching disk {} to node {node_id}", volume.id);
        // The API answers `in-use`, and names the node, where the disk is attached to another.
        let disk: Disk = cloud::call(&what, api::request("POST", &path, wanted))?;
        if disk.state != "attached" {
            bail!(InProgress: "{what}: it is {}", disk.state);
        }
        Ok(vec![(SERIAL.into(), disk.serial)])
    }

    fn detach_volume(volume: Volume, node_id: String) -> Result<(), Error> {
        // CSI leaves the node out to mean whichever it is.
        if !node_id.is_empty() && !Self::is_attached(volume.clone(), node_id)? {
            return Ok(());
        }
        let path = format!("{}/attachment", path_of("disks", &volume.id));
        // Until the disk is free the API answers `busy`, which has the caller ask again.
        cloud::delete(&format!("the attachment of disk {}", volume.id), &path)
    }

    fn is_attached(volume: Volume, node_id: String) -> Result<bool, Error> {
        match disk(&volume.id) {
            Ok(disk) => Ok(disk.node == Some(node_id)),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl expansion::Guest for CloudDisk {
    fn expand_volume(volume: Volume, capacity: CapacityRange) -> Result<u64, Error> {
        let gigabytes = api::gigabytes(&capacity)?;
        let now = disk(&volume.id)?;
        if now.gigabytes >= gigabytes {
            return Ok(now.gigabytes * GIB);
        }
        change(&volume.id, json!({ "gigabytes": gigabytes })).map(|disk| disk.gigabytes * GIB)
    }
}

impl modification::Guest for CloudDisk {
    fn modify_volume(id: String, parameters: Parameters) -> Result<(), Error> {
        match Params(&parameters).get(TYPE) {
            Some(kind) => change(&id, json!({ "type": kind })).map(drop),
            None => Ok(()),
        }
    }
}

fn disk(id: &str) -> Result<Disk, Error> {
    cloud::read(&format!("disk {id}"), &path_of("disks", id))
}

fn change(id: &str, properties: Value) -> Result<Disk, Error> {
    let call = api::request("PATCH", &path_of("disks", id), properties);
    cloud::call(&format!("changing disk {id}"), call)
}

fn info(disk: Disk) -> VolumeInfo {
    VolumeInfo {
        capacity_bytes: disk.gigabytes * GIB,
        id: disk.id,
        source: disk.snapshot.map(VolumeSource::Snapshot),
        accessible_topology: vec![vec![(ZONE.into(), disk.zone)]],
        published_node_ids: disk.node.into_iter().collect(),
        ..VolumeInfo::default()
    }
}
