//! Directories as volumes: the example to read first.
//!
//! A pool is a directory of the node that the operator granted by name. A volume is a directory in it, made
//! by a claim or put there by hand. Each exported interface has a file of its own:
//!
//! - `controller`: volumes come and go
//! - `cloning`: a volume starts as a copy of another
//! - `volume_listing`, `capacity`: which volumes there are, and what room
//! - `attachment`: one node at a time may use a volume; a file says which
//! - `expansion`: a size is a promise written down, and nothing enforces it
//! - `node`: the directory appears at the target
//!
//! What has to survive a call is a file in the pool's `.drivebay` (`pool` reads and writes them, `state` says
//! what is in them), because the guest itself begins anew each time.

mod attachment;
mod bindings;
mod capacity;
mod cloning;
mod controller;
mod expansion;
mod node;
mod options;
mod page;
mod pool;
mod state;
mod volume_listing;

pub use bindings::Local;
use bindings::exports::drivebay::driver::identity::{self, Description};

impl identity::Guest for Local {
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "makes directories of a granted directory, and binds them to pods".into(),
            parameters: options::described(),
        }
    }
}
