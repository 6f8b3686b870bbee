//! Drivebay runs Kubernetes storage backends as WebAssembly components that can touch nothing they were
//! not handed.
//!
//! ```text
//! csi               kubelet's and the sidecars' gRPC contract
//! flexvolume        kubelet's exec contract: argv in, one JSON object out
//! driver            operations, per-volume lock, journal, idempotency; knows no transport
//! journal           what was mounted and attached, durable, so that it can be undone
//! runtime           one fresh instance per call; limits; compiled code
//! capability        what the host offers guests, checked against grants
//! grant             the operator's permission; pure
//! config            the operator's files
//! worker            kernel work that can hang, in processes that can be killed
//! sys               thin system calls, the one door to the kernel
//! volume, error     the words every layer shares
//! digest            SHA-256 and hexadecimal, for every layer
//! ```
//!
//! Each layer imports only those below it; `tests/architecture.rs` asserts the table. The library exists
//! for the two binaries; its interface is not promised to anyone else.

mod bindings;
mod capability;
pub mod config;
#[cfg(feature = "csi")]
pub mod csi;
mod digest;
pub mod driver;
pub mod error;
pub mod flexvolume;
pub mod grant;
mod journal;
pub mod log_file;
pub mod log_stream;
pub mod runtime;
pub mod sys;
pub mod volume;
pub mod worker;
