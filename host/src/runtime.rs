//! Guests: load, call, and end them.
//!
//! One call, one instance: a fresh store with its own limits, dropped afterwards. What is loaded, and in which
//! version, the store of components has. A trap, a limit or a deadline becomes an error that names guest and export;
//! nothing of a guest survives it. What a guest asks of the host goes to the broker that the call came with: nothing here
//! knows what was granted, or does what is asked.

mod call;
mod clock;
mod guest;
mod guest_time;
mod host;
mod limiter;
#[cfg(feature = "compiler")]
mod self_test;
mod state;
mod stderr;
mod wasi;
mod wasi_stubs;

pub use call::{AttachRequest, CallSetup, StageRequest, TraceDetail};
pub use guest::{Guest, Runtime};
pub(crate) use guest_time::GuestTime;
#[cfg(feature = "compiler")]
pub(crate) use self_test::self_test;
