//! Volumes come and go.
//!
//! The record is written before the directory is made and removed after the directory is: whatever is cut
//! off in between, a retry finds the record and finishes the work.

use crate::Local;
use crate::bindings::drivebay::driver::log::{self, Level};
use crate::bindings::drivebay::driver::types::{
    AccessMode, AccessType, CreateRequest, Error, Volume, VolumeCapability, VolumeInfo,
    VolumeSource,
};
use crate::bindings::exports::drivebay::driver::controller::Guest;
use crate::options::Location;
use crate::pool::Pool;
use crate::state::{self, Record};

/// Pods that run as other users get access by `fsGroup`.
const MODE: u32 = 0o755;

impl Guest for Local {
    fn create_volume(request: CreateRequest) -> Result<VolumeInfo, Error> {
        let location = Location::for_claim(&request.name, &request.parameters);
        make(&location, request, None)
    }

    fn delete_volume(id: String) -> Result<(), Error> {
        // An id that `create-volume` cannot have returned names no volume of ours: nothing to delete.
        let Ok(location) = Location::of_id(&id) else {
            return Ok(());
        };
        let pool = Pool::open(&location.pool)?;
        let volume = &location.directory;
        if let Some(claim) = pool.claim(volume)? {
            return Err(Error::FailedPrecondition(format!(
                "cannot delete volume {id}: node {} uses it",
                claim.node
            )));
        }
        if pool.record(volume)?.is_some() {
            pool.directory.remove_tree(volume)?;
            pool.remove_record(volume)?;
            log::write(Level::Info, &format!("deleted volume {id}"));
        } else if pool.holds(volume)? {
            return Err(Error::FailedPrecondition(format!(
                "cannot delete volume {id}: it was not made by this driver; remove the directory by hand"
            )));
        }
        Ok(())
    }

    fn validate_volume(volume: Volume, capabilities: Vec<VolumeCapability>) -> Result<(), Error> {
        let location = Location::of(&volume)?;
        Pool::open(&location.pool)?.require(&location.directory)?;
        check_capabilities(&capabilities)
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        let location = Location::of_id(&id)?;
        let pool = Pool::open(&location.pool)?;
        match pool.record(&location.directory)? {
            Some(record) => info(&pool, &location, &record),
            None => Err(Error::NotFound(format!(
                "no volume {id} was made by this driver"
            ))),
        }
    }
}

/// Make the volume, or find it: empty, or a copy of another directory of the pool.
pub(crate) fn make(
    location: &Location,
    request: CreateRequest,
    source: Option<String>,
) -> Result<VolumeInfo, Error> {
    check_capabilities(&request.capabilities)?;
    let wanted = Record {
        size_bytes: state::size(&request.capacity)?,
        source,
        name: request.name,
    };
    let pool = Pool::open(&location.pool)?;
    let record = match pool.record(&location.directory)? {
        Some(record) => record,
        None => begin(&pool, location, wanted.clone())?,
    };
    record.satisfies(&wanted, &request.capacity)?;
    fill(&pool, location, &record)?;
    info(&pool, location, &record)
}

/// A directory can be used by every process of one node, and never as a block device.
fn check_capabilities(capabilities: &[VolumeCapability]) -> Result<(), Error> {
    for capability in capabilities {
        if matches!(capability.kind, AccessType::Block) {
            return Err(Error::Unsupported(
                "a directory cannot be a block device".into(),
            ));
        }
        match capability.mode {
            AccessMode::SingleNodeWriter
            | AccessMode::SingleNodeReaderOnly
            | AccessMode::SingleNodeSingleWriter
            | AccessMode::SingleNodeMultiWriter => {}
            AccessMode::MultiNodeReaderOnly
            | AccessMode::MultiNodeSingleWriter
            | AccessMode::MultiNodeMultiWriter => {
                return Err(Error::Unsupported(
                    "a volume can be used by one node at a time".into(),
                ));
            }
        }
    }
    Ok(())
}

/// Write down what is going to be made.
fn begin(pool: &Pool, location: &Location, record: Record) -> Result<Record, Error> {
    if let Some(source) = &record.source {
        pool.require(source)?;
    }
    pool.add_record(&location.directory, &record)?;
    log::write(Level::Info, &format!("making volume {}", location.id()));
    Ok(record)
}

/// Make what is written down. A copy appears whole or not at all, so a volume that is there is finished.
fn fill(pool: &Pool, location: &Location, record: &Record) -> Result<(), Error> {
    if pool.holds(&location.directory)? {
        return Ok(());
    }
    match &record.source {
        None => pool.directory.make_directory(&location.directory, MODE),
        Some(source) => pool.directory.copy_tree(source, &location.directory),
    }
}

/// What there is to say about a volume.
pub(crate) fn info(pool: &Pool, location: &Location, record: &Record) -> Result<VolumeInfo, Error> {
    let source = record.source.as_ref().map(|directory| {
        let source = Location {
            directory: directory.clone(),
            ..location.clone()
        };
        VolumeSource::Volume(source.id())
    });
    Ok(VolumeInfo {
        id: location.id(),
        capacity_bytes: record.size_bytes,
        context: location.context(),
        source,
        // From everywhere, as far as the guest can tell: a pool may be on a shared filesystem.
        places: Vec::new(),
        nodes: pool
            .claim(&location.directory)?
            .into_iter()
            .map(|claim| claim.node)
            .collect(),
    })
}
