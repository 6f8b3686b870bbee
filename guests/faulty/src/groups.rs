//! Snapshots that are cut together, of which only the names are kept.

use drivebay_guest::exports::group_snapshots::{CreateRequest, GroupSnapshot, Guest};
use drivebay_guest::name::readable;
use drivebay_guest::pool::Pool;
use drivebay_guest::prelude::{Error, bail, ensure};
use drivebay_guest::signing;

use crate::records::{Cut, CutTogether};
use crate::snapshots::snapshot;
use crate::{Faulty, breaks, existing, pool};

impl Guest for Faulty {
    fn create_group_snapshot(request: CreateRequest) -> Result<GroupSnapshot, Error> {
        let pool = pool()?;
        for source in &request.source_volume_ids {
            existing(&pool, source)?;
        }
        let id = format!("g-{}", readable(&request.name));
        let wanted = CutTogether {
            name: request.name,
            sources: request.source_volume_ids.join("\n"),
            at_seconds: signing::now_seconds(),
        };
        let mut cut = pool.add(&id, wanted.clone())?;
        if breaks("groups-conflict") {
            cut.sources = wanted.sources;
        } else {
            let is_same = cut.sources == wanted.sources;
            ensure!(is_same, AlreadyExists: "group {} is of volumes {}", cut.name, cut.sources);
        }
        for (source, member) in members(&id, &cut) {
            let record = Cut {
                name: member.clone(),
                source,
                at_seconds: cut.at_seconds,
                group: Some(id.clone()),
            };
            pool.add(&member, record)?;
        }
        group(&pool, &id, &cut)
    }

    fn delete_group_snapshot(id: String, _snapshot_ids: Vec<String>) -> Result<(), Error> {
        let pool = pool()?;
        let Some(cut) = record(&pool, &id)? else {
            return Ok(());
        };
        if !breaks("group-delete-repeats") {
            for (_source, member) in members(&id, &cut) {
                pool.remove::<Cut>(&member)?;
            }
        }
        pool.remove::<CutTogether>(&id)
    }

    fn get_group_snapshot(id: String, _snapshot_ids: Vec<String>) -> Result<GroupSnapshot, Error> {
        let pool = pool()?;
        let Some(cut) = record(&pool, &id)? else {
            bail!(NotFound: "no group {id}");
        };
        let mut found = group(&pool, &id, &cut)?;
        if breaks("groups-repeat") {
            found.created_at_seconds += 1;
        }
        Ok(found)
    }
}

fn record(pool: &Pool, id: &str) -> Result<Option<CutTogether>, Error> {
    match id.starts_with("g-") && !id.contains('/') {
        true => pool.record(id),
        false => Ok(None),
    }
}

/// A snapshot of each volume, by what it is called.
fn members(id: &str, cut: &CutTogether) -> Vec<(String, String)> {
    let sources = cut.sources.split('\n').enumerate();
    sources
        .map(|(number, source)| (source.to_owned(), format!("s-{id}-{number}")))
        .collect()
}

fn group(pool: &Pool, id: &str, cut: &CutTogether) -> Result<GroupSnapshot, Error> {
    let mut snapshots = Vec::new();
    for (_source, member) in members(id, cut) {
        if let Some(record) = pool.record(&member)? {
            snapshots.push(snapshot(member, record));
        }
    }
    Ok(GroupSnapshot {
        id: id.to_owned(),
        snapshots,
        created_at_seconds: cut.at_seconds,
    })
}
