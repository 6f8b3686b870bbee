//! The volume that is being staged, while it is.

/// Which it is.
#[derive(Debug, Clone)]
pub(super) struct Staging {
    pub(super) volume: String,
    /// Whether its disk is on this node.
    pub(super) is_here: bool,
}
