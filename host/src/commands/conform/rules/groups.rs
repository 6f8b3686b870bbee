//! Several volumes are cut at one moment.

use drivebay::error::Condition;
use drivebay::store::Export;
use drivebay::volume::{GroupSnapshot, SnapshotId, VolumeId};

use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{Checked, fails_with, given, same, succeeds};
use crate::commands::conform::rule::Rule;

const NEEDS: &[Export] = &[
    Export::Controller,
    Export::Snapshots,
    Export::GroupSnapshots,
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "groups-repeat",
        asks: "create-group-snapshot with the same name and volumes finds the group that is there, and get-group-snapshot says the same",
        why: "external-snapshotter repeats the call whenever an answer was lost; snapshots of two moments fit together no more",
        needs: NEEDS,
        check: repeat,
    },
    Rule {
        name: "groups-conflict",
        asks: "create-group-snapshot with a name that a group of other volumes has is already-exists",
        why: "whoever restores it would miss a volume, or get somebody else's data",
        needs: NEEDS,
        check: conflict,
    },
    Rule {
        name: "group-delete-repeats",
        asks: "delete-group-snapshot of a group that is gone succeeds; nothing finds the group or its snapshots any more",
        why: "external-snapshotter repeats the call until it succeeds; snapshots that stay behind are nobody's, and are paid for",
        needs: NEEDS,
        check: delete_repeats,
    },
];

/// Volumes that were on a node, the same one: some clouds cut no others together.
fn two(bench: &Bench, name: &str) -> Checked<Vec<VolumeId>> {
    let ends = ["one", "other"].into_iter();
    ends.map(|end| Ok(bench.mountable(&format!("{name}-{end}"))?.id))
        .collect()
}

fn members(group: &GroupSnapshot) -> Vec<SnapshotId> {
    let snapshots = group.snapshots.iter();
    let mut ids: Vec<SnapshotId> = snapshots.map(|snapshot| snapshot.id.clone()).collect();
    ids.sort_by(|one, other| one.0.cmp(&other.0));
    ids
}

fn same_group(first: &GroupSnapshot, second: &GroupSnapshot) -> Checked {
    same("the group's id", &first.id, &second.id)?;
    let (one, other) = (members(first), members(second));
    same("what snapshots it has", &one, &other)?;
    let (one, other) = (first.created_at_seconds, second.created_at_seconds);
    same("the time at which it was cut", &one, &other)
}

fn repeat(bench: &Bench) -> Checked {
    let sources = two(bench, "grouped-twice")?;
    let first = given("create-group-snapshot", bench.cut_group("twice", &sources))?;
    let again = bench.cut_group("twice", &sources);
    let what = "create-group-snapshot with the same name and volumes";
    same_group(&first, &succeeds(what, again)?)?;
    let found = bench
        .session()
        .get_group_snapshot(&first.id, &members(&first));
    let what = "get-group-snapshot of a group that was cut";
    same_group(&first, &succeeds(what, found)?)
}

fn conflict(bench: &Bench) -> Checked {
    let sources = two(bench, "grouped")?;
    given(
        "create-group-snapshot",
        bench.cut_group("conflicts", &sources),
    )?;
    let fewer = bench.cut_group("conflicts", &sources[..1]);
    let what = "create-group-snapshot with the same name of one of the volumes";
    fails_with(what, fewer, &[Condition::AlreadyExists])
}

fn delete_repeats(bench: &Bench) -> Checked {
    let sources = two(bench, "grouped-and-gone")?;
    let group = given("create-group-snapshot", bench.cut_group("gone", &sources))?;
    let members = members(&group);
    let delete = || bench.session().delete_group_snapshot(&group.id, &members);
    given("delete-group-snapshot", delete())?;
    succeeds("delete-group-snapshot for the second time", delete())?;
    let only = &[Condition::NotFound];
    let left = bench.session().get_group_snapshot(&group.id, &members);
    fails_with("get-group-snapshot after delete-group-snapshot", left, only)?;
    for member in &members {
        let left = bench.session().get_snapshot(member);
        fails_with("get-snapshot after delete-group-snapshot", left, only)?;
    }
    Ok(())
}
