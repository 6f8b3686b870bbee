//! NFS shares as volumes: the guest says which directory of which server, and how to mount it.
//!
//! A share exists already. Mounting one changes nothing on the server but the volume's own directory, where the volume
//! asks for that. Volumes that are made are directories below a share:
//!
//! ```text
//! stage                                                    a directory is mounted
//! provision snapshot health                                volumes and snapshots come and go; what is wrong with them
//! volume_spec share parameter_names mount_options version  what is asked for; pure
//! volume_id snapshot_id                                    how it is spelled; pure
//! record                                                   what is written down on the share
//! ```
//!
//! Ids, classes and the layout on the share are those of Kubernetes' own CSI driver for NFS, so that its volumes and
//! snapshots go on working. What other backends need too is the SDK's.

mod health;
mod mount_options;
mod parameter_names;
mod provision;
mod record;
mod share;
mod snapshot;
mod snapshot_id;
mod stage;
mod version;
mod volume_id;
mod volume_spec;

use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::exports::{capacity, cloning, controller, expansion, snapshots, volume_health};
use drivebay_guest::files::Directory;
use drivebay_guest::layout::{SnapshotId as _, VolumeId as _};
use drivebay_guest::mounts::Target;
use drivebay_guest::parameters::described;
use drivebay_guest::prelude::*;
use drivebay_guest::remote_path::Export;
use drivebay_guest::volume::refuse_block;
use record::Store;
use share::Share;
use snapshot_id::SnapshotId;
use volume_id::VolumeId;
use volume_spec::VolumeSpec;

/// The guest.
#[derive(Debug)]
pub struct Nfs;

drivebay_guest::log_panics!();
drivebay_guest::export!(
    Nfs: identity, controller, volume_health, capacity, cloning, snapshots, expansion, node
);

impl identity::Guest for Nfs {
    fn describe() -> Description {
        let parameters = described(&parameter_names::ALL);
        drivebay_guest::description!("makes and mounts directories of NFS servers", parameters)
    }
}

impl controller::Guest for Nfs {
    fn create_volume(request: CreateRequest) -> Result<VolumeInfo, Error> {
        let source = request
            .source_snapshot_id
            .clone()
            .map(VolumeSource::Snapshot);
        make(&VolumeSpec::from_request(&request, source)?)
    }

    fn delete_volume(id: String) -> Result<(), Error> {
        // Nobody was ever given such an id.
        let Some(id) = VolumeId::parse(&id) else {
            return Ok(());
        };
        provision::delete(&to_delete(&id.export)?, &id)
    }

    fn validate_volume(volume: Volume, capabilities: Vec<VolumeCapability>) -> Result<(), Error> {
        refuse_block(volume_spec::SHARE, &capabilities)?;
        match is_mounted_as_it_is(&volume) {
            // Its parameters say where it is.
            true => stage::open_export(&volume_spec::share_of(volume, &capabilities)?).map(drop),
            false => Store::of(&holding(&volume.id)?)
                .find_volume(&volume.id)
                .map(drop),
        }
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        provision::get(&holding(&id)?, &id)
    }
}

impl volume_health::Guest for Nfs {
    fn get_volume_health(id: String) -> Result<Vec<HealthCondition>, Error> {
        health::of_volume(open(&Store::volume_id(&id)?.export), &id)
    }
}

impl cloning::Guest for Nfs {
    fn clone_volume(request: CreateRequest, source_volume_id: String) -> Result<VolumeInfo, Error> {
        make(&VolumeSpec::from_request(
            &request,
            Some(VolumeSource::Volume(source_volume_id)),
        )?)
    }
}

impl capacity::Guest for Nfs {
    fn available_capacity(parameters: Parameters, _place: Option<Topology>) -> Result<u64, Error> {
        let params = Params(&parameters);
        let (Some(server), Some(share)) = (
            params.get(parameter_names::SERVER),
            params.get(parameter_names::SHARE),
        ) else {
            return Ok(0);
        };
        open(&Export::parse(server, share)?)?.available_bytes()
    }
}

impl expansion::Guest for Nfs {
    fn expand_volume(volume: Volume, capacity: CapacityRange) -> Result<u64, Error> {
        if is_mounted_as_it_is(&volume) {
            bail!(Unsupported: "volume {} was not made by this driver: it is a directory of a server, and has no size",
                volume.id);
        }
        match VolumeId::parse(&volume.id) {
            Some(id) => provision::expand(&open(&id.export)?, &volume.id, &capacity),
            // Written by a person into a PersistentVolume, as the Kubernetes driver's example is. Its context, which
            // says where it is, does not come along when it grows; and there is nothing that would have to.
            None => capacity.size(),
        }
    }
}

impl snapshots::Guest for Nfs {
    fn create_snapshot(request: snapshots::CreateRequest) -> Result<Snapshot, Error> {
        let spec = snapshot::SnapshotSpec::from_request(&request)?;
        snapshot::create(&stage::open_export(&spec.share)?, &spec)
    }

    fn delete_snapshot(id: String) -> Result<(), Error> {
        let Some(id) = SnapshotId::parse(&id) else {
            return Ok(());
        };
        snapshot::delete(&to_delete(&id.export)?, &id)
    }

    fn get_snapshot(id: String) -> Result<Snapshot, Error> {
        let parsed = Store::snapshot_id(&id)?;
        let found = snapshot::get(&open(&parsed.export)?, &parsed)?;
        // As it is asked for, in whichever spelling.
        Ok(Snapshot { id, ..found })
    }
}

impl node::Guest for Nfs {
    /// A server knows no nodes and can be reached from all of them.
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo::default())
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let request = stage::known_by_id(request);
        stage::stage(&Share::requested(&request)?, target)
    }

    /// Whether the server answers is seen by the host, which asks the mount itself.
    fn get_health(_volume: Volume) -> Result<Health, Error> {
        Ok(Health::Ok)
    }
}

/// Whether its parameters, and not its id, say where it is.
fn is_mounted_as_it_is(volume: &Volume) -> bool {
    let says_where = Params(&volume.context)
        .get(parameter_names::SERVER)
        .is_some();
    says_where && VolumeId::parse(&volume.id).is_none()
}

fn make(spec: &VolumeSpec) -> Result<VolumeInfo, Error> {
    provision::create(&stage::open_export(&spec.share)?, spec)
}

/// The share that a volume's id names; `not-found` for what is no id.
fn holding(id: &str) -> Result<Directory, Error> {
    open(&Store::volume_id(id)?.export)
}

/// By an id alone, the mount options of a class are not known: any version of NFS will do.
fn open(export: &Export) -> Result<Directory, Error> {
    stage::open_export(&Share::of_export(export, &FilesystemAccess::default())?)
}

/// A share that is not there now may be there tomorrow, with the volume in it.
fn to_delete(export: &Export) -> Result<Directory, Error> {
    match open(export) {
        Err(Error::NotFound(reason)) => Err(Error::FailedPrecondition(reason)),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the Kubernetes driver's example of a PersistentVolume has it, and as people write them.
    const STATIC: [&str; 3] = [
        "nfs-server.default.svc.cluster.local/share##",
        "127.0.0.1/alpha##",
        "unique-volumeid",
    ];

    fn volume(id: &str, context: &[(&str, &str)]) -> Volume {
        Volume {
            id: id.into(),
            context: context
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            publish_context: Vec::new(),
        }
    }

    fn expand(id: &str, context: &[(&str, &str)], limit: Option<u64>) -> Result<u64, Error> {
        let capacity = CapacityRange {
            required_bytes: Some(7),
            limit_bytes: limit,
        };
        <Nfs as expansion::Guest>::expand_volume(volume(id, context), capacity)
    }

    #[test]
    fn a_volume_that_a_person_named_has_nothing_that_would_have_to_grow() {
        for id in STATIC {
            assert_eq!(expand(id, &[], None).expect("nothing to do"), 7, "{id}");
            assert!(matches!(
                expand(id, &[], Some(6)),
                Err(Error::OutOfRange(_))
            ));
        }
    }

    #[test]
    fn what_a_person_named_is_found_by_its_parameters_and_said_to_have_no_size() {
        for id in STATIC {
            let context = [("server", "s"), ("share", "/export")];
            assert!(is_mounted_as_it_is(&volume(id, &context)), "{id}");
            let grown = expand(id, &context, None);
            assert!(matches!(grown, Err(Error::Unsupported(_))), "{grown:?}");
            let share = volume_spec::share_of(volume(id, &context), &[]).expect("good");
            assert_eq!(share.path.to_string(), "/export");
            <Nfs as controller::Guest>::delete_volume(id.into()).expect("nobody made it");
            let cut = snapshots::CreateRequest {
                name: "snap".into(),
                source_volume_id: id.into(),
                parameters: Vec::new(),
            };
            let cut = snapshot::SnapshotSpec::from_request(&cut).map(drop);
            assert!(
                matches!(&cut, Err(Error::NotFound(m)) if m.contains("does not name a server")),
                "{cut:?}"
            );
        }
    }
}
