//! A backend that does all it should, but for one thing: `drivebay conform` is tried with it.
//!
//! Which thing that is stands in the component as a text, over which a test writes the name of a rule. So there is one
//! guest for all faults, and each fault stands beside what it spoils, behind [`breaks`].
//!
//! Volumes are directories of the pool `pool`, snapshots are only written down.

mod controller;
mod groups;
mod health;
mod listing;
mod modification;
mod node;
mod records;
mod snapshots;

use std::hint::black_box;

use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::parameters::described;
use drivebay_guest::pool::Pool;
use drivebay_guest::prelude::*;

/// The guest.
#[derive(Debug)]
pub struct Faulty;

drivebay_guest::log_panics!();
drivebay_guest::export!(
    Faulty: identity, controller, volume_listing, volume_health, volume_health_listing, capacity, cloning, attachment,
    expansion, modification, snapshots, snapshot_listing, group_snapshots, node
);

drivebay_guest::parameters! {
    const OF_VOLUMES: "volume" = {
        COLOUR: Written = "colour", default = "none" => "A colour.";
        SPEED: Written = "speed", default = "0" => "A number.";
    }
}

drivebay_guest::parameters! {
    const OF_CLASSES: "storage-class" = {
        COLOUR, default = "none" => "A colour.";
    }
}

drivebay_guest::parameters! {
    const OF_CHANGES: "volume-attributes-class" = {
        SPEED, default = "0" => "A number.";
    }
}

impl identity::Guest for Faulty {
    fn describe() -> Description {
        drivebay_guest::description!(
            "makes directories of a granted directory, with one fault",
            described(&[OF_VOLUMES, OF_CLASSES, OF_CHANGES])
        )
    }
}

/// The rule that is broken; a test writes another name over it.
static BROKEN: [u8; 40] = *b"broken: nothing                         ";

/// Whether the fault is the one that breaks this rule.
fn breaks(rule: &str) -> bool {
    // The compiler must not know it, because it changes afterwards.
    let broken = black_box(&BROKEN);
    let name = broken.strip_prefix(b"broken: ").unwrap_or_default();
    name.trim_ascii_end() == rule.as_bytes()
}

/// Where the volumes are.
fn pool() -> Result<Pool, Error> {
    Pool::open("pool")
}

/// A volume's directory, by its id; none where the id is none of ours.
fn directory(id: &str) -> Option<&str> {
    let directory = id.strip_prefix("v-")?;
    let is_plain = |c: char| !c.is_control() && c != '/';
    let is_name = !directory.is_empty() && !directory.starts_with('.');
    (is_name && directory.chars().all(is_plain)).then_some(directory)
}

/// The same of a volume that has to be there.
fn existing(pool: &Pool, id: &str) -> Result<String, Error> {
    let directory = directory(id).ok_or_else(|| error!(NotFound: "no volume {id}"))?;
    ensure!(pool.holds(directory)?, NotFound: "no volume {id}");
    Ok(directory.into())
}
