//! Who does: the worker process itself, from its first request to its end.

mod answer;
mod archive;
mod cifs;
mod compiler_limits;
mod copy;
mod device;
mod directories;
mod files;
#[cfg(feature = "network")]
mod https;
pub(super) mod job;
mod mount_remote;
mod network;
mod nfs;
mod selinux;
mod serve;
mod statfs;
mod target;
pub(super) mod work_limits;

pub use compiler_limits::{is_compiler, serve_compiler};
pub use device::missing_programs;
pub use serve::{is_worker, serve_worker};
