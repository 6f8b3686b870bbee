//! Guests: load, call, and end them.
//!
//! One call, one instance: a fresh store with its own limits, dropped afterwards. What is loaded, and in which
//! version, the store of components has. A trap, a limit or a deadline becomes an error that names guest and export;
//! nothing of a guest survives it.

mod call;
mod clock;
mod guest;
mod limiter;
#[cfg(feature = "compiler")]
mod self_test;
mod state;
mod stderr;
mod wasi;
mod wasi_stubs;

pub use crate::capability::{DriverState, Purpose};
pub use call::{AttachRequest, CallSetup, StageRequest};
pub use guest::{Guest, Runtime};
#[cfg(feature = "compiler")]
pub use self_test::self_test;
