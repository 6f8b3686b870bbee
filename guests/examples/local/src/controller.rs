//! Volumes come and go.
//!
//! The record is written before the directory is made and removed after the directory is: whatever is cut
//! off in between, a retry finds the record and finishes the work.

use crate::Local;
use crate::bindings::drivebay::driver::log::{self, Level};
use crate::bindings::drivebay::driver::types::{
    AccessMode, AccessType, Error, Parameters, Topology, Volume, VolumeCapability,
};
use crate::bindings::exports::drivebay::driver::controller::{
    CreateRequest, Guest, VolumeInfo, VolumePage, VolumeSource,
};
use crate::options::{self, Place};
use crate::page::Page;
use crate::pool::Pool;
use crate::state::{self, Record};

/// Pods that run as other users get access by `fsGroup`.
const MODE: u32 = 0o755;

impl Guest for Local {
    fn create_volume(request: CreateRequest) -> Result<VolumeInfo, Error> {
        check_capabilities(&request.capabilities)?;
        let place = Place::for_claim(&request.name, &request.parameters);
        let wanted = Record {
            size_bytes: state::size(&request.capacity)?,
            source: source_in_pool(request.source.as_ref(), &place.pool)?,
            name: request.name,
        };
        let pool = Pool::open(&place.pool)?;
        let record = match pool.record(&place.directory)? {
            Some(record) => record,
            None => begin(&pool, &place, wanted.clone())?,
        };
        record.satisfies(&wanted, &request.capacity)?;
        fill(&pool, &place, &record)?;
        info(&pool, &place, &record)
    }

    fn delete_volume(id: String) -> Result<(), Error> {
        // An id that `create-volume` cannot have returned names no volume of ours: nothing to delete.
        let Ok(place) = Place::of_id(&id) else {
            return Ok(());
        };
        let pool = Pool::open(&place.pool)?;
        let volume = &place.directory;
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
        let place = Place::of(&volume)?;
        Pool::open(&place.pool)?.require(&place.directory)?;
        check_capabilities(&capabilities)
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        let place = Place::of_id(&id)?;
        let pool = Pool::open(&place.pool)?;
        match pool.record(&place.directory)? {
            Some(record) => info(&pool, &place, &record),
            None => Err(Error::NotFound(format!(
                "no volume {id} was made by this driver"
            ))),
        }
    }

    /// The volumes of the default pool: which others are granted, a guest cannot ask.
    fn list_volumes(max_entries: u32, starting_token: Option<String>) -> Result<VolumePage, Error> {
        let name = options::pool(&[]);
        let pool = Pool::open(&name)?;
        let page = Page::cut(pool.volumes()?, starting_token.as_deref(), max_entries)?;
        let mut volumes = Vec::new();
        for directory in page.names {
            let place = Place {
                pool: name.clone(),
                directory,
            };
            // A volume may be deleted while it is being listed.
            if let Some(record) = pool.record(&place.directory)? {
                volumes.push(info(&pool, &place, &record)?);
            }
        }
        Ok(VolumePage {
            volumes,
            next_token: page.next_token,
        })
    }

    fn available_capacity(parameters: Parameters, _place: Option<Topology>) -> Result<u64, Error> {
        let pool = Pool::open(&options::pool(&parameters))?;
        Ok(pool.directory.usage()?.available_bytes)
    }
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

/// The directory to copy from. Copies are made within a pool, because a handle reaches no further.
fn source_in_pool(source: Option<&VolumeSource>, pool: &str) -> Result<Option<String>, Error> {
    match source {
        None => Ok(None),
        Some(VolumeSource::Snapshot(_)) => {
            Err(Error::Unsupported("directories have no snapshots".into()))
        }
        Some(VolumeSource::Volume(id)) => {
            let source = Place::of_id(id)?;
            if source.pool != pool {
                return Err(Error::InvalidArgument(format!(
                    "cannot copy volume {id} into pool {pool}: it is in another"
                )));
            }
            Ok(Some(source.directory))
        }
    }
}

/// Write down what is going to be made.
fn begin(pool: &Pool, place: &Place, record: Record) -> Result<Record, Error> {
    if let Some(source) = &record.source {
        pool.require(source)?;
    }
    pool.add_record(&place.directory, &record)?;
    log::write(Level::Info, &format!("making volume {}", place.id()));
    Ok(record)
}

/// Make what is written down. A copy appears whole or not at all, so a volume that is there is finished.
fn fill(pool: &Pool, place: &Place, record: &Record) -> Result<(), Error> {
    if pool.holds(&place.directory)? {
        return Ok(());
    }
    match &record.source {
        None => pool.directory.make_directory(&place.directory, MODE),
        Some(source) => pool.directory.copy_tree(source, &place.directory),
    }
}

fn info(pool: &Pool, place: &Place, record: &Record) -> Result<VolumeInfo, Error> {
    let source = record.source.as_ref().map(|directory| {
        let source = Place {
            directory: directory.clone(),
            ..place.clone()
        };
        VolumeSource::Volume(source.id())
    });
    Ok(VolumeInfo {
        id: place.id(),
        capacity_bytes: record.size_bytes,
        context: place.context(),
        source,
        // From everywhere, as far as the guest can tell: a pool may be on a shared filesystem.
        places: Vec::new(),
        nodes: pool
            .claim(&place.directory)?
            .into_iter()
            .map(|claim| claim.node)
            .collect(),
    })
}
