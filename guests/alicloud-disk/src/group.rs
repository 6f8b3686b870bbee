//! Snapshots that are cut together: what several disks hold at one moment of the writes to all of them.
//!
//! ECS calls them snapshot-consistent groups. It cuts all or says that it failed; what it cut before that is
//! removed here, so that nothing stays that nobody knows of.

use drivebay_guest::create_once::{self, Progress, Resource};
use drivebay_guest::exports::group_snapshots::{CreateRequest, GroupSnapshot};
use drivebay_guest::json::Json;
use drivebay_guest::moment;
use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::disk::has_tag;
use crate::disk_snapshot::{self, Snapshot};
use crate::ecs::Ecs;
use crate::id::{DiskId, GroupId, SnapshotId};
use crate::parameter_names;
use crate::tags;

/// A group as ECS describes it.
#[derive(Debug, Clone, Copy)]
struct Group {
    id: GroupId<'static>,
    status: Status,
    created: &'static str,
    json: &'static Json,
}

/// How far ECS is with a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// It may show a part of its snapshots only.
    Progressing,
    Accomplished,
    Failed,
}

impl Group {
    fn read(json: &'static Json) -> Result<Self, Error> {
        Ok(Self {
            id: GroupId::made(json.text("SnapshotGroupId"))?,
            status: match json.text("Status") {
                "accomplished" => Status::Accomplished,
                "failed" => Status::Failed,
                _ => Status::Progressing,
            },
            created: json.text("CreationTime"),
            json,
        })
    }

    /// Ids of its snapshots. What else ECS says of them here lacks their sizes and moments.
    fn members(&self) -> Vec<&'static str> {
        let snapshots = self.json.list("Snapshots", "Snapshot").iter();
        snapshots
            .map(|snapshot| snapshot.text("SnapshotId"))
            .collect()
    }

    fn info(&self, snapshots: &[Snapshot]) -> GroupSnapshot {
        GroupSnapshot {
            id: self.id.as_str().into(),
            snapshots: snapshots.iter().map(Snapshot::info).collect(),
            created_at_seconds: moment::read(self.created).unwrap_or_default(),
        }
    }
}

fn call(action: Action, id: GroupId<'_>) -> Call {
    let subject = format!("group snapshot {id}");
    Call::new(action, subject).with("SnapshotGroupId", id.as_str())
}

impl Ecs<'_> {
    /// One group; `None` where there is none, which ECS answers by an empty list.
    fn group(&self, id: GroupId<'_>) -> Result<Option<Group>, Error> {
        let call = Call::new(
            Action::DescribeSnapshotGroups,
            format!("group snapshot {id}"),
        );
        let json = self.call_in_region(call.with_numbered("SnapshotGroupId", &[id.as_str()]))?;
        Ok(read_list(json)?.into_iter().find(|group| group.id == id))
    }

    fn group_named(&self, name: &str) -> Result<Option<Group>, Error> {
        let tag = (String::from(tags::GROUP_SNAPSHOT_NAME), String::from(name));
        let call = Call::new(
            Action::DescribeSnapshotGroups,
            format!("the group snapshot for {name}"),
        );
        let json = self.call_in_region(call.with_tags(std::slice::from_ref(&tag)))?;
        let groups = read_list(json)?;
        let named = groups
            .iter()
            .filter(|group| has_tag(group.json, tags::GROUP_SNAPSHOT_NAME, Some(name)));
        // One that failed comes first, to be removed. There should be one other at most; the least id, so that
        // everybody takes the same.
        let order = |group: &&Group| (group.status != Status::Failed, group.id.as_str());
        Ok(named.min_by_key(order).copied())
    }

    fn delete_group(&self, id: GroupId<'_>) -> Result<(), Error> {
        let region = self.cloud.region()?;
        let call = call(Action::DeleteSnapshotGroup, id).with("RegionId", &region);
        disk_snapshot::remove(*self, &call)
    }
}

fn read_list(json: &'static Json) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::new();
    for one in json.list("SnapshotGroups", "SnapshotGroup") {
        groups.push(Group::read(one)?);
    }
    Ok(groups)
}

/// Cut a snapshot of each disk, or find those an earlier try cut.
#[inline(never)]
pub(crate) fn create_group_snapshot(
    ecs: Ecs<'_>,
    request: &CreateRequest,
) -> Result<GroupSnapshot, Error> {
    let call = create_call(ecs, request)?;
    let mut creation = Creation {
        ecs,
        request,
        group: None,
    };
    if !create_once::find(&ecs, &request.name, &mut creation)? {
        let seed = format!("group snapshot\n{}\n", request.name);
        create_once::make(&ecs, &call, "SnapshotGroupId", &seed, &mut creation)?;
    }
    let unseen = || error!(Internal: "no group snapshot was seen for {}", request.name);
    creation.group.ok_or_else(unseen)
}

fn create_call(ecs: Ecs<'_>, request: &CreateRequest) -> Result<Call, Error> {
    let params = Params(&request.parameters);
    let mut ids = Vec::new();
    for id in &request.source_volume_ids {
        ids.push(DiskId::asked(id)?.as_str());
    }
    let tags = tags::of_group(&request.name, &params)?;
    let subject = format!("disks {} for {}", ids.join(", "), request.name);
    Ok(Call::new(Action::CreateSnapshotGroup, subject)
        .with("RegionId", &ecs.cloud.region()?)
        .with_numbered("DiskId", &ids)
        .with_some("Name", crate::create::disk_name(&request.name))
        .with_some(
            "ResourceGroupId",
            params.get(parameter_names::RESOURCE_GROUP_ID),
        )
        .with_tags(&tags))
}

/// One create request on its way.
struct Creation<'a> {
    ecs: Ecs<'a>,
    request: &'a CreateRequest,
    group: Option<GroupSnapshot>,
}

impl Resource for Creation<'_> {
    fn find(&mut self) -> Result<Progress, Error> {
        let group = self.ecs.group_named(&self.request.name)?;
        group.map_or(Ok(Progress::Missing), |group| self.see(&group))
    }

    fn poll(&mut self, id: &'static str) -> Result<Progress, Error> {
        let group = self.ecs.group(GroupId::made(id)?)?;
        group.map_or(Ok(Progress::Missing), |group| self.see(&group))
    }
}

impl Creation<'_> {
    /// Ready as soon as there is a snapshot of each disk and their moment is fixed. That they can be used comes
    /// later.
    fn see(&mut self, group: &Group) -> Result<Progress, Error> {
        if group.status == Status::Failed {
            self.ecs.delete_group(group.id)?;
            bail!(Unavailable: "ECS could not cut group snapshot {} for {}; what it had cut was deleted: ask again",
                group.id, self.request.name);
        }
        let sources = &self.request.source_volume_ids;
        let snapshots = self.ecs.snapshots(&group.members())?;
        let is_wanted = |snapshot: &Snapshot| sources.iter().any(|id| id == snapshot.source);
        let is_complete = snapshots.len() == sources.len();
        // While it is on its way, what it lacks may still come.
        let is_lacking =
            group.status == Status::Accomplished && group.members().len() != sources.len();
        if is_lacking || !snapshots.iter().all(is_wanted) {
            bail!(AlreadyExists: "group snapshot {} was made for {} of other disks, {}", group.id, self.request.name,
                names(snapshots.iter().map(|snapshot| snapshot.source)));
        }
        let is_cut =
            moment::read(group.created).is_some() && snapshots.iter().all(Snapshot::is_cut);
        if !(is_complete && is_cut) {
            return Ok(Progress::Pending);
        }
        self.group = Some(group.info(&snapshots));
        Ok(Progress::Ready)
    }
}

fn names<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let ids: Vec<&str> = ids.collect();
    ids.join(", ")
}

/// Delete a group with all its snapshots.
#[inline(never)]
pub(crate) fn delete_group_snapshot(
    ecs: Ecs<'_>,
    id: &str,
    snapshot_ids: &[String],
) -> Result<(), Error> {
    let Some(id) = GroupId::parse(id) else {
        // No group has such a name, and what does not exist is deleted.
        return Ok(());
    };
    if let Some(group) = ecs.group(id)? {
        listed(ecs, &group, snapshot_ids)?;
    }
    // Also where it is not to be seen: a new group is described late, and would stay for ever.
    ecs.delete_group(id)?;
    // ECS keeps a snapshot that an image was made from, says so in its answer alone, and forgets the group.
    let ids: Vec<&str> = plain(snapshot_ids).collect();
    let left = ecs.snapshots(&ids)?;
    for snapshot in left.iter().filter(|snapshot| snapshot.group == Some(id)) {
        disk_snapshot::remove(ecs, &disk_snapshot::deletion(snapshot.id))?;
    }
    Ok(())
}

#[inline(never)]
pub(crate) fn get_group_snapshot(
    ecs: Ecs<'_>,
    id: &str,
    snapshot_ids: &[String],
) -> Result<GroupSnapshot, Error> {
    let missing = || error!(NotFound: "group snapshot {id} does not exist");
    let group = ecs.group(GroupId::asked(id)?)?.ok_or_else(missing)?;
    let snapshots = listed(ecs, &group, snapshot_ids)?;
    if group.status == Status::Failed {
        bail!(Unavailable: "ECS could not cut group snapshot {id}: delete it and make another one");
    }
    Ok(group.info(&snapshots))
}

/// What the caller names that looks like a snapshot's id; only such go into calls.
fn plain(ids: &[String]) -> impl Iterator<Item = &str> {
    ids.iter()
        .map(String::as_str)
        .filter(|id| SnapshotId::parse(id).is_some())
}

/// The group's snapshots, if they are the ones that the caller names. Ones that are gone may be named: somebody
/// deleted them one by one.
fn listed(ecs: Ecs<'_>, group: &Group, named: &[String]) -> Result<Vec<Snapshot>, Error> {
    let members = group.members();
    let mut ids = members.clone();
    ids.extend(plain(named).filter(|id| !members.contains(id)));
    let mut there = ecs.snapshots(&ids)?;
    let is_named = |id: &str| named.iter().any(|named| named == id);
    let is_foreign = |snapshot: &Snapshot| !members.contains(&snapshot.id.as_str());
    let is_odd = named.iter().any(|id| SnapshotId::parse(id).is_none());
    if is_odd || !members.iter().all(|id| is_named(id)) || there.iter().any(is_foreign) {
        bail!(InvalidArgument: "group snapshot {} consists of {}, and the request names {}", group.id,
            names(members.into_iter()), names(named.iter().map(String::as_str)));
    }
    there.retain(|snapshot| !is_foreign(snapshot));
    Ok(there)
}

/// A snapshot goes with its group, unless ECS has forgotten that.
pub(crate) fn refuse_member(ecs: Ecs<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let Some(id) = snapshot.group else {
        return Ok(());
    };
    match ecs.group(id)? {
        Some(group) if group.members().contains(&snapshot.id.as_str()) => Err(
            error!(InvalidArgument: "snapshot {} cannot be deleted alone: it goes with group snapshot {id}",
                snapshot.id),
        ),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
