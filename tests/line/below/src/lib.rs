//! The rooms below the line, and nothing above it: what is linked beside this file is all that there is.
//!
//! The tests of `broker` run here without the engine, without a guest and without the contract's bindings.

#![allow(
    warnings,
    reason = "the host is judged at home, where all of it is used"
)]

mod broker;
mod digest;
mod error;
mod grant;
mod sys;
mod volume;
mod worker;
