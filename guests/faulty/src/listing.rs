//! Which volumes and snapshots there are, and what room.

use drivebay_guest::exports::snapshot_listing::{self, Filter, SnapshotPage};
use drivebay_guest::exports::volume_listing::VolumePage;
use drivebay_guest::exports::{capacity, volume_listing};
use drivebay_guest::page::cut;
use drivebay_guest::prelude::*;

use crate::controller::info;
use crate::records::{Cut, Made};
use crate::snapshots::snapshot;
use crate::{Faulty, breaks, pool};

impl volume_listing::Guest for Faulty {
    fn list_volumes(max_entries: u32, token: Option<String>) -> Result<VolumePage, Error> {
        let pool = pool()?;
        let names = pool.with::<Made>()?;
        let (names, mut next_token) = match cut(names.clone(), token.as_deref(), max_entries) {
            Err(_) if breaks("wrong-tokens-are-told") => cut(names, None, max_entries)?,
            page => page?,
        };
        if breaks("lists-are-whole") {
            next_token = None;
        }
        let mut volumes = Vec::new();
        for name in names {
            if let Some(made) = pool.record(&name)? {
                volumes.push(info(format!("v-{name}"), made));
            }
        }
        Ok(VolumePage {
            volumes,
            next_token,
        })
    }
}

impl snapshot_listing::Guest for Faulty {
    fn list_snapshots(
        filter: Filter,
        max_entries: u32,
        token: Option<String>,
    ) -> Result<SnapshotPage, Error> {
        let pool = pool()?;
        let mut wanted = Vec::new();
        for id in pool.with::<Cut>()? {
            let Some(made) = pool.record::<Cut>(&id)? else {
                continue;
            };
            let is_it = filter.snapshot_id.as_ref().is_none_or(|it| *it == id);
            let is_of_it = filter
                .source_volume_id
                .as_ref()
                .is_none_or(|it| *it == made.source)
                || breaks("snapshot-lists-are-whole");
            if is_it && is_of_it {
                wanted.push(id);
            }
        }
        let (ids, next_token) = cut(wanted, token.as_deref(), max_entries)?;
        let mut snapshots = Vec::new();
        for id in ids {
            if let Some(made) = pool.record(&id)? {
                snapshots.push(snapshot(id, made));
            }
        }
        Ok(SnapshotPage {
            snapshots,
            next_token,
        })
    }
}

impl capacity::Guest for Faulty {
    fn available_capacity(_parameters: Parameters, _place: Option<Topology>) -> Result<u64, Error> {
        ensure!(!breaks("exports-work"), Unsupported: "nobody knows what room there is");
        Ok(pool()?.directory.statfs()?.available_bytes)
    }
}
