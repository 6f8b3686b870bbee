//! What an author types: the guide's own commands, with the real toolchains, from nothing to a volume that kubelet
//! mounts.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod author;
mod examples;
mod filer;
mod guide;
mod skeletons;
