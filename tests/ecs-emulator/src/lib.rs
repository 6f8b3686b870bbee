//! Alibaba Cloud's ECS disk API on this machine, for tests: over TLS, with signatures, with real block devices.
//!
//! Requests come in through [`Emulator`]'s ports, are checked the way the cloud checks them, and change one
//! value; each change is written to the state directory before anyone sees it. What takes the cloud some time takes
//! some time here. Attaching a disk to the instance that this machine is makes a device appear on it.
//!
//! | look for | in |
//! |---|---|
//! | what is on the wire | `wire/` |
//! | signatures, keys, nonces | `signing/` |
//! | the state and how it changes by itself | `cloud/` |
//! | the state on disk | `state_file.rs`, `files.rs` |
//! | each action's rules | `actions/` |
//! | devices | `devices/` |
//! | faults on demand | `faults/` |
//! | the ports: API, STS, metadata, control | `ports/` |
//!
//! The rules come from the API's documents and from what the official SDKs and the official CSI driver do;
//! where documents disagree, the file with the rule says which one is followed.

mod actions;
mod chance;
mod cloud;
mod devices;
mod emulator;
mod error;
mod faults;
mod files;
mod ports;
mod request_log;
mod service;
pub mod settings;
pub mod signing;
mod state_file;
mod tls;
pub mod wire;
pub mod words;

pub use emulator::{Emulator, Endpoints};
pub use settings::Settings;
