//! Snapshots, of which only the names are kept.

use drivebay_guest::exports::snapshots::{CreateRequest, Guest};
use drivebay_guest::name::readable;
use drivebay_guest::prelude::{Error, Snapshot, bail, ensure};
use drivebay_guest::signing;

use crate::records::Cut;
use crate::{Faulty, breaks, existing, pool};

impl Guest for Faulty {
    fn create_snapshot(request: CreateRequest) -> Result<Snapshot, Error> {
        let pool = pool()?;
        let (name, source) = (request.name, request.source_volume_id);
        existing(&pool, &source)?;
        let id = format!("s-{}", readable(&name));
        let wanted = Cut {
            name,
            source,
            at_seconds: signing::now_seconds(),
            group: None,
        };
        let cut = pool.add(&id, wanted.clone())?;
        let is_same = cut.source == wanted.source || breaks("snapshot-conflicts");
        ensure!(is_same, AlreadyExists: "snapshot {} is of volume {}", cut.name, cut.source);
        Ok(snapshot(id, cut))
    }

    fn delete_snapshot(id: String) -> Result<(), Error> {
        let pool = pool()?;
        let is_there = is_ours(&id) && pool.record::<Cut>(&id)?.is_some();
        match is_there {
            true => pool.remove::<Cut>(&id),
            false if breaks("snapshot-delete-repeats") => bail!(NotFound: "no snapshot {id}"),
            false => Ok(()),
        }
    }

    fn get_snapshot(id: String) -> Result<Snapshot, Error> {
        ensure!(is_ours(&id), NotFound: "no snapshot {id}");
        let Some(mut cut) = pool()?.record::<Cut>(&id)? else {
            bail!(NotFound: "no snapshot {id}");
        };
        if breaks("snapshot-repeats") {
            cut.at_seconds += 1;
        }
        Ok(snapshot(id, cut))
    }
}

fn is_ours(id: &str) -> bool {
    id.starts_with("s-") && !id.contains('/')
}

pub(crate) fn snapshot(id: String, cut: Cut) -> Snapshot {
    Snapshot {
        id,
        source_volume_id: cut.source,
        size_bytes: 0,
        created_at_seconds: cut.at_seconds,
        ready_to_use: true,
        group_id: cut.group,
    }
}
