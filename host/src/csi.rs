//! The Container Storage Interface: kubelet and the CSI sidecars call over gRPC on a Unix socket.
//!
//! ```text
//! proto             the messages, transcribed
//! call              one RPC: deadline, a thread of its own, log line
//! identity          who is there; never waits
//! controller, node  one method for each RPC: words in, one operation, words out
//! group_controller  the same for what is done to several volumes at once
//! request, response  their words and ours
//! capabilities      what the component exports, in their numbers
//! status            conditions as gRPC codes, the one table
//! concurrency       how many calls of a driver run at once
//! endpoint, serve   the socket, and stopping
//! metrics           what was done, in numbers
//! ```
//!
//! CSI's words end here. There is no SnapshotMetadata: the contract has nothing like it.

mod call;
mod capabilities;
mod concurrency;
mod controller;
mod endpoint;
mod group_controller;
mod identity;
mod metrics;
mod node;
mod proto;
mod request;
mod response;
mod serve;
mod status;

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::DriverError;
use crate::volume::NodeId;
use concurrency::ConcurrencyLimit;

pub use capabilities::{controller_rpcs, group_controller_rpcs, node_rpcs};
pub use endpoint::{Endpoint, EndpointError};
pub use serve::{MetricsConfig, Plugin, ServeError, serve};

/// Which of CSI's services a process offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Beside the cluster's controllers.
    Controller,
    /// On a node.
    Node,
    /// Both.
    All,
}

impl Mode {
    fn has_controller(self) -> bool {
        matches!(self, Self::Controller | Self::All)
    }

    fn has_node(self) -> bool {
        matches!(self, Self::Node | Self::All)
    }
}

/// One driver, as CSI's callers see it; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Service(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    driver: Driver,
    name: String,
    mode: Mode,
    /// The cluster's name of this node, for backends that have none of their own.
    node: Option<NodeId>,
    concurrency: ConcurrencyLimit,
}

impl Service {
    fn new(plugin: Plugin) -> Result<Self, DriverError> {
        let config = plugin.driver.config();
        let name = config.csi_name.clone().ok_or_else(|| {
            DriverError::invalid_argument(format!(
                "driver {} has no csi-name; set it in its file",
                config.name
            ))
        })?;
        Ok(Self(Arc::new(Shared {
            name,
            driver: plugin.driver,
            mode: plugin.mode,
            node: plugin.node,
            concurrency: ConcurrencyLimit::new(),
        })))
    }
}
