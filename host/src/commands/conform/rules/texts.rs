//! What a component says to people.

use drivebay::error::{Condition, DriverError};
use drivebay::store::Export;
use drivebay::volume::{CapacityRange, CreateVolume};

use crate::commands::conform::bench::{Bench, reference};
use crate::commands::conform::expectation::{Checked, holds};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "texts-name-the-volume",
        asks: "the text of not-found and of already-exists has the volume's name or id in it",
        why: "it is all that stands in the events of a claim, among those of a thousand others",
        needs: &[Export::Controller],
        check: names_the_volume,
    },
    Rule {
        name: "texts-have-no-secret",
        asks: "no error and no line of the log has a session token or a secret in it",
        why: "events and logs are read by many who may not have it, and are kept",
        needs: &[],
        check: no_secret,
    },
];

fn texts(bench: &Bench) -> Checked<Vec<(String, DriverError)>> {
    let request = bench.request("texts");
    let made = bench.volume("texts")?;
    let larger = CreateVolume {
        capacity: CapacityRange {
            required_bytes: Some(made.capacity_bytes.saturating_mul(3)),
            limit_bytes: None,
        },
        ..request.clone()
    };
    let conflict = bench.create(&larger).err();
    let id = bench.gone("texts-and-gone")?.id;
    let missing = bench.session().get_volume(&id).err();
    let texts = [(request.name, conflict), (id.0, missing)];
    let texts = texts.into_iter();
    let texts = texts.filter_map(|(name, error)| Some((name, error?)));
    // Others are other rules'.
    let is_its = |error: &DriverError| {
        matches!(
            error.condition(),
            Condition::NotFound | Condition::AlreadyExists
        )
    };
    Ok(texts.filter(|(_, error)| is_its(error)).collect())
}

fn names_the_volume(bench: &Bench) -> Checked {
    for (name, error) in texts(bench)? {
        let said = error.chain();
        holds(said.contains(&name), || {
            format!("the text {said:?} does not say that it is about {name:?}")
        })?;
    }
    Ok(())
}

fn no_secret(bench: &Bench) -> Checked {
    let mut said = Vec::new();
    if bench.exports(Export::Controller) {
        said.extend(texts(bench)?.iter().map(|(_, error)| error.chain()));
        if bench.exports(Export::Attachment) {
            let there = reference(&bench.volume("texts-attached")?);
            let gone = bench.gone("texts-detached")?;
            for volume in [there, gone] {
                said.extend(bench.attach(&volume).err().map(|error| error.chain()));
            }
        }
    }
    if bench.exports(Export::Node)
        && let Ok(volume) = bench.mountable("texts-mounted")
    {
        said.extend(
            bench
                .mount(&volume, "texts")
                .err()
                .map(|error| error.chain()),
        );
    }
    said.extend(bench.logged());
    for text in said {
        let secret = bench
            .secrets()
            .into_iter()
            .find(|secret| text.contains(secret));
        holds(secret.is_none(), || {
            format!(
                "it said {:?}",
                text.replace(bench.secrets()[0], "(the session token)")
            )
        })?;
    }
    Ok(())
}
