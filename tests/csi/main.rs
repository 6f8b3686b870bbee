//! What callers of CSI see of `drivebay serve`. Callers in other languages are programs in this directory.

mod adopted_mounts;
mod alibaba_compatibility;
mod controllers;
mod group_snapshots;
mod metrics;
mod refused_callers;
mod rules;
mod sanity;
