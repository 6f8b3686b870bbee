//! What executes guest code, and the rooms that it imports: what is linked beside this file is all that there is.
//!
//! Of the broker there is what crosses the line. The tests of `runtime` run here against one that answers as they say.

#![allow(
    warnings,
    reason = "the host is judged at home, where all of it is used"
)]

mod bindings;
mod broker;
mod config;
mod digest;
mod error;
mod grant;
mod runtime;
mod store;
mod sys;
mod volume;
mod worker;
