//! What the backend says of how volumes are.

use drivebay::error::Condition;
use drivebay::store::Export;
use drivebay::volume::VolumeId;

use super::listing::all;
use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{Checked, fails_with, holds, succeeds};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[Rule {
    name: "no-health-is-made-up",
    asks: "get-volume-health says nothing bad of a volume that was made a moment ago, is not-found for one that is gone, and list-volume-health says the same",
    why: "what it says becomes events of claims that people are woken up by, and by which volumes are taken out of service",
    needs: &[Export::Controller, Export::VolumeHealth],
    check: health,
}];

fn health(bench: &Bench) -> Checked {
    let made = bench.volume("well")?;
    let found = bench.session().volume_health(&made.id);
    let found = succeeds("get-volume-health of a new volume", found)?;
    holds(found.is_empty(), || {
        format!("get-volume-health says {found:?} of a new volume")
    })?;
    if bench.exports(Export::VolumeHealthListing) {
        let listed = listed(bench)?;
        holds(!listed.contains(&made.id), || {
            format!("list-volume-health has the new volume {:?}", made.id.0)
        })?;
    }
    let gone = bench.gone("well-and-gone")?;
    let what = "get-volume-health of a volume that is gone";
    let found = bench.session().volume_health(&gone.id);
    fails_with(what, found, &[Condition::NotFound])
}

/// Those that are unwell.
fn listed(bench: &Bench) -> Checked<Vec<VolumeId>> {
    all("list-volume-health", 0, |token| {
        let page = bench.session().list_volume_health(0, token)?;
        let ids = page.volumes.into_iter().map(|volume| volume.volume);
        Ok((ids.collect(), page.next))
    })
}
