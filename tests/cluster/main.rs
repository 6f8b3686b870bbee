//! Drivebay on a cluster, as its users see it: through `kubectl`, with the shipped manifests and the shipped image.
//!
//! Runs against the cluster of `cargo xtask cluster`, which `cargo xtask test --only cluster` starts and ends. Tests that
//! only have volumes run beside each other; those that take Drivebay or kubelet away have the cluster to themselves.
//!
//! | what | promise |
//! |---|---|
//! | `manifests`, `options`, `permissions` | the API server takes every shipped manifest without a word, and who may do what |
//! | `claims`, `expansion`, `snapshots`, `raw_block`, `access`, `attributes` | what claims, pods and classes may ask for |
//! | `controllers`, `node_pod`, `kubelet` | who is killed, replaced or started again meanwhile |
//! | `swap`, `delivery` | a component comes by `kubectl apply` while pods come and go, and with nobody who annotates pods |
//! | `flexvolume`, `flexvolume_claims` | volumes without CSI, and claims of them |
//! | `migrate` | volumes without CSI become volumes of CSI, and back |
//! | `removal` | what `kubectl delete -k` leaves |
//! | `leftovers` | after all others: what they left |

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod access;
mod attributes;
mod claims;
mod class;
mod cloud;
mod component;
mod controllers;
mod delivery;
mod dry_run;
mod expansion;
mod flexvolume;
mod flexvolume_claims;
mod installation;
mod kubectl;
mod kubelet;
mod leftovers;
mod manifests;
mod migrate;
mod node_pod;
mod options;
mod permissions;
mod raw_block;
mod removal;
mod site;
mod snapshots;
mod swap;
mod turns;
mod writer;
