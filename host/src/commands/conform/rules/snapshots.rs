//! Snapshots come, are used and go.

use drivebay::driver::VolumeReference;
use drivebay::error::Condition;
use drivebay::store::Export;
use drivebay::volume::VolumeSource;

use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{Checked, fails_with, given, holds, same, succeeds};
use crate::commands::conform::rule::Rule;

const NEEDS: &[Export] = &[Export::Controller, Export::Snapshots];

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "snapshot-repeats",
        asks: "create-snapshot with the same name and source finds the snapshot that is there",
        why: "external-snapshotter repeats the call whenever an answer was lost; a time that changes is one of another snapshot",
        needs: NEEDS,
        check: repeats,
    },
    Rule {
        name: "snapshot-conflicts",
        asks: "create-snapshot with a name that a snapshot of another volume has is already-exists",
        why: "whoever restores it would get somebody else's data",
        needs: NEEDS,
        check: conflicts,
    },
    Rule {
        name: "snapshot-delete-repeats",
        asks: "delete-snapshot of a snapshot that is gone succeeds, and get-snapshot of it is not-found",
        why: "external-snapshotter repeats the call until it succeeds: the VolumeSnapshotContent would stay for ever",
        needs: NEEDS,
        check: delete_repeats,
    },
    Rule {
        name: "snapshots-are-restored",
        asks: "create-volume starts from a snapshot, says so, and is not-found where there is none",
        why: "a volume that came empty in its place is not noticed before its data is needed",
        needs: NEEDS,
        check: restored,
    },
];

/// A volume that may have something in it: what never was on a node has not, and some clouds cut no snapshot of it.
fn used(bench: &Bench, name: &str) -> Checked<VolumeReference> {
    bench.mountable(name)
}

fn repeats(bench: &Bench) -> Checked {
    let source = used(bench, "cut-twice")?;
    let first = given("create-snapshot", bench.cut("twice", &source.id))?;
    let again = bench.cut("twice", &source.id);
    let second = succeeds("create-snapshot with the same name and source", again)?;
    same("the snapshot's id", &first.id, &second.id)?;
    let what = "the time at which it was cut";
    same(what, &first.created_at_seconds, &second.created_at_seconds)?;
    let found = bench.session().get_snapshot(&first.id);
    let found = succeeds("get-snapshot of a snapshot that was cut", found)?;
    same("the snapshot's source", &first.source, &found.source)?;
    same(what, &first.created_at_seconds, &found.created_at_seconds)
}

fn conflicts(bench: &Bench) -> Checked {
    let (one, other) = (used(bench, "cut-one")?, used(bench, "cut-other")?);
    given("create-snapshot", bench.cut("conflicts", &one.id))?;
    let what = "create-snapshot with the same name of another volume";
    let cut = bench.cut("conflicts", &other.id);
    fails_with(what, cut, &[Condition::AlreadyExists])
}

fn delete_repeats(bench: &Bench) -> Checked {
    let source = used(bench, "cut-and-gone")?;
    let cut = given("create-snapshot", bench.cut("gone", &source.id))?;
    let delete = || bench.session().delete_snapshot(&cut.id);
    given("delete-snapshot", delete())?;
    succeeds("delete-snapshot for the second time", delete())?;
    let left = bench.session().get_snapshot(&cut.id);
    fails_with(
        "get-snapshot after delete-snapshot",
        left,
        &[Condition::NotFound],
    )
}

fn restored(bench: &Bench) -> Checked {
    let source = used(bench, "saved")?;
    let cut = given("create-snapshot", bench.cut("saved", &source.id))?;
    let from = VolumeSource::Snapshot(cut.id.clone());
    let request = bench.request_from("restored", from.clone());
    let volume = succeeds("create-volume from a snapshot", bench.create(&request))?;
    holds(volume.source.as_ref() == Some(&from), || {
        format!(
            "create-volume says that it was made from {:?}, and not from {from:?}",
            volume.source
        )
    })?;
    let gone = given("create-snapshot", bench.cut("saved-and-gone", &source.id))?;
    let deleted = bench.session().delete_snapshot(&gone.id);
    given("delete-snapshot", deleted)?;
    let request = bench.request_from("restored-from-nothing", VolumeSource::Snapshot(gone.id));
    let what = "create-volume from a snapshot that is gone";
    fails_with(what, bench.create(&request), &[Condition::NotFound])
}
