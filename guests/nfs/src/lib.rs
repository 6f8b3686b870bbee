//! NFS shares as volumes: the guest says which directory of which server, and how to mount it.
//!
//! A share exists already. Mounting one changes nothing on the server but the volume's own directory, where the volume
//! asks for that. Volumes that are made are directories below a share:
//!
//! ```text
//! stage                                                    a directory is mounted
//! provision snapshot                                       volumes and snapshots come and go
//! health                                                   what is wrong with a volume
//! volume_spec options params parameters mount_options      what is asked for; pure
//! version remote_path sub_dir volume_id snapshot_id name   how it is spelled; pure
//! store record directories existing                        what is written down on the share
//! tree                                                     how the share is worked on
//! ```
//!
//! Ids, classes and the layout on the share are those of Kubernetes' own CSI driver for NFS, so that its volumes and
//! snapshots go on working.

mod bindings;
mod directories;
mod existing;
#[cfg(test)]
mod fake;
mod health;
mod mount_options;
mod name;
mod parameter_names;
mod params;
mod provision;
mod record;
mod record_store;
mod remote_path;
mod share;
mod snapshot;
mod snapshot_id;
mod stage;
mod sub_dir;
mod tree;
mod version;
mod volume_id;
mod volume_spec;

pub use bindings::Nfs;
use bindings::drivebay::driver::files::Directory;
use bindings::drivebay::driver::mounts::Target;
use bindings::drivebay::driver::types::{
    CapacityRange, CreateRequest, Error, FilesystemAccess, HealthCondition, Parameters, Snapshot,
    Topology, Volume, VolumeCapability, VolumeInfo, VolumeSource,
};
use bindings::exports::drivebay::driver::identity::{self, Description};
use bindings::exports::drivebay::driver::node::{self, Health, NodeInfo, StageRequest};
use bindings::exports::drivebay::driver::{
    capacity, cloning, controller, expansion, snapshots, volume_health,
};
use params::Params;
use share::Share;
use snapshot_id::SnapshotId;
use tree::Tree;
use volume_id::{Export, VolumeId};
use volume_spec::VolumeSpec;

impl identity::Guest for Nfs {
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "makes and mounts directories of NFS servers".into(),
            parameters: parameter_names::described(),
        }
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
        volume_spec::check_capabilities(&capabilities)?;
        match is_mounted_as_it_is(&volume) {
            // Its parameters say where it is.
            true => stage::open_export(&volume_spec::share_of(volume, &capabilities)?).map(drop),
            false => existing::find(&holding(&volume.id)?, &volume.id).map(drop),
        }
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        provision::get(&holding(&id)?, &id)
    }
}

impl volume_health::Guest for Nfs {
    fn get_volume_health(id: String) -> Result<Vec<HealthCondition>, Error> {
        let parsed = existing::parsed(&id)?;
        health::of_volume(open(&parsed.export), &id)
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
            return Err(Error::Unsupported(format!(
                "volume {} was not made by this driver: it is a directory of a server, and has no size",
                volume.id
            )));
        }
        match VolumeId::parse(&volume.id) {
            Some(id) => provision::expand(&open(&id.export)?, &volume.id, &capacity),
            // Written by a person into a PersistentVolume, as the Kubernetes driver's example is. Its context, which
            // says where it is, does not come along when it grows; and there is nothing that would have to.
            None => volume_spec::size(&capacity),
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
        let parsed = snapshot::parsed(&id)?;
        let found = snapshot::get(&open(&parsed.export)?, &parsed)?;
        // As it is asked for, in whichever spelling.
        Ok(Snapshot { id, ..found })
    }
}

impl node::Guest for Nfs {
    /// A server knows no nodes and can be reached from all of them.
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo {
            id: String::new(),
            max_volumes: 0,
        })
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
    open(&existing::parsed(id)?.export)
}

/// By an id alone, the mount options of a class are not known: any version of NFS will do.
fn open(export: &Export) -> Result<Directory, Error> {
    let any = FilesystemAccess {
        fs_type: String::new(),
        mount_options: Vec::new(),
    };
    stage::open_export(&Share::of_export(export, &any)?)
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
