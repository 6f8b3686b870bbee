//! Parameters that somebody mistyped, or wrote to do harm.

use drivebay::store::{Export, Scope};
use drivebay::volume::{CreateVolume, Parameters};

use crate::commands::conform::bench::Bench;
use crate::commands::conform::expectation::{Checked, given, is_decided};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "wrong-parameters-are-told",
        asks: "create-volume with a nonsensical value of any parameter is decided: made, or refused for good",
        why: "whoever writes a StorageClass is to read what is wrong with it; a guest that breaks down, or hopes, says nothing",
        needs: &[Export::Controller],
        check: of_classes,
    },
    Rule {
        name: "wrong-contexts-are-told",
        asks: "mounting with a nonsensical value of any of the volume's parameters is decided, too",
        why: "PersistentVolumes are written by hand; the pod's events are the only place where it can be read",
        needs: &[Export::Node],
        check: of_volumes,
    },
];

/// Of a parameter, and none that anybody means.
pub(super) fn values() -> [String; 9] {
    [
        "",
        "../../../etc",
        "/",
        "-1",
        "99999999999999999999",
        "a\nb",
        "$(reboot);`reboot`'\"",
        "ü\u{202e}\u{0}",
        &"x".repeat(2000),
    ]
    .map(str::to_owned)
}

fn of_classes(bench: &Bench) -> Checked {
    bench.volume("told-before")?;
    for key in bench.described(Scope::Creation) {
        for (number, value) in values().into_iter().enumerate() {
            let request = CreateVolume {
                parameters: with(&bench.subject.parameters, &key, value.clone()),
                ..bench.request(&format!("told-{key}-{number}"))
            };
            let what = format!("create-volume with {key}={}", shown(&value));
            is_decided(&what, bench.create(&request))?;
        }
        // So many volumes at once are more than some servers have room for.
        bench.clean();
    }
    Ok(())
}

fn of_volumes(bench: &Bench) -> Checked {
    let volume = bench.mountable("told-of-volume")?;
    given("stage-volume", bench.mount(&volume, "told"))?;
    bench.unmount("told");
    for key in bench.described(Scope::Volume) {
        for value in values() {
            let mut wrong = volume.clone();
            wrong.context = with(volume.context.pairs(), &key, value.clone());
            let what = format!("stage-volume with {key}={}", shown(&value));
            is_decided(&what, bench.mount(&wrong, "told"))?;
            bench.unmount("told");
        }
    }
    Ok(())
}

/// The pairs, with another value of that key.
pub(super) fn with(pairs: &[(String, String)], key: &str, value: String) -> Parameters {
    let others = Parameters::new(pairs.to_vec()).without(key);
    let mut pairs = others.pairs().to_vec();
    pairs.push((key.to_owned(), value));
    Parameters::new(pairs)
}

/// As it stands in reports.
pub(super) fn shown(value: &str) -> String {
    let begins: String = value.chars().take(32).collect();
    match begins.len() < value.len() {
        true => format!("{begins:?}…"),
        false => format!("{begins:?}"),
    }
}
