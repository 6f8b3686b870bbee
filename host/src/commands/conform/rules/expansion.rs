//! Volumes grow.

use drivebay::driver::VolumeReference;
use drivebay::error::DriverError;
use drivebay::store::Export;
use drivebay::volume::CapacityRange;

use crate::commands::conform::bench::{Bench, reference};
use crate::commands::conform::expectation::{Checked, Stop, given, holds, same, succeeds};
use crate::commands::conform::rule::Rule;
use crate::commands::run::Caller;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "expand-repeats",
        asks: "expand-volume to a size that the volume has already succeeds, and says that size",
        why: "external-resizer repeats the call whenever an answer was lost, and would mark the claim as one whose resizing failed",
        needs: &[Export::Controller, Export::Expansion],
        check: repeats,
    },
    Rule {
        name: "volumes-never-shrink",
        asks: "expand-volume to less than the volume has leaves it as it is, and says its size",
        why: "the contract takes a volume that is large enough for success; to cut it would be to lose what lies at its end",
        needs: &[Export::Controller, Export::Expansion],
        check: never_shrinks,
    },
];

fn expand(bench: &Bench, volume: &VolumeReference, bytes: u64) -> Result<u64, DriverError> {
    let range = CapacityRange {
        required_bytes: Some(bytes),
        limit_bytes: None,
    };
    Caller(&bench.session()).expand_volume(volume, range)
}

fn repeats(bench: &Bench) -> Checked {
    let made = bench.volume("grown")?;
    let (volume, wanted) = (reference(&made), bench.subject.size_bytes.saturating_mul(2));
    let first = given("expand-volume", expand(bench, &volume, wanted))?;
    holds(first >= wanted, || {
        format!("expand-volume to {wanted} bytes says that the volume has {first}")
    })?;
    let again = "expand-volume to the same size once more";
    let second = succeeds(again, expand(bench, &volume, wanted))?;
    same("the size that expand-volume says", &first, &second)?;
    let found = given("get-volume", bench.session().get_volume(&made.id))?;
    same(
        "the size by expand-volume, and by get-volume,",
        &first,
        &found.capacity_bytes,
    )
}

fn never_shrinks(bench: &Bench) -> Checked {
    let made = bench.volume("kept-large")?;
    if made.capacity_bytes < 2 {
        let reason = "the component's volumes have no size";
        return Err(Stop::Inapplicable(reason.to_owned()));
    }
    let what = "expand-volume to less than the volume has";
    let said = succeeds(
        what,
        expand(bench, &reference(&made), made.capacity_bytes / 2),
    )?;
    same("the volume's size", &made.capacity_bytes, &said)?;
    let found = given("get-volume", bench.session().get_volume(&made.id))?;
    same(
        "the volume's size",
        &made.capacity_bytes,
        &found.capacity_bytes,
    )
}
