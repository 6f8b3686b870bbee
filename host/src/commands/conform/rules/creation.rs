//! Volumes come: once for each name, as they are asked for.

use drivebay::error::Condition;
use drivebay::store::Export;
use drivebay::volume::{AccessMode, CapacityRange, CreateVolume, VolumeSource};

use crate::commands::conform::bench::{Bench, capability};
use crate::commands::conform::expectation::{
    Checked, Stop, broke_down, broken, fails_with, given, holds, is_decided, same, succeeds, told,
};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "create-repeats",
        asks: "create-volume with the same name and arguments finds the volume that is there",
        why: "external-provisioner repeats the call whenever an answer was lost: each volume more that is made then is nobody's, and is paid for",
        needs: &[Export::Controller],
        check: repeats,
    },
    Rule {
        name: "create-conflicts",
        asks: "create-volume with a name that a volume of another size has is already-exists",
        why: "the claim would get a volume that is too small for it, and nobody would be told",
        needs: &[Export::Controller],
        check: conflicts,
    },
    Rule {
        name: "contexts-are-described",
        asks: "the context of a new volume has words that identity.describe knows, whatever the volume is for",
        why: "it stands in the PersistentVolume for ever; what is not known there is refused when a pod mounts it, and cannot be mended",
        needs: &[Export::Controller],
        check: contexts,
    },
    Rule {
        name: "sizes-have-an-end",
        asks: "a size that no backend has is made or refused for good",
        why: "external-provisioner repeats whatever may succeed later, so the user sees a claim that waits and never why",
        needs: &[Export::Controller],
        check: sizes,
    },
    Rule {
        name: "copies-say-of-what",
        asks: "a volume made from another one says so, also when it is asked for again, and not-found where there is none",
        why: "external-provisioner deletes a volume whose source is not the one that it asked for",
        needs: &[Export::Controller, Export::Cloning],
        check: copies,
    },
];

fn repeats(bench: &Bench) -> Checked {
    let request = bench.request("repeats");
    let first = given("create-volume", bench.create(&request))?;
    let again = "create-volume with the same name and arguments";
    let second = succeeds(again, bench.create(&request))?;
    same("the volume's id", &first.id, &second.id)?;
    same("its size", &first.capacity_bytes, &second.capacity_bytes)?;
    holds(first.context.same_as(&second.context), || {
        let (first, second) = (first.context.pairs(), second.context.pairs());
        format!("its context was {first:?} first, and {second:?} then")
    })
}

fn conflicts(bench: &Bench) -> Checked {
    let request = bench.request("conflicts");
    let first = given("create-volume", bench.create(&request))?;
    if first.capacity_bytes == 0 {
        let reason = "the component's volumes have no size";
        return Err(Stop::Inapplicable(reason.to_owned()));
    }
    let larger = CreateVolume {
        capacity: CapacityRange {
            required_bytes: Some(first.capacity_bytes.saturating_mul(3)),
            limit_bytes: None,
        },
        ..request
    };
    let what = "create-volume with the same name and three times the size";
    fails_with(what, bench.create(&larger), &[Condition::AlreadyExists])
}

fn contexts(bench: &Bench) -> Checked {
    bench.volume("contexts")?;
    for mode in [
        AccessMode::SingleNodeWriter,
        AccessMode::SingleNodeReaderOnly,
        AccessMode::MultiNodeReaderOnly,
        AccessMode::MultiNodeMultiWriter,
    ] {
        let request = CreateVolume {
            capabilities: vec![capability(mode)],
            ..bench.request(&format!("contexts-{mode:?}"))
        };
        match bench.create(&request) {
            Ok(_) => {}
            Err(error) if broke_down(&error) => {
                return Err(broken(format!(
                    "create-volume for {mode:?} failed with {}",
                    told(&error)
                )));
            }
            // Not every backend has every mode.
            Err(_) => {}
        }
    }
    Ok(())
}

fn sizes(bench: &Bench) -> Checked {
    bench.volume("sizes")?;
    // CSI counts in signed numbers.
    let largest = i64::MAX.unsigned_abs();
    for (required_bytes, limit_bytes) in
        [(Some(largest), None), (Some(1), Some(1)), (None, Some(1))]
    {
        let request = CreateVolume {
            capacity: CapacityRange {
                required_bytes,
                limit_bytes,
            },
            ..bench.request(&format!("sizes-{required_bytes:?}-{limit_bytes:?}"))
        };
        let what = format!("create-volume of {required_bytes:?} to {limit_bytes:?} bytes");
        is_decided(&what, bench.create(&request))?;
    }
    Ok(())
}

fn copies(bench: &Bench) -> Checked {
    let source = bench.volume("copied")?;
    let source = VolumeSource::Volume(source.id);
    let request = bench.request_from("copy", source.clone());
    for what in ["clone-volume", "clone-volume once more"] {
        let copy = succeeds(what, bench.create(&request))?;
        holds(copy.source.as_ref() == Some(&source), || {
            format!(
                "{what} says that it was made from {:?}, and not from {source:?}",
                copy.source
            )
        })?;
    }
    let gone = VolumeSource::Volume(bench.gone("copied-and-gone")?.id);
    let request = bench.request_from("copy-of-nothing", gone);
    let what = "clone-volume of a volume that is gone";
    fails_with(what, bench.create(&request), &[Condition::NotFound])
}
