//! What a backend says of this node.

use super::id::NodeId;
use super::provision::Topology;

/// This node, as the backend knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// Absent where the backend has no name of its own for nodes: the cluster's is used then.
    pub id: Option<NodeId>,
    /// Where it is; empty where volumes can be reached from everywhere.
    pub place: Topology,
    /// How many volumes it can hold; 0 means no limit is known.
    pub max_volumes: u32,
}
