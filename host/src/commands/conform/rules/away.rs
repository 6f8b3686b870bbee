//! What is behind the component does not answer.

use std::time::Instant;

use drivebay::driver::Backend;
use drivebay::error::{Condition, DriverError};
use drivebay::store::Export;

use crate::commands::conform::bench::{Bench, PATIENCE};
use crate::commands::conform::expectation::{Checked, Stop, broke_down, broken, fails_with, told};
use crate::commands::conform::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "calls-end",
        asks: "create-volume comes to an end of its own where the backend does not answer",
        why: "a call that is cut off at its deadline, or for the time it takes of the processor, leaves behind what nobody knows of",
        needs: &[Export::Controller],
        check: ends,
    },
    Rule {
        name: "silence-is-not-absence",
        asks: "get-volume and delete-volume are unavailable where the backend does not answer",
        why: "a volume that is taken for gone because nobody could be asked is forgotten, and stays with its data and its price",
        needs: &[Export::Controller],
        check: silence,
    },
];

fn ends(bench: &Bench) -> Checked {
    bench.volume("ends-before")?;
    bench.backend(Backend::Away);
    let (begun, answer) = (Instant::now(), bench.create(&bench.request("ends")));
    match answer {
        Err(error) if broke_down(&error) || begun.elapsed() >= PATIENCE => Err(broken(format!(
            "create-volume without a backend ended in {}",
            told(&error)
        ))),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn silence(bench: &Bench) -> Checked {
    let made = bench.volume("silence")?;
    bench.backend(Backend::Away);
    let retried = &[Condition::Unavailable, Condition::InProgress];
    let found = uncut("get-volume", bench.session().get_volume(&made.id))?;
    fails_with("get-volume without a backend", found, retried)?;
    let deleted = uncut("delete-volume", bench.delete(&made.id))?;
    fails_with("delete-volume without a backend", deleted, retried)
}

/// What was cut off is another rule's.
fn uncut<T>(what: &str, answer: Result<T, DriverError>) -> Checked<Result<T, DriverError>> {
    match answer {
        Err(error) if broke_down(&error) && error.condition() == Condition::Unavailable => Err(
            Stop::Untried(format!("{what} was cut off: {}", told(&error))),
        ),
        answer => Ok(answer),
    }
}
