//! The volume's directory appears at the target.

use crate::Local;
use crate::attachment::CLAIMED_BY;
use crate::bindings::drivebay::driver::mounts::Target;
use crate::bindings::drivebay::driver::types::{AccessType, Error, Volume};
use crate::bindings::exports::drivebay::driver::node::{Guest, Health, NodeInfo, StageRequest};
use crate::options::Location;
use crate::pool::Pool;

impl Guest for Local {
    /// The host's name for this node will do, and a pool has no limit of its own.
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo {
            id: String::new(),
            max_volumes: 0,
        })
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        check_kind(&request.kind)?;
        let location = Location::of(&request.volume)?;
        let pool = Pool::open(&location.pool)?;
        check_claim(&pool, &location, &request.volume)?;
        target.bind(&pool.directory, &location.directory)
    }

    fn get_health(volume: Volume) -> Result<Health, Error> {
        let location = Location::of(&volume)?;
        if Pool::open(&location.pool)?.holds(&location.directory)? {
            return Ok(Health::Ok);
        }
        Ok(Health::Inaccessible(format!(
            "pool {} has lost the directory",
            location.pool
        )))
    }
}

/// A directory is bound as it is; what cannot be honoured is refused rather than ignored.
fn check_kind(kind: &AccessType) -> Result<(), Error> {
    match kind {
        AccessType::Block => Err(Error::Unsupported(
            "a directory cannot be a block device".into(),
        )),
        AccessType::Filesystem(filesystem) if !filesystem.fs_type.is_empty() => {
            Err(Error::InvalidArgument(format!(
                "filesystem type {}: a directory has that of its pool; write none",
                filesystem.fs_type
            )))
        }
        AccessType::Filesystem(filesystem) if !filesystem.mount_options.is_empty() => {
            Err(Error::InvalidArgument(format!(
                "mount options {}: a directory has those of its pool; write none",
                filesystem.mount_options.join(",")
            )))
        }
        AccessType::Filesystem(_) => Ok(()),
    }
}

/// The claim that `attach-volume` made must still be there: the volume may have been given to another node
/// since.
fn check_claim(pool: &Pool, location: &Location, volume: &Volume) -> Result<(), Error> {
    let Some((_, node)) = volume
        .publish_context
        .iter()
        .find(|(key, _)| key == CLAIMED_BY)
    else {
        return Ok(());
    };
    match pool.claim(&location.directory)? {
        Some(claim) if claim.node == *node => Ok(()),
        Some(claim) => Err(Error::FailedPrecondition(format!(
            "volume {} is now used by node {}",
            volume.id, claim.node
        ))),
        None => Err(Error::FailedPrecondition(format!(
            "volume {} is no longer attached",
            volume.id
        ))),
    }
}
