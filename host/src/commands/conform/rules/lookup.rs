//! What was made is found by the calls that follow, and nothing else is.

use drivebay::error::Condition;
use drivebay::store::Export;
use drivebay::volume::{AccessMode, CapacityRange};

use crate::commands::conform::bench::{Bench, capability};
use crate::commands::conform::expectation::{Checked, fails_with, same, succeeds};
use crate::commands::conform::rule::Rule;
use crate::commands::run::Caller;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "calls-keep-nothing",
        asks: "what one call made is found by the next, which begins with a fresh instance",
        why: "nothing in a guest's memory survives its call, and the next may come to another process or another node",
        needs: &[Export::Controller],
        check: found,
    },
    Rule {
        name: "unknown-is-not-found",
        asks: "what asks for a volume that does not exist is not-found",
        why: "callers take that for the end: with any other answer a volume that is gone is waited for, and one that is there is given up",
        needs: &[Export::Controller],
        check: not_found,
    },
];

fn found(bench: &Bench) -> Checked {
    let made = bench.volume("found")?;
    let found = succeeds(
        "get-volume of a volume that was made",
        bench.session().get_volume(&made.id),
    )?;
    same(
        "the volume's size",
        &made.capacity_bytes,
        &found.capacity_bytes,
    )?;
    let wanted = [capability(AccessMode::SingleNodeWriter)];
    let valid = bench
        .session()
        .validate_volume(&made.id, &made.context, &wanted);
    succeeds("validate-volume as it was made", valid)
}

fn not_found(bench: &Bench) -> Checked {
    let volume = bench.gone("unknown")?;
    let id = volume.id.clone();
    let only = &[Condition::NotFound];
    fails_with(
        "get-volume of a volume that is gone",
        bench.session().get_volume(&id),
        only,
    )?;
    let wanted = [capability(AccessMode::SingleNodeWriter)];
    let valid = bench
        .session()
        .validate_volume(&id, &volume.context, &wanted);
    fails_with("validate-volume of a volume that is gone", valid, only)?;
    if bench.exports(Export::Expansion) {
        let range = CapacityRange {
            required_bytes: Some(bench.subject.size_bytes),
            limit_bytes: None,
        };
        let session = bench.session();
        let grown = Caller(&session).expand_volume(&volume, range);
        fails_with("expand-volume of a volume that is gone", grown, only)?;
    }
    if bench.exports(Export::Attachment) {
        let attached = bench.attach(&volume);
        fails_with("attach-volume of a volume that is gone", attached, only)?;
    }
    if bench.exports(Export::Snapshots) {
        let cut = bench.cut("of-nothing", &id);
        fails_with("create-snapshot of a volume that is gone", cut, only)?;
    }
    Ok(())
}
