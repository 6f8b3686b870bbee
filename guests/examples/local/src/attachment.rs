//! One node at a time uses a volume: the one that the volume's claim file names.

use crate::Local;
use crate::bindings::drivebay::driver::types::{Access, Error, Parameters, Volume};
use crate::bindings::exports::drivebay::driver::attachment::Guest;
use crate::options::Location;
use crate::pool::Pool;
use crate::state::Claim;

/// The publish context's one key: the node that holds the claim.
pub(crate) const CLAIMED_BY: &str = "claimed-by";

impl Guest for Local {
    fn attach_volume(volume: Volume, node_id: String, access: Access) -> Result<Parameters, Error> {
        let location = Location::of(&volume)?;
        let pool = Pool::open(&location.pool)?;
        pool.require(&location.directory)?;
        if !pool.admits(&node_id)? {
            return Err(Error::NotFound(format!(
                "pool {} is not for node {node_id}",
                location.pool
            )));
        }
        let wanted = Claim {
            node: node_id,
            access,
        };
        let claim = pool.add_claim(&location.directory, &wanted)?;
        if claim.node != wanted.node {
            return Err(Error::FailedPrecondition(format!(
                "cannot attach volume {} to node {}: node {} uses it",
                volume.id, wanted.node, claim.node
            )));
        }
        if claim != wanted {
            return Err(Error::AlreadyExists(format!(
                "volume {} is attached to node {} with other access; detach it first",
                volume.id, claim.node
            )));
        }
        Ok(vec![(CLAIMED_BY.into(), claim.node)])
    }

    fn detach_volume(volume: Volume, node_id: String) -> Result<(), Error> {
        let location = Location::of(&volume)?;
        let pool = Pool::open(&location.pool)?;
        match pool.claim(&location.directory)? {
            // CSI leaves the node out to mean whichever it is.
            Some(claim) if node_id.is_empty() || claim.node == node_id => {
                pool.remove_claim(&location.directory)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn is_attached(volume: Volume, node_id: String) -> Result<bool, Error> {
        let location = Location::of(&volume)?;
        let claim = Pool::open(&location.pool)?.claim(&location.directory)?;
        Ok(claim.is_some_and(|claim| claim.node == node_id))
    }
}
