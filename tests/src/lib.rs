//! What tests from outside share: a node of its own for each test, and kubelet's view of an answer.
//!
//! The binaries tested are the ones that are shipped, in `target/dist`; `cargo xtask build` puts them there.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod answer;
mod api;
mod appliance;
mod cloud;
mod config_map;
mod container;
mod control_plane;
mod csi;
pub mod csi_proto;
mod csi_volume;
mod disk;
mod dist;
mod host_functions;
mod hostile;
mod import_graph;
mod key_pair;
mod kubelet;
mod loop_device;
mod module;
mod network;
mod node;
mod options;
mod plugin_manager;
mod process;
mod program;
mod registration;
mod sanity;
mod serve_usage;
mod shipped_image;
mod silent_server;
mod site;
mod source;
mod tokens;
mod told;
mod told_answer;
mod trace;
mod traces;
mod volume;
mod wat_guest;
mod watchdog;
mod web_guest;
mod web_server;

pub use answer::Answer;
pub use api::Api;
pub use appliance::{ApplianceServer, KEY, PASSWORD, TOKEN, USERNAME, WORDS};
pub use cloud::{Cloud, INSTANCE, NODE_NAME, OTHER_INSTANCE, serial};
pub use config_map::{ConfigMap, Payload};
pub use container::SecurityContext;
pub use control_plane::{ControlPlane, Running, becomes, kubeconfig_of_proxy};
pub use csi::{Csi, is_answered_at, mounted, mounted_as, raw};
pub use csi_volume::{CsiVolume, created, disk_request};
pub use disk::{DISK, Disk, GIB, device};
pub use dist::{dist, guest, repository};
pub use host_functions::{guest_that_imports_all, host_functions, linked_of_wasi};
pub use hostile::{HOSTILE_GRANTS, hostile_node, mount_hostile};
pub use import_graph::ImportGraph;
pub use key_pair::{KeyPair, digest};
pub use kubelet::run_kubelet;
pub use loop_device::LoopDevice;
pub use network::{CONNECTING, NOBODY, Socket, is_nobody, owners};
pub use node::Node;
pub use options::{options, pod_options};
pub use plugin_manager::{Asked, PluginManager};
pub use process::{
    PATIENCE, all_succeed_at_once, eventually, kill_hard, killed_after, moments, send,
};
pub use program::{copy_program, write_script};
pub use registration::RegistrationSocket;
pub use sanity::{Sanity, SanityOutcome};
pub use serve_usage::{MemoryCgroup, ServeProcess};
pub use shipped_image::ShippedImage;
pub use silent_server::SilentServer;
pub use site::{Site, refused};
pub use source::{Line, files_beneath, host_code, host_source, read, rust_files};
pub use told::{descendants, holds, memory_holds, untold_beneath, untold_by};
pub use trace::Trace;
pub use traces::Traces;
pub use volume::{DEVICE, NODE_ID, Volume, text};
pub use wat_guest::{RESULT, WatGuest};
pub use web_guest::{KeyUse, asking, using_key};
pub use web_server::{Authority, WebServer, Wire};
