//! What backends of Drivebay have in common, so that a backend says only what its own is.
//!
//! ```text
//! bindings exports         the contract in Rust: what a guest may ask for, and what it may be asked; `export!`
//! error                    conditions, and `?`
//! parameters keywords      parameters by one declaration, which is also what the host is told; words of closed lists
//! ids name                 ids of a backend, checked; ids and directories for names that are too long or too strange
//! capacity volume topology sizes between bounds; what most backends say of volumes, and what they refuse; places
//! remote_path sub_dir mount_options
//!                          servers, paths on them, directories below a share; mount options of several origins
//! tree                     work beneath a directory, which a fake can take the place of
//! records store pool       what is written down about volumes, and where
//! layout directories provision archives
//!                          volumes that are directories of a share: their ids and records, which lies inside which,
//!                          how they come and go; their snapshots
//! attached_disk            a disk shows on the node, holds a filesystem, and is mounted
//! host backoff             time and chance; patience with a backend
//! json moment encode canonical page
//!                          how APIs speak, and what they have signed
//! call codes failure api create_once
//!                          APIs of actions, as clouds have: calls, what their refusals amount to and what may be
//!                          done then; looking until it is so; one thing for each name
//! fake                     a host in memory, for unit tests; feature `fake`
//! ```
//!
//! A guest from nothing:
//!
//! ```
//! use drivebay_guest::exports::identity::{self, Description};
//! use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
//! use drivebay_guest::mounts::{Target, open_directory};
//! use drivebay_guest::parameters::{Params, described};
//! use drivebay_guest::types::{Error, Volume};
//!
//! drivebay_guest::parameters! {
//!     const OF_VOLUMES: "volume" = {
//!         SHELF: Text = "shelf", required = true => "Granted directory that the volume is in.";
//!     }
//! }
//!
//! struct Shelf;
//!
//! impl identity::Guest for Shelf {
//!     fn describe() -> Description {
//!         drivebay_guest::description!("binds directories of a shelf to pods", described(&[OF_VOLUMES]))
//!     }
//! }
//!
//! impl node::Guest for Shelf {
//!     fn get_info() -> Result<NodeInfo, Error> {
//!         Ok(NodeInfo::default())
//!     }
//!
//!     fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
//!         let shelf = Params(&request.volume.context).required(SHELF)?;
//!         target.bind(&open_directory(shelf)?, &request.volume.id)
//!     }
//!
//!     fn get_health(_volume: Volume) -> Result<Health, Error> {
//!         Ok(Health::Ok)
//!     }
//! }
//!
//! drivebay_guest::log_panics!();
//! drivebay_guest::export!(Shelf: identity, node);
//! ```

#[macro_use]
pub mod error;
#[macro_use]
pub mod keywords;

pub mod api;
pub mod archives;
pub mod attached_disk;
pub mod backoff;
pub mod bindings;
pub mod call;
pub mod canonical;
pub mod capacity;
pub mod codes;
pub mod create_once;
pub mod directories;
pub mod encode;
pub mod exports;
pub mod failure;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod host;
pub mod ids;
pub mod json;
pub mod layout;
pub mod moment;
pub mod mount_options;
pub mod name;
pub mod page;
pub mod parameters;
pub mod pool;
pub mod provision;
#[macro_use]
pub mod records;
pub mod remote_path;
pub mod store;
pub mod sub_dir;
pub mod topology;
pub mod tree;
pub mod volume;

pub use bindings::{
    block_devices, files, https, log, mounts, secret_keys, secret_mounts, secret_requests, secrets,
    signing, types,
};
pub use keywords::Keyword;

/// What most files of a guest need: the contract's words, errors, parameters, the log, and what is written down of
/// directories.
pub mod prelude {
    pub use crate::error::{Condition, missing_is_none, there_is_done};
    pub use crate::keywords::Keyword;
    pub use crate::log;
    pub use crate::parameters::{Params, add_word, malformed};
    pub use crate::records::{Record, State};
    pub use crate::remote_path::RemotePath;
    pub use crate::sub_dir::SubDir;
    pub use crate::tree::Tree;
    pub use crate::types::*;
    pub use crate::{bail, ensure, error};
}
