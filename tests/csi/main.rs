//! What callers of CSI see of `drivebay serve`. Callers in other languages are programs in this directory.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod adopted_mounts;
mod alibaba_compatibility;
mod attach_limit;
mod broken_calls;
mod cloud_requests;
mod controllers;
mod frames;
mod group_snapshots;
mod metrics;
mod refused_callers;
mod registration;
mod repeats;
mod replacement;
mod rollback;
mod rules;
mod sanity;
mod secrets;
mod takeover;
mod unprivileged;
