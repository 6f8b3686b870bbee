//! Where tests of CSI's calls for disks take place.

use std::fmt;

use tonic::{Code, Status};

use crate::{Cloud, Csi, CsiVolume, Node};

/// A cloud, this machine as a node in it, and the driver.
#[derive(Debug)]
pub struct Site {
    /// All of CSI's services for disks, on one socket.
    pub csi: Csi,
    /// Where disks are attached and mounted.
    pub node: Node,
    /// Where disks are made.
    pub cloud: Cloud,
}

impl Site {
    /// With nothing in it yet.
    #[expect(
        clippy::new_without_default,
        reason = "it starts processes, which no default value should"
    )]
    pub fn new() -> Self {
        let cloud = Cloud::start();
        let node = Node::with_disks(&cloud);
        let csi = node.serve("alicloud-disk");
        Self { csi, node, cloud }
    }

    /// A disk that is made and not attached.
    #[track_caller]
    pub fn disk(&self, name: &str) -> CsiVolume<'_> {
        CsiVolume::disk(&self.csi, &self.node, name)
    }

    /// At the end of a test.
    #[track_caller]
    pub fn is_clean(&self) {
        self.node.is_clean();
        assert!(self.cloud.disks().is_empty());
    }
}

/// What a refusal of ours with that code says. None has details, and none is without words.
#[track_caller]
pub fn refused<T: fmt::Debug>(answer: Result<T, Status>, code: Code) -> String {
    let status = answer.expect_err("refused");
    assert_eq!(status.code(), code, "{}", status.message());
    assert!(status.details().is_empty());
    assert!(!status.message().is_empty());
    status.message().to_owned()
}
