//! Claims of FlexVolume's classes become volumes, FlexVolume's volumes those of CSI, and what is applied is told to pods: the
//! shipped `drivebay-provision` with a real API server and controller-manager, and the ECS emulator as the cloud.
//!
//! No kubelet and no scheduler: what those do here is one annotation of a claim. Each test has a driver name, namespaces and
//! a cloud of its own, and its provisioner has the rights of the shipped manifests and no others.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod api_refusals;
mod claims;
mod crashes;
mod deletion;
mod delivery;
mod delivery_site;
mod figures;
mod gate;
mod health;
mod kills;
mod leaders;
mod manifests;
mod migrate;
mod migrate_crashes;
mod migrate_left;
mod migrate_others;
mod migration;
mod nodes;
mod predecessors;
mod queues;
mod refusals;
mod scale;
mod site;
mod snapshots;
mod told;
