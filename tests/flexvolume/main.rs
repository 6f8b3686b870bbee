//! What kubelet, or whoever calls in its place, sees of the shim.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod bad_arguments;
mod callouts;
mod crash;
mod full_node;
mod growing;
mod inline;
mod old_volumes;
mod on_mount;
mod secrets;
mod shares;
