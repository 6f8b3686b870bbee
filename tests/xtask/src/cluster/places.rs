//! Where everything of the cluster is: its files beneath target/, its addresses in a network of its own.

use std::path::{Path, PathBuf};

use crate::workspace::Workspace;

/// The one node, named as Alibaba Cloud's controller names nodes: the driver's identity of a node is told from it.
pub(super) const NODE: &str = "cn-hangzhou.i-bp1drivebaynode00001";

/// The node's address.
pub(super) const NODE_ADDRESS: &str = "10.99.0.1";

/// Where the cloud listens.
pub(super) const CLOUD_ADDRESS: &str = "10.99.0.2";

/// Where an instance's metadata is, on every instance.
pub(super) const METADATA_ADDRESS: &str = "100.100.100.200";

/// Addresses of Services, and the first of them, where the API server listens.
pub(super) const SERVICES: &str = "10.98.0.0/24";
pub(super) const API_SERVICE_ADDRESS: &str = "10.98.0.1";

/// Addresses of pods.
pub(super) const PODS: &str = "10.97.0.0/24";

/// The cluster's directory, target/cluster.
#[derive(Clone)]
pub(super) struct Places(PathBuf);

impl Places {
    pub(super) fn of(workspace: &Workspace) -> Self {
        Self(workspace.target().join("cluster"))
    }

    pub(super) fn top(&self) -> &Path {
        &self.0
    }

    /// Debian's packages, unpacked.
    pub(super) fn packages(&self) -> PathBuf {
        self.0.join("root")
    }

    /// Kubernetes and the CSI sidecars.
    pub(super) fn programs(&self) -> PathBuf {
        self.0.join("bin")
    }

    /// What each part said; kept until the next cluster begins.
    pub(super) fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// What lasts as long as the cluster.
    pub(super) fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// A file or directory that lasts as long as the cluster.
    pub(super) fn running(&self, name: &str) -> PathBuf {
        self.run().join(name)
    }

    /// The script that runs a command within the cluster.
    pub(super) fn enter(&self) -> PathBuf {
        self.0.join("enter")
    }

    /// How `identity` calls the API server.
    pub(super) fn kubeconfig(&self, identity: &str) -> PathBuf {
        self.running("kubeconfig").join(identity)
    }

    /// Where programs are looked for within the cluster: its own before this machine's.
    pub(super) fn search_path(&self) -> String {
        let (programs, packages) = (self.programs(), self.packages());
        format!(
            "{programs}:{root}/usr/bin:{root}/usr/sbin:{root}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            programs = programs.display(),
            root = packages.display()
        )
    }
}
