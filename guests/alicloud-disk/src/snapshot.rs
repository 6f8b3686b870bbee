//! Snapshots: the content of a disk at one moment.

use drivebay_guest::create_once::{self, Progress, Resource};
use drivebay_guest::exports::snapshot_listing::{Filter, SnapshotPage};
use drivebay_guest::exports::snapshots::CreateRequest;
use drivebay_guest::log::Level;
use drivebay_guest::page::Page;
use drivebay_guest::prelude::*;
use drivebay_guest::types::Snapshot as Info;

use crate::api_request::{Action, Call};
use crate::disk_snapshot::{Snapshot, deletion, read_list, remove};
use crate::ecs::{Api, Ecs};
use crate::group;
use crate::id::{DiskId, SnapshotId};
use crate::list::LIMITS;
use crate::parameter_names;
use crate::tags;

/// Cut a snapshot, or find the one an earlier try cut.
#[inline(never)]
pub(crate) fn create_snapshot(ecs: Ecs<'_>, request: &CreateRequest) -> Result<Info, Error> {
    let params = Params(&request.parameters);
    let id = DiskId::asked(&request.source_volume_id)?;
    let call = create_call(request, id, &params)?;
    for obsolete in [
        parameter_names::SNAPSHOT_TYPE,
        parameter_names::INSTANT_ACCESS_RETENTION_DAYS,
    ] {
        if params.get(obsolete).is_some() {
            let line = format!("{obsolete} is obsolete and without effect");
            ecs.host().note(Level::Info, &line);
        }
    }
    let mut creation = Creation {
        ecs,
        request,
        snapshot: None,
    };
    if !create_once::find(&ecs, &request.name, &mut creation)? {
        let disk = ecs.existing_disk(id)?;
        ensure!(!disk.is_ephemeral(), Unsupported: "disk {id} is a {}, of which there are no snapshots", disk.category);
        let seed = format!("snapshot\n{}\n", request.name);
        create_once::make(&ecs, &call, "SnapshotId", &seed, &mut creation)?;
    }
    let unseen = || error!(Internal: "no snapshot was seen for {}", request.name);
    creation.snapshot.ok_or_else(unseen)
}

/// One create request on its way.
struct Creation<'a> {
    ecs: Ecs<'a>,
    request: &'a CreateRequest,
    snapshot: Option<Info>,
}

impl Resource for Creation<'_> {
    fn find(&mut self) -> Result<Progress, Error> {
        let Some(snapshot) = self.ecs.snapshot_named(&self.request.name)? else {
            return Ok(Progress::Missing);
        };
        if snapshot.source != self.request.source_volume_id {
            bail!(AlreadyExists: "snapshot {} was made for {} of another disk, {}", snapshot.id, self.request.name,
                snapshot.source);
        }
        self.see(&snapshot)
    }

    fn poll(&mut self, id: &'static str) -> Result<Progress, Error> {
        let snapshot = self.ecs.snapshot(SnapshotId::made(id)?)?;
        snapshot.map_or(Ok(Progress::Missing), |snapshot| self.see(&snapshot))
    }
}

impl Creation<'_> {
    fn see(&mut self, snapshot: &Snapshot) -> Result<Progress, Error> {
        let id = snapshot.id;
        ensure!(!snapshot.failed, Unavailable: "ECS could not make snapshot {id}: delete it and ask again");
        self.snapshot = Some(snapshot.info());
        Ok(if snapshot.is_cut() {
            Progress::Ready
        } else {
            Progress::Pending
        })
    }
}

fn create_call(
    request: &CreateRequest,
    id: DiskId<'_>,
    params: &Params<'_>,
) -> Result<Call, Error> {
    let days = params.get(parameter_names::RETENTION_DAYS)?;
    if days.is_some_and(|days| !(1..=65_536).contains(&days)) {
        let written = params
            .get(parameter_names::RETENTION_DAYS.name())
            .unwrap_or_default();
        return Err(malformed(
            parameter_names::RETENTION_DAYS,
            written,
            "write 1 to 65536",
        ));
    }
    let tags = tags::of_snapshot(&request.name, params)?;
    Ok(Call::new(
        Action::CreateSnapshot,
        format!("disk {id} for {}", request.name),
    )
    .with("DiskId", id.as_str())
    .with_some("SnapshotName", snapshot_name(&request.name))
    .with_some(
        "RetentionDays",
        days.and(params.get(parameter_names::RETENTION_DAYS.name())),
    )
    .with_some(
        "ResourceGroupId",
        params.get(parameter_names::RESOURCE_GROUP_ID),
    )
    .with_tags(&tags))
}

/// ECS keeps names that begin with `auto` for itself. The tag has the name in any case.
fn snapshot_name(name: &str) -> Option<&str> {
    crate::create::disk_name(name).filter(|name| !name.starts_with("auto"))
}

/// Delete a snapshot, also one from which disks were made: they have its content by then.
#[inline(never)]
pub(crate) fn delete_snapshot(ecs: Ecs<'_>, id: &str) -> Result<(), Error> {
    let Some(id) = SnapshotId::parse(id) else {
        // No snapshot has such a name, and what does not exist is deleted.
        return Ok(());
    };
    if let Some(snapshot) = ecs.snapshot(id)? {
        group::refuse_member(ecs, &snapshot)?;
    }
    remove(ecs, &deletion(id).with("Force", "true"))
}

#[inline(never)]
pub(crate) fn get_snapshot(ecs: Ecs<'_>, id: &str) -> Result<Info, Error> {
    let snapshot = ecs.existing_snapshot(SnapshotId::asked(id)?)?;
    Ok(snapshot.info())
}

/// A page of snapshots. What does not exist is in no list, and is no error.
#[inline(never)]
pub(crate) fn list_snapshots(
    ecs: Ecs<'_>,
    filter: &Filter,
    max_entries: u32,
    starting_token: Option<&str>,
) -> Result<SnapshotPage, Error> {
    let page = Page::from_request(LIMITS, max_entries, starting_token)?;
    let is_some = |written: &&String| !written.is_empty();
    let mut call = Call::new(Action::DescribeSnapshots, "a list of snapshots");
    if let Some(id) = filter.snapshot_id.as_ref().filter(is_some) {
        let Some(id) = SnapshotId::parse(id) else {
            return Ok(nothing());
        };
        call = call.with_ids("SnapshotIds", &[id.as_str()]);
    }
    if let Some(id) = filter.source_volume_id.as_ref().filter(is_some) {
        let Some(id) = DiskId::parse(id) else {
            return Ok(nothing());
        };
        call = call.with("DiskId", id.as_str());
    }
    let call = call
        .with_number("MaxResults", page.size())
        .with_some("NextToken", page.token());
    let json = match ecs.call_in_region(call) {
        Ok(json) => json,
        // Of a disk that does not exist there are no snapshots.
        Err(Error::NotFound(_)) => return Ok(nothing()),
        Err(error) => return Err(page.error(error)),
    };
    let entries = read_list(json)?;
    let (part, next_token) = page.cut(entries.len(), json.some_text("NextToken"));
    let entries = entries.get(part).unwrap_or_default();
    let usable = entries.iter().filter(|snapshot| !snapshot.failed);
    Ok(SnapshotPage {
        snapshots: usable.map(Snapshot::info).collect(),
        next_token,
    })
}

fn nothing() -> SnapshotPage {
    SnapshotPage {
        snapshots: Vec::new(),
        next_token: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCloud, Fault};
    use drivebay_guest::capacity::GIB;

    fn create(
        cloud: &FakeCloud,
        name: &str,
        disk: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Info, Error> {
        let request = CreateRequest {
            name: name.into(),
            source_volume_id: disk.into(),
            parameters: parameters
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        };
        create_snapshot(Ecs { cloud }, &request)
    }

    #[test]
    fn a_snapshot_is_cut_once_whatever_gets_lost() {
        for fault in [
            Fault::Drop,
            Fault::LoseAnswer,
            Fault::Refuse("Throttling"),
            Fault::Refuse("IdempotentProcessing"),
        ] {
            let cloud = FakeCloud::new();
            let disk = cloud.add_disk("cloud_essd", 20);
            cloud.fault(Action::CreateSnapshot, fault);
            let first = create(&cloud, "snap", &disk, &[]).expect("cut");
            let again = create(&cloud, "snap", &disk, &[]).expect("the same");
            assert_eq!(
                (&first.id, first.created_at_seconds),
                (&again.id, again.created_at_seconds)
            );
            assert_eq!((first.size_bytes, cloud.snapshots().len()), (20 * GIB, 1));
        }
    }

    #[test]
    fn a_lagging_description_makes_no_second_snapshot() {
        let cloud = FakeCloud::new();
        let disk = cloud.add_disk("cloud_essd", 20);
        create(&cloud, "snap", &disk, &[]).expect("cut");
        cloud.fault(Action::DescribeSnapshots, Fault::Stale);
        create(&cloud, "snap", &disk, &[]).expect("the same");
        assert_eq!(cloud.snapshots().len(), 1);
    }

    #[test]
    fn a_name_taken_by_another_disks_snapshot_is_refused() {
        let cloud = FakeCloud::new();
        let (one, other) = (
            cloud.add_disk("cloud_essd", 20),
            cloud.add_disk("cloud_essd", 20),
        );
        create(&cloud, "snap", &one, &[]).expect("cut");
        assert!(matches!(
            create(&cloud, "snap", &other, &[]),
            Err(Error::AlreadyExists(_))
        ));
        // ECS notices by its token, also before the first one is described.
        cloud.fault(Action::DescribeSnapshots, Fault::Stale);
        assert!(matches!(
            create(&cloud, "snap", &other, &[]),
            Err(Error::AlreadyExists(_))
        ));
        assert_eq!(cloud.snapshots().len(), 1);
    }

    #[test]
    fn a_name_can_be_used_again_after_its_snapshot_was_deleted() {
        let cloud = FakeCloud::new();
        let disk = cloud.add_disk("cloud_essd", 20);
        let first = create(&cloud, "snap", &disk, &[]).expect("cut").id;
        delete_snapshot(Ecs { cloud: &cloud }, &first).expect("deleted");
        delete_snapshot(Ecs { cloud: &cloud }, &first).expect("still deleted");
        let second = create(&cloud, "snap", &disk, &[]).expect("cut anew").id;
        assert_ne!(first, second);
        assert_eq!(
            create(&cloud, "snap", &disk, &[]).expect("the same").id,
            second
        );
    }

    #[test]
    fn there_are_no_snapshots_of_ephemeral_and_of_missing_disks() {
        let cloud = FakeCloud::new();
        let disk = cloud.add_disk("elastic_ephemeral_disk_standard", 64);
        assert!(matches!(
            create(&cloud, "snap", &disk, &[]),
            Err(Error::Unsupported(_))
        ));
        for missing in ["d-gone", "fake"] {
            assert!(matches!(
                create(&cloud, "snap", missing, &[]),
                Err(Error::NotFound(_))
            ));
        }
    }

    #[test]
    fn retention_and_tags_are_passed_on_and_checked() {
        let cloud = FakeCloud::new();
        let disk = cloud.add_disk("cloud_essd", 20);
        assert!(matches!(
            create(&cloud, "snap", &disk, &[("retentionDays", "0")]),
            Err(Error::InvalidArgument(_))
        ));
        let parameters = [
            ("retentionDays", "7"),
            ("snapshotTags/a", "b"),
            ("snapshotType", "Flash"),
        ];
        create(&cloud, "snap", &disk, &parameters).expect("cut");
        let sent = cloud.last(Action::CreateSnapshot);
        for pair in [
            ("RetentionDays", "7"),
            ("Tag.4.Key", "a"),
            ("Tag.4.Value", "b"),
            ("SnapshotName", "snap"),
        ] {
            assert!(sent.contains(&(pair.0.into(), pair.1.into())), "{pair:?}");
        }
        assert!(
            cloud
                .notes()
                .iter()
                .any(|line| line.contains("snapshotType"))
        );
    }

    #[test]
    fn lists_are_filtered_and_paged() {
        let cloud = FakeCloud::new();
        let (one, other) = (
            cloud.add_disk("cloud_essd", 20),
            cloud.add_disk("cloud_essd", 20),
        );
        for number in 0..12 {
            create(&cloud, &format!("snap-{number}"), &one, &[]).expect("cut");
        }
        let single = create(&cloud, "other", &other, &[]).expect("cut");
        let ecs = Ecs { cloud: &cloud };
        let list = |snapshot: Option<&str>, disk: Option<&str>, max: u32, token: Option<&str>| {
            let filter = Filter {
                snapshot_id: snapshot.map(String::from),
                source_volume_id: disk.map(String::from),
            };
            list_snapshots(ecs, &filter, max, token).expect("a page")
        };
        assert_eq!(list(None, None, 0, None).snapshots.len(), 13);
        assert_eq!(list(None, Some(&other), 0, None).snapshots.len(), 1);
        assert_eq!(list(Some(&single.id), None, 0, None).snapshots.len(), 1);
        for unknown in ["s-gone", "fake"] {
            assert!(list(Some(unknown), None, 0, None).snapshots.is_empty());
        }
        let first = list(None, None, 5, None);
        let second = list(None, None, 5, first.next_token.as_deref());
        assert_eq!((first.snapshots.len(), second.snapshots.len()), (5, 5));
        assert_ne!(first.snapshots[0].id, second.snapshots[0].id);
    }

    #[test]
    fn a_missing_snapshot_is_not_found() {
        let cloud = FakeCloud::new();
        for id in ["s-gone", "fake"] {
            assert!(matches!(
                get_snapshot(Ecs { cloud: &cloud }, id),
                Err(Error::NotFound(_))
            ));
        }
    }
}
