//! What tests, the demo and measurements stand on: a node beneath one directory, and a cloud beside it.

mod cloud;
mod command;
mod config_map;
mod emulator;
mod mounts;
mod node;
mod processes;
mod scratch;
mod serving;

pub use cloud::{Cloud, NODE_NAME};
pub use config_map::ConfigMap;
pub use emulator::{Emulator, Endpoints};
pub use mounts::mounts_beneath;
pub use node::{Layout, Node};
pub use processes::end_processes_of;
pub use scratch::Scratch;
pub use serving::Serving;
