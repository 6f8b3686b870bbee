//! The volume's directory appears at the target.

use drivebay_guest::exports::node::{Guest, Health, NodeInfo, StageRequest};
use drivebay_guest::mounts::Target;
use drivebay_guest::pool::Pool;
use drivebay_guest::prelude::*;
use drivebay_guest::volume::refuse_choices;

use crate::Local;
use crate::attachment::CLAIMED_BY;
use crate::location::Location;

impl Guest for Local {
    /// The host's name for this node will do, and a pool has no limit of its own.
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo::default())
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let volume = &request.volume;
        refuse_choices("a volume", &request.kind)?;
        let location = Location::of(volume)?;
        let pool = Pool::open(&location.pool)?;
        // It may have been given to another node since.
        if let Some(node) = Params(&volume.publish_context).get(CLAIMED_BY) {
            pool.require_claim(&location.directory, &volume.id, node)?;
        }
        target.bind(&pool.directory, &location.directory)
    }

    fn get_health(volume: Volume) -> Result<Health, Error> {
        let location = Location::of(&volume)?;
        Ok(
            match Pool::open(&location.pool)?.holds(&location.directory)? {
                true => Health::Ok,
                false => {
                    Health::Inaccessible(format!("pool {} has lost the directory", location.pool))
                }
            },
        )
    }
}
