//! Volumes come, also as copies of others, grow and go.
//!
//! The record is written before the directory is made and removed after the directory is: whatever is cut
//! off in between, a retry finds the record and finishes the work.

use drivebay_guest::exports::{cloning, controller, expansion};
use drivebay_guest::log::Level;
use drivebay_guest::pool::Pool;
use drivebay_guest::prelude::*;
use drivebay_guest::volume::{refuse_block, refuse_several_nodes};

use crate::Local;
use crate::location::Location;
use crate::records::Made;

/// Pods that run as other users get access by `fsGroup`.
const MODE: u32 = 0o755;

impl controller::Guest for Local {
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
        if let Some(node) = pool.claimed_by(volume)? {
            bail!(FailedPrecondition: "cannot delete volume {id}: node {node} uses it");
        }
        if pool.record::<Made>(volume)?.is_some() {
            pool.directory.remove_tree(volume)?;
            pool.remove::<Made>(volume)?;
            log::write(Level::Info, &format!("deleted volume {id}"));
            return Ok(());
        }
        ensure!(!pool.holds(volume)?, FailedPrecondition: "cannot delete volume {id}: it was not made by this driver; \
            remove the directory by hand");
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
            None => bail!(NotFound: "no volume {id} was made by this driver"),
        }
    }
}

impl cloning::Guest for Local {
    fn clone_volume(request: CreateRequest, source_volume_id: String) -> Result<VolumeInfo, Error> {
        let location = Location::for_claim(&request.name, &request.parameters);
        let source = Location::of_id(&source_volume_id)?;
        // Copies are made within a pool, because a handle reaches no further.
        ensure!(source.pool == location.pool, InvalidArgument: "cannot copy volume {source_volume_id} into pool {}: \
            it is in another", location.pool);
        let volume = make(&location, request, Some(source.directory))?;
        // As the caller named it: one that was made by hand has an id without the pool.
        let source = Some(VolumeSource::Volume(source_volume_id));
        Ok(VolumeInfo { source, ..volume })
    }
}

impl expansion::Guest for Local {
    /// A size is a promise written down: directories share what their pool has.
    fn expand_volume(volume: Volume, capacity: CapacityRange) -> Result<u64, Error> {
        capacity.size()?;
        let location = Location::of(&volume)?;
        let pool = Pool::open(&location.pool)?;
        pool.require(&location.directory)?;
        let Some(mut record) = pool.record::<Made>(&location.directory)? else {
            bail!(Unsupported: "volume {} was made by hand and has no size", volume.id);
        };
        let larger = capacity.grown(record.size_bytes, &volume.id)?;
        if larger > record.size_bytes {
            record.size_bytes = larger;
            pool.replace(&location.directory, &record)?;
        }
        Ok(larger)
    }
}

/// Make the volume, or find it: empty, or a copy of another directory of the pool.
fn make(
    location: &Location,
    request: CreateRequest,
    source: Option<String>,
) -> Result<VolumeInfo, Error> {
    check_capabilities(&request.capabilities)?;
    let wanted = Made {
        size_bytes: request.capacity.size()?,
        source,
        name: request.name,
    };
    let pool = Pool::open(&location.pool)?;
    let record = match pool.record(&location.directory)? {
        Some(record) => record,
        None => begin(&pool, location, wanted.clone())?,
    };
    record.satisfies(&wanted, &request.capacity)?;
    pool.fill(&location.directory, record.source.as_deref(), MODE)?;
    info(&pool, location, &record)
}

/// A directory can be used by every process of one node, and never as a block device.
fn check_capabilities(capabilities: &[VolumeCapability]) -> Result<(), Error> {
    refuse_block("a volume", capabilities)?;
    refuse_several_nodes(capabilities)
}

/// Write down what is going to be made.
fn begin(pool: &Pool, location: &Location, record: Made) -> Result<Made, Error> {
    if let Some(source) = &record.source {
        pool.require(source)?;
    }
    let record = pool.add(&location.directory, record)?;
    log::write(Level::Info, &format!("making volume {}", location.id()));
    Ok(record)
}

/// It can be reached from everywhere, as far as the guest can tell: a pool may be on a shared filesystem.
pub(crate) fn info(pool: &Pool, location: &Location, record: &Made) -> Result<VolumeInfo, Error> {
    let source = record.source.as_ref();
    Ok(VolumeInfo {
        id: location.id(),
        capacity_bytes: record.size_bytes,
        context: location.context(),
        source: source.map(|name| VolumeSource::Volume(Location::new(&location.pool, name).id())),
        published_node_ids: pool.claimed_by(&location.directory)?.into_iter().collect(),
        ..VolumeInfo::default()
    })
}
