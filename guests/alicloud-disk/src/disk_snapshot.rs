//! Snapshots as ECS describes them.

use drivebay_guest::capacity::GIB;
use drivebay_guest::json::Json;
use drivebay_guest::moment;
use drivebay_guest::prelude::*;
use drivebay_guest::types::Snapshot as Info;

use crate::api_request::{Action, Call};
use crate::disk::has_tag;
use crate::ecs::{Api, Ecs};
use crate::id::{GroupId, SnapshotId};
use crate::tags;

/// Ids that ECS takes in one call, and entries that it gives at once.
const MOST_IDS: usize = 100;

/// A snapshot as ECS describes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot {
    pub(crate) id: SnapshotId<'static>,
    pub(crate) available: bool,
    pub(crate) gib: u64,
    pub(crate) source: &'static str,
    /// The group that it was cut with; it may be gone by now.
    pub(crate) group: Option<GroupId<'static>>,
    pub(crate) failed: bool,
    /// Empty until the content was cut.
    created: &'static str,
    tags: &'static Json,
}

impl Snapshot {
    fn read(json: &'static Json) -> Result<Self, Error> {
        let id = SnapshotId::made(json.text("SnapshotId"))?;
        Ok(Self {
            id,
            available: json.flag("Available") || json.text("Status") == "accomplished",
            gib: json.number("SourceDiskSize").unwrap_or_default(),
            source: json.text("SourceDiskId"),
            group: group_of(json.text("SnapshotName"))
                .or_else(|| group_of(json.text("Description"))),
            failed: json.text("Status") == "failed",
            created: json.text("CreationTime"),
            tags: json,
        })
    }

    /// Whether its moment is fixed: from then on the disk may change. That it can be used comes later.
    pub(crate) fn is_cut(&self) -> bool {
        moment::read(self.created).is_some()
    }

    pub(crate) fn info(&self) -> Info {
        Info {
            id: self.id.as_str().into(),
            source_volume_id: self.source.into(),
            size_bytes: self.gib.saturating_mul(GIB),
            created_at_seconds: moment::read(self.created).unwrap_or_default(),
            ready_to_use: self.available,
            group_id: self.group.map(|group| group.as_str().into()),
        }
    }
}

/// ECS tells of a snapshot's group in no field of its own, but names the snapshots that it cuts for one so.
fn group_of(text: &'static str) -> Option<GroupId<'static>> {
    text.strip_prefix("Created_from_")
        .and_then(|id| GroupId::parse(id.trim_ascii()))
}

impl Ecs<'_> {
    /// One snapshot; `None` where there is none.
    pub(crate) fn snapshot(&self, id: SnapshotId<'_>) -> Result<Option<Snapshot>, Error> {
        let found = self.snapshots(&[id.as_str()])?;
        Ok(found.into_iter().find(|snapshot| snapshot.id == id))
    }

    /// Those of the ids that there are: of others ECS says nothing.
    pub(crate) fn snapshots(&self, ids: &[&str]) -> Result<Vec<Snapshot>, Error> {
        let mut snapshots = Vec::new();
        for ids in ids.chunks(MOST_IDS) {
            let subject = format!("snapshot {}", ids.join(", "));
            let call = Call::new(Action::DescribeSnapshots, subject)
                .with_ids("SnapshotIds", ids)
                .with_number("MaxResults", MOST_IDS as u64);
            snapshots.extend(read_list(self.call_in_region(call)?)?);
        }
        Ok(snapshots)
    }

    /// As [`Ecs::snapshot`], where it has to be there.
    pub(crate) fn existing_snapshot(&self, id: SnapshotId<'_>) -> Result<Snapshot, Error> {
        let missing = || error!(NotFound: "snapshot {id} does not exist");
        self.snapshot(id)?.ok_or_else(missing)
    }

    pub(crate) fn snapshot_named(&self, name: &str) -> Result<Option<Snapshot>, Error> {
        let tag = (String::from(tags::SNAPSHOT_NAME), String::from(name));
        let call = Call::new(
            Action::DescribeSnapshots,
            format!("the snapshot for {name}"),
        );
        let json = self.call_in_region(call.with_tags(std::slice::from_ref(&tag)))?;
        let snapshots = read_list(json)?;
        let named = snapshots.iter().filter(|snapshot| {
            has_tag(snapshot.tags, tags::SNAPSHOT_NAME, Some(name)) && !snapshot.failed
        });
        // There should be one at most. The least id, so that everybody takes the same.
        Ok(named.min_by_key(|snapshot| snapshot.id.as_str()).copied())
    }
}

/// Every snapshot of an answer.
pub(crate) fn read_list(json: &'static Json) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots = Vec::new();
    for one in json.list("Snapshots", "Snapshot") {
        snapshots.push(Snapshot::read(one)?);
    }
    Ok(snapshots)
}

/// The call that deletes a snapshot, unless something was made from it.
pub(crate) fn deletion(id: SnapshotId<'_>) -> Call {
    Call::new(Action::DeleteSnapshot, format!("snapshot {id}")).with("SnapshotId", id.as_str())
}

/// Delete something, which may be gone already.
pub(crate) fn remove(ecs: Ecs<'_>, call: &Call) -> Result<(), Error> {
    let mut waiting = ecs.waiting();
    loop {
        match ecs.call(call) {
            Ok(_) => return Ok(()),
            Err(failure) if failure.is_not_found() => return Ok(()),
            Err(failure) if failure.is_busy() => waiting.pause(failure)?,
            Err(failure) => return Err(failure.into()),
        }
    }
}
