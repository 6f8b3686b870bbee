//! One node at a time uses a volume: the one that the volume's claim file names.

use drivebay_guest::exports::attachment::Guest;
use drivebay_guest::pool::{Claim, Pool};
use drivebay_guest::prelude::*;

use crate::Local;
use crate::location::Location;

/// The publish context's one key: the node that holds the claim.
pub(crate) const CLAIMED_BY: &str = "claimed-by";

impl Guest for Local {
    fn attach_volume(volume: Volume, node: String, access: Access) -> Result<Parameters, Error> {
        let location = Location::of(&volume)?;
        let pool = Pool::open(&location.pool)?;
        pool.require(&location.directory)?;
        // The operator's file has ids of nodes, one a line. Without it, all may use the pool.
        let admits = |nodes: String| nodes.lines().any(|line| line == node);
        ensure!(pool.operators_file("nodes")?.is_none_or(admits), NotFound: "pool {} is not for node {node}",
            location.pool);
        let wanted = Claim { node, access };
        pool.claim(&location.directory, &volume.id, &wanted)?;
        Ok(vec![(CLAIMED_BY.into(), wanted.node)])
    }

    fn detach_volume(volume: Volume, node: String) -> Result<(), Error> {
        let location = Location::of(&volume)?;
        Pool::open(&location.pool)?.release(&location.directory, &node)
    }

    fn is_attached(volume: Volume, node: String) -> Result<bool, Error> {
        let location = Location::of(&volume)?;
        let holder = Pool::open(&location.pool)?.claimed_by(&location.directory)?;
        Ok(holder == Some(node))
    }
}
