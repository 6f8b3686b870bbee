//! Who does: the worker process itself, from its first request to its end.

mod archive;
mod bounds;
mod copy;
pub(super) mod device;
mod files;
#[cfg(feature = "network")]
mod https;
pub(super) mod job;
pub(super) mod mount;
mod network;
pub(super) mod nfs;
pub(super) mod serve;

pub use super::client::compiler::{is_compiler, serve_compiler};
pub use serve::{is_worker, serve_worker};
