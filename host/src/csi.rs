//! The Container Storage Interface: kubelet and the CSI sidecars call over gRPC on a Unix socket.
//!
//! ```text
//! proto             the messages, transcribed; codec: as bytes
//! call              one RPC: deadline, a thread of its own, log line
//! identity          who is there; never waits
//! controller, node  one method for each RPC: words in, one operation, words out
//! group_controller  the same for what is done to several volumes at once
//! secrets           what a call brings and nobody keeps
//! request, response their words and ours; volume_health: those of the alpha health calls
//! capabilities      what the component exports, in their numbers
//! status            conditions as gRPC codes, the one table
//! concurrency       how many calls of a driver run at once
//! services, http2   whose call it is, and the way to it; deadline: and no longer than its caller waits
//! endpoint, serve   the socket, and stopping; accept, graceful_close: whoever connects; takeover: from the process before
//! registration      how kubelet learns that a driver is there; authority: by a path that HTTP does not know for a host
//! health            whether every driver can be called, and kubelet knows it
//! metrics           what was done, in numbers
//! ```
//!
//! CSI's words end here. There is no SnapshotMetadata: the contract has nothing like it.

mod accept;
mod authority;
mod backoff;
mod call;
mod capabilities;
mod codec;
mod concurrency;
mod controller;
mod deadline;
mod endpoint;
mod graceful_close;
mod group_controller;
mod health;
mod http2;
mod identity;
mod metrics;
mod node;
mod plugin;
mod proto;
mod registration;
mod request;
mod response;
mod secrets;
mod serve;
mod services;
mod status;
mod takeover;
mod volume_health;

pub use capabilities::{controller_rpcs, group_controller_rpcs, node_rpcs};
pub use endpoint::{Endpoint, EndpointError};
pub use metrics::{MetricsAddress, MetricsAddressError, MetricsListener, Pages, Sample, Samples};
pub use plugin::{Mode, Plugin};
pub use registration::{RegistrationError, registration_socket};
pub use serve::{MetricsConfig, ServeError, serve};
