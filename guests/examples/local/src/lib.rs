//! Directories as volumes: the example to read first.
//!
//! A pool is a directory of the node that the operator granted by name. A volume is a directory in it, made
//! by a claim or put there by hand. Files are named after exported interfaces:
//!
//! - `controller`: volumes come and go, start as copies of others, and grow by a promise that nothing enforces
//! - `volume_listing`: which volumes there are, and what room
//! - `attachment`: one node at a time may use a volume; a file says which
//! - `node`: the directory appears at the target
//!
//! What has to survive a call is a file in the pool's `.drivebay`, of which `records` says what is in it, because the
//! guest itself begins anew each time.

mod attachment;
mod controller;
mod location;
mod node;
mod records;
mod volume_listing;

use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::parameters::described;
use location::{OF_CLASSES, OF_VOLUMES};

/// The guest.
#[derive(Debug)]
pub struct Local;

drivebay_guest::log_panics!();
drivebay_guest::export!(Local: identity, controller, volume_listing, capacity, cloning, attachment, expansion, node);

impl identity::Guest for Local {
    fn describe() -> Description {
        drivebay_guest::description!(
            "makes directories of a granted directory, and binds them to pods",
            described(&[OF_VOLUMES, OF_CLASSES])
        )
    }
}
