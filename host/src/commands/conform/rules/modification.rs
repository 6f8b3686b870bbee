//! Volumes change while they live.

use drivebay::error::Condition;
use drivebay::store::{Export, Scope};
use drivebay::volume::Parameters;

use super::hostile::{shown, values, with};
use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{
    Checked, Stop, fails_with, given, is_decided, succeeds,
};
use crate::commands::conform::rule::Rule;

const NEEDS: &[Export] = &[Export::Controller, Export::Modification];

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "modify-repeats",
        asks: "modify-volume to what the volume is already succeeds, and is not-found for a volume that is gone",
        why: "external-resizer repeats the call whenever an answer was lost, and the claim would keep its old class and an error",
        needs: NEEDS,
        check: repeats,
    },
    Rule {
        name: "wrong-changes-are-told",
        asks: "modify-volume with a nonsensical value of any parameter that can change is decided: done, or refused for good",
        why: "whoever writes a VolumeAttributesClass is to read what is wrong with it; a guest that breaks down, or hopes, says nothing",
        needs: NEEDS,
        check: wrong,
    },
];

fn repeats(bench: &Bench) -> Checked {
    let change = &bench.subject.mutable_parameters;
    if change.is_empty() {
        let reason =
            "nobody said what can change of the component's volumes: --mutable-parameter KEY=VALUE";
        return Err(Stop::Untried(reason.to_owned()));
    }
    let change = Parameters::new(change.clone());
    let made = bench.volume("modified")?;
    let modify = || bench.session().modify_volume(&made.id, &change);
    given("modify-volume", modify())?;
    succeeds("modify-volume for the second time", modify())?;
    let gone = bench.gone("modified-and-gone")?;
    let what = "modify-volume of a volume that is gone";
    let modified = bench.session().modify_volume(&gone.id, &change);
    fails_with(what, modified, &[Condition::NotFound])
}

fn wrong(bench: &Bench) -> Checked {
    let made = bench.volume("told-of-change")?;
    for key in bench.described(Scope::Modification) {
        for value in values() {
            let what = format!("modify-volume with {key}={}", shown(&value));
            let change = with(&bench.subject.mutable_parameters, &key, value);
            is_decided(&what, bench.session().modify_volume(&made.id, &change))?;
        }
    }
    Ok(())
}
