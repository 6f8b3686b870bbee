//! Drivebay runs Kubernetes storage backends as WebAssembly components that can touch nothing they were
//! not handed.
//!
//! ```text
//! kubelet, controller-manager      kubelet, CSI sidecars        an operator, an author
//!   exec <vendor~driver>/<driver>    gRPC on a Unix socket        drivebay check, run, …
//!             │                              │                           │
//!        flexvolume                         csi                      commands    the only rooms that know their protocol
//!             └──────────────┬───────────────┴───────────────────────────┘
//!                         driver           operations, per-volume lock, idempotency; knows no transport
//!                            ├── journal   what was mounted and attached, durable, so that it can be undone
//!                         runtime          one fresh instance per call; limits
//!                            ├── store     components on this node, which version serves, their compiled code
//!                     guest component      holds handles, never paths
//!                            │ asks and answers: plain data
//!       ─────────────────────┼───────────────────────  the line: no foreign code below it, no privilege above it
//!                            │
//!                         broker           what guests ask is judged by grants, and done or refused
//!                            │
//!                         worker           kernel work that can hang, in processes that can be killed
//!                            │
//!                           sys            thin system calls, the one door to the kernel
//! ```
//!
//! | look for | in |
//! |---|---|
//! | the contract, one capability per file | `wit/` |
//! | FlexVolume's words | [`flexvolume`] |
//! | CSI's words, and the messages | [`csi`], `host/proto/csi.proto` |
//! | where a volume is mounted, by which rules | [`driver`]: `mount`, `mount_rules` |
//! | how a volume is locked | [`driver`]: `lock` |
//! | where a CSI call is answered, and with which code | [`csi`]: `controller`, `node`, `status` |
//! | what kubelet's FlexVolume caller reads | [`flexvolume`]: `reply` |
//! | which condition an errno is, ESTALE among them | `worker::errno` |
//! | what a call's secrets may be used for, and what is made of them | [`grant`], `broker::secrets` |
//! | mount(2) itself: of NFS and SMB, of disks | `worker::server`: `mount_remote`, `nfs`, `cifs`; `device::mount` |
//! | options of a mount, and their flags | `worker::mount_flags` |
//! | the proof that a disk is blank | `worker::server::device::blank` |
//! | a snapshot's archive | `worker::server::archive` |
//! | how a component is compiled | `store::compile` |
//! | which version serves a driver, and the file whose rename is the switch | [`store`]: `active`, `version_record` |
//! | the steps of a new version, how far it has come | [`store`]: `activate`, `version_progress` |
//! | who follows directories and drivers' files | [`store`]: `updates`, `watcher_lock` |
//! | which driver's file counts while somebody watches | [`store`]: `active`, `activated_driver` |
//! | what an operator decides by name, and how a record changes then | [`store`]: `manual_activation`, `version_change` |
//! | what a directory of new components holds, and when to look at it again | [`store`]: `source`, `watch` |
//! | how a component is unpacked, and who signed it | [`store`]: `decompress`, `signature` |
//! | what a new version takes away, and which old ones stay | [`store`]: `breaking_change`, `retain` |
//! | when a version gives way to the one before by itself | [`store`]: `automatic_rollback`, `call_counts` |
//! | how one process takes over from another | `sys::socket_name`, `csi::accept`, `csi::takeover` |
//! | whose the state directory is, and its format | `config::state_format` |
//! | how kubelet learns of a driver, and what `/readyz` says | [`csi`]: `registration`, `health` |
//! | how many volumes a node can have | [`driver`]: `attach_limit` |
//! | what a process has to be allowed for a driver | [`driver`]: `privileges` |
//! | drivers' files that a pod brings to its node | [`config`]: `node_copy` |
//! | what stays true between calls | [`driver`], `journal` |
//! | what a guest may do: where a grant is checked | [`grant`], one file a capability; asked by that of `broker` |
//! | what crosses the line, and how it is answered | `broker`: `ask`, `answer`, one file a capability |
//! | how a guest's import becomes a question | [`runtime`]: `host` |
//! | the operator's files | [`config`] |
//! | what workers do: mount, NFS, disks, files, HTTPS | `worker::server` |
//! | system calls | [`sys`] |
//! | SHA-256 and hexadecimal, for every layer | `digest` |
//! | the command line | `commands`, of the binary |
//! | guests, a workspace of their own | `guests/` |
//! | promises, tested from outside | `tests/` |
//! | the ECS API for tests, and Alibaba's SDKs that hold it to account | `tests/ecs-emulator/`, `tests/sdk/` |
//! | the task runner | `tests/xtask/` |
//! | claims of FlexVolume's classes, and Kubernetes' API | `host/provision/`, a program of its own |
//! | manifests, grants files, the operators' guide | `deploy/` |
//!
//! # Words
//!
//! One word for each idea, of whoever owns it: CSI, FlexVolume, mount(2), the component model.
//!
//! | word | here |
//! |---|---|
//! | host | the native binary |
//! | guest, component | a backend's code, compiled to WebAssembly; a component is its file, a guest one that runs |
//! | driver | what Kubernetes addresses: a component, its grants and its names |
//! | backend | the storage system far away |
//! | capability | an interface that the host offers guests |
//! | ask, answer | what crosses the line between guest code and privilege: a question as plain data, and what comes back |
//! | handle | a number that stands for something a guest may use, of one kind, for one call |
//! | grant | the operator's permission to use one, with its limits |
//! | export | an interface that a component offers: what it exports is what it can do |
//! | call-out | a FlexVolume command |
//! | stage, publish | mount once for the node, mount for one pod; staging path, target path |
//! | attach | make a backend's volume appear on a node, before it is mounted there |
//! | volume context, publish context | parameters of a volume, and what attaching returned |
//! | mount spec, source, state | how a volume is asked to be mounted, what from, and what is mounted there now |
//! | stale mount | one that is no longer what was mounted: ESTALE, a disk that is gone, a filesystem shut down |
//! | place | a topology of CSI, as a backend names it; nothing else |
//! | condition | why something failed, one to one with the contract's errors; each front-end has one table of codes |
//! | operation | one call of a driver, under the lock of what it changes |
//! | record | what the journal has of one volume |
//! | source | a directory that components are delivered in: a ConfigMap, an image, a directory of the node |
//! | candidate | a component in a source: neither unpacked nor verified |
//! | version | a component, told from others by its digest, as one of those that may serve a driver |
//! | active, previous | the version that serves; those that did before, which can be gone back to |
//! | pending, refused, held, rejected | on its way; failed at a step; waits for the operator; not activated by itself |
//! | activate | let a version serve: by itself after all steps, or by name |
//! | watch | to follow sources and drivers' files and take up what changes: one process of a node does |
//! | worker | a process for what can hang or needs privileges, which can be killed |
//! | stats | what something has counted or used up |
//! | cache | what is kept to save work, and can be lost |
//!
//! Each layer imports only those below it; `tests/style/architecture.rs` asserts the table. The library exists
//! for the two binaries; its interface is not promised to anyone else.

mod bindings;
mod broker;
pub mod config;
#[cfg(feature = "csi")]
pub mod csi;
pub mod digest;
pub mod driver;
pub mod error;
pub mod flexvolume;
pub mod grant;
mod journal;
pub mod log_file;
pub mod log_stream;
pub mod runtime;
pub mod store;
pub mod sys;
pub mod volume;
pub mod worker;
