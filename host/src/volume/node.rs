//! What a backend says of this node, and of a volume seen from it.

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

/// How a volume is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Well.
    Ok,
    /// It works, with a reason to worry.
    Degraded(String),
    /// It cannot be reached from this node.
    Inaccessible(String),
}
