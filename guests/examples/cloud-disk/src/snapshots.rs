//! Snapshots of disks.

use drivebay_guest::capacity::GIB;
use drivebay_guest::exports::snapshot_listing::{self, Filter, SnapshotPage};
use drivebay_guest::exports::snapshots::{self, CreateRequest};
use drivebay_guest::prelude::*;
use serde_json::json;

use crate::api::{self, Page, path_of};
use crate::{CloudDisk, cloud};

impl snapshots::Guest for CloudDisk {
    fn create_snapshot(request: CreateRequest) -> Result<Snapshot, Error> {
        let (name, disk) = (&request.name, &request.source_volume_id);
        let what = format!("cutting a snapshot of disk {disk} for {name}");
        // As with disks, the name is the token; the API answers `different` for that of another disk.
        let body = json!({ "token": name, "disk": disk });
        cloud::call(&what, api::request("POST", "/snapshots", body)).map(snapshot)
    }

    fn delete_snapshot(id: String) -> Result<(), Error> {
        cloud::delete(&format!("snapshot {id}"), &path_of("snapshots", &id))
    }

    fn get_snapshot(id: String) -> Result<Snapshot, Error> {
        cloud::read(&format!("snapshot {id}"), &path_of("snapshots", &id)).map(snapshot)
    }
}

impl snapshot_listing::Guest for CloudDisk {
    fn list_snapshots(
        filter: Filter,
        max_entries: u32,
        starting_token: Option<String>,
    ) -> Result<SnapshotPage, Error> {
        let limit = (max_entries > 0).then(|| max_entries.to_string());
        let filters = [
            ("id", filter.snapshot_id),
            ("disk", filter.source_volume_id),
            ("limit", limit),
            ("after", starting_token),
        ];
        let page: Page<api::Snapshot> =
            cloud::call("listing snapshots", api::list("/snapshots", &filters))?;
        Ok(SnapshotPage {
            snapshots: page.items.into_iter().map(snapshot).collect(),
            next_token: page.next,
        })
    }
}

fn snapshot(snapshot: api::Snapshot) -> Snapshot {
    Snapshot {
        size_bytes: snapshot.gigabytes * GIB,
        id: snapshot.id,
        source_volume_id: snapshot.disk,
        created_at_seconds: snapshot.created_at,
        ready_to_use: snapshot.ready,
        group_id: None,
    }
}
