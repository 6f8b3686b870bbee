//! What the fake does with groups of snapshots.
//!
//! A group is described before its snapshots are, as the real one can be: so many looks as everything lags.

use super::actions::{Answer, get, has_tag, tags, written};
use super::{FakeSnapshot, State};
use crate::api_request::Call;

#[derive(Debug, Clone)]
pub(super) struct FakeGroup {
    id: String,
    tags: Vec<(String, String)>,
    /// So many looks show it as on its way, with its first snapshot only.
    progressing: usize,
    failed: bool,
}

impl FakeGroup {
    pub(super) fn id(&self) -> String {
        self.id.clone()
    }
}

fn numbered<'a>(call: &'a Call, name: &str) -> Vec<&'a str> {
    (1..)
        .map_while(|number| get(call, &format!("{name}.{number}")))
        .collect()
}

impl State {
    pub(super) fn create_group(&mut self, call: &Call) -> Answer {
        let ids = numbered(call, "DiskId");
        for id in &ids {
            let disk = self.disks.iter().find(|disk| disk.id == *id);
            let disk = disk.ok_or(("InvalidDiskId.NotFound", 404))?;
            if disk.category != "cloud_essd" {
                return Err(("DiskCategory.OperationNotSupported", 400));
            }
        }
        if let Some(id) = self.known(call)? {
            return Ok(format!(r#"{{"SnapshotGroupId":"{id}"}}"#));
        }
        let group = self.new_id("ssg");
        let failing = self.failing_group.take();
        let cut = if failing.is_some() { 1 } else { ids.len() };
        for id in &ids[..cut] {
            let gib = self.disks.iter().find(|disk| disk.id == *id);
            let gib = gib.map(|disk| disk.gib).unwrap_or_default();
            let snapshot = FakeSnapshot {
                id: self.new_id("s"),
                source: (*id).into(),
                gib,
                tags: Vec::new(),
                group: Some(group.clone()),
            };
            self.snapshots.push(snapshot);
        }
        self.groups.push(FakeGroup {
            id: group.clone(),
            tags: tags(call),
            progressing: failing.unwrap_or(self.lag),
            failed: failing.is_some(),
        });
        self.remember(call, &group);
        Ok(format!(r#"{{"SnapshotGroupId":"{group}"}}"#))
    }

    pub(super) fn describe_groups(&mut self, call: &Call) -> String {
        let ids = numbered(call, "SnapshotGroupId");
        let mut items = Vec::new();
        for group in &mut self.groups {
            let is_named = ids.is_empty() || ids.contains(&group.id.as_str());
            if is_named && has_tag(call, &group.tags) {
                items.push(described(group, &self.snapshots));
            }
        }
        let items = items.join(",");
        format!(r#"{{"RequestId":"R","SnapshotGroups":{{"SnapshotGroup":[{items}]}}}}"#)
    }

    pub(super) fn delete_group(&mut self, call: &Call) -> Result<(), (&'static str, u16)> {
        let id = get(call, "SnapshotGroupId").expect("SnapshotGroupId");
        assert!(get(call, "RegionId").is_some(), "RegionId");
        let before = self.groups.len();
        self.groups.retain(|group| group.id != id);
        if self.groups.len() == before {
            return Err(("InvalidSnapshotGroup.NotFound", 404));
        }
        let images = &self.images;
        self.snapshots.retain(|snapshot| {
            snapshot.group.as_deref() != Some(id) || images.contains(&snapshot.id)
        });
        Ok(())
    }
}

fn described(group: &mut FakeGroup, snapshots: &[FakeSnapshot]) -> String {
    let is_on_its_way = group.progressing > 0;
    group.progressing = group.progressing.saturating_sub(1);
    let members = snapshots
        .iter()
        .filter(|snapshot| snapshot.group.as_deref() == Some(&group.id));
    let member = |snapshot: &FakeSnapshot| {
        format!(
            r#"{{"SnapshotId":"{}","SourceDiskId":"{}","Available":true}}"#,
            snapshot.id, snapshot.source
        )
    };
    let shown = if is_on_its_way { 1 } else { usize::MAX };
    let members: Vec<String> = members.take(shown).map(member).collect();
    let status = match (is_on_its_way, group.failed) {
        (true, _) => "progressing",
        (false, true) => "failed",
        (false, false) => "accomplished",
    };
    format!(
        r#"{{"SnapshotGroupId":"{}","Status":"{status}","CreationTime":"2026-01-02T03:04:05Z",
        "Snapshots":{{"Snapshot":[{}]}},"Tags":{}}}"#,
        group.id,
        members.join(","),
        written(&group.tags)
    )
}
