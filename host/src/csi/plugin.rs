//! One driver, as CSI's callers see it.

use std::path::PathBuf;
use std::sync::Arc;

use super::concurrency::ConcurrencyLimit;
use super::endpoint::Endpoint;
use super::registration::KubeletStatus;
use super::takeover::TakeoverStatus;
use crate::driver::{AttachLimit, Driver, Work};
use crate::error::DriverError;
use crate::volume::NodeId;

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
    pub(super) fn has_controller(self) -> bool {
        matches!(self, Self::Controller | Self::All)
    }

    pub(super) fn has_node(self) -> bool {
        matches!(self, Self::Node | Self::All)
    }

    /// Whose calls that are.
    pub fn work(self) -> Work {
        match self {
            Self::Controller => Work::Controller,
            Self::Node => Work::Node,
            Self::All => Work::All,
        }
    }
}

/// One driver on one socket.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "a field without a comment is what its name and type say"
)]
pub struct Plugin {
    pub driver: Driver,
    pub endpoint: Endpoint,
    pub mode: Mode,
    /// The cluster's name of this node.
    pub node: Option<NodeId>,
    /// How many volumes the node can have, where the operator says so and the backend has such a limit.
    pub attach_limit: Option<AttachLimit>,
    /// kubelet's directory of plugins, where it is to know of the driver.
    pub register_at: Option<PathBuf>,
}

/// One driver, as CSI's callers see it; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Service(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) driver: Driver,
    pub(super) name: String,
    pub(super) mode: Mode,
    /// The cluster's name of this node, for backends that have none of their own.
    pub(super) node: Option<NodeId>,
    pub(super) attach_limit: Option<AttachLimit>,
    pub(super) concurrency: ConcurrencyLimit,
    /// Where kubelet is to know of the driver, and how it stands with it.
    pub(super) registration: Option<(PathBuf, KubeletStatus)>,
    pub(super) takeover_status: TakeoverStatus,
}

impl Service {
    pub(super) fn new(plugin: Plugin) -> Result<Self, DriverError> {
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
            attach_limit: plugin.attach_limit,
            concurrency: ConcurrencyLimit::new(),
            registration: plugin
                .register_at
                .map(|directory| (directory, KubeletStatus::default())),
            takeover_status: TakeoverStatus::default(),
        })))
    }

    /// Whether kubelet is its caller, which asks for NodeGetInfo before it calls anything else.
    pub(super) fn is_asked_by_kubelet(&self) -> bool {
        self.0.registration.is_some() || self.0.mode == Mode::Node
    }
}
