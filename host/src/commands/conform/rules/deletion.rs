//! Volumes go.

use drivebay::error::Condition;
use drivebay::store::Export;
use drivebay::volume::VolumeId;

use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{Checked, fails_with, given, is_decided, succeeds};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "delete-repeats",
        asks: "delete-volume of a volume that is gone succeeds",
        why: "external-provisioner repeats the call until it succeeds: the PersistentVolume would stay for ever",
        needs: &[Export::Controller],
        check: repeats,
    },
    Rule {
        name: "delete-deletes",
        asks: "a volume that was deleted is not there any more",
        why: "what a user was told is gone goes on costing, and a new claim of that name would find old data",
        needs: &[Export::Controller],
        check: deletes,
    },
    Rule {
        name: "strange-ids-are-nothing",
        asks: "delete-volume of an id that the component cannot have given is decided",
        why: "PersistentVolumes are written by hand, too: a guest that fails on one, or hopes, keeps its deletion under way for ever",
        needs: &[Export::Controller],
        check: strange,
    },
];

fn repeats(bench: &Bench) -> Checked {
    let made = bench.volume("deleted-twice")?;
    given("delete-volume", bench.delete(&made.id))?;
    succeeds("delete-volume for the second time", bench.delete(&made.id))
}

fn deletes(bench: &Bench) -> Checked {
    let made = bench.volume("deleted")?;
    given("delete-volume", bench.delete(&made.id))?;
    let left = bench.session().get_volume(&made.id);
    fails_with(
        "get-volume after delete-volume",
        left,
        &[Condition::NotFound],
    )
}

fn strange(bench: &Bench) -> Checked {
    let long = "x".repeat(128);
    for id in [
        "..",
        "/",
        "../../etc",
        "a\nb",
        "a#b#c#d#e#f",
        "ü",
        "%00",
        "-",
        &long,
    ] {
        let what = format!("delete-volume of {id:?}");
        is_decided(&what, bench.delete(&VolumeId(id.to_owned())))?;
    }
    Ok(())
}
