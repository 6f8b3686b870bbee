//! What no compiler checks: the rules of the source tree, and what is written of it.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod architecture;
mod guests;
mod manifests;
mod readme;
