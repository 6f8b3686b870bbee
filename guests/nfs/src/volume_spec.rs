//! What a create request asks for: parameters become a checked [`VolumeSpec`]. Pure.

use drivebay_guest::exports::node::StageRequest;
use drivebay_guest::layout::{OnDelete, VolumeRecord};
use drivebay_guest::prelude::*;
use drivebay_guest::provision::NewVolume;
use drivebay_guest::remote_path::Export;
use drivebay_guest::volume::{filesystem_of, refuse_block};

use crate::parameter_names as names;
use crate::share::{Share, mount_permissions};
use crate::volume_id::VolumeId;

/// What cannot be a block device, and can be used by everybody at once.
pub(crate) const SHARE: &str = "an NFS share";

/// A volume that should exist.
#[derive(Debug)]
pub(crate) struct VolumeSpec {
    pub(crate) volume: NewVolume<VolumeId>,
    /// How to mount the share it is on.
    pub(crate) share: Share,
}

impl VolumeSpec {
    /// `source` is where its content comes from.
    pub(crate) fn from_request(
        request: &CreateRequest,
        source: Option<VolumeSource>,
    ) -> Result<Self, Error> {
        refuse_block(SHARE, &request.capabilities)?;
        let params = Params(&request.parameters);
        let export = Export::parse(
            params.required(names::SERVER)?,
            params.required(names::SHARE)?,
        )?;
        let on_delete = params.get(names::ON_DELETE).unwrap_or_default();
        let on_delete = OnDelete::read(names::ON_DELETE, on_delete)?;
        let share = Share::of_export(&export, &filesystem_of(&request.capabilities))?;
        let chosen = SubDir::from_template(names::SUB_DIR, params)?;
        let (id, sub_dir) = VolumeId::made(export, chosen, &request.name, on_delete)?;
        let record = VolumeRecord {
            state: State::Making,
            id: id.to_string(),
            name: request.name.clone(),
            sub_dir,
            capacity_bytes: request.capacity.size()?,
            mode: mount_permissions(params)?,
            source,
        };
        let volume = NewVolume {
            id,
            capacity: request.capacity,
            record,
        };
        Ok(Self { volume, share })
    }
}

/// A volume as its record has it.
pub(crate) fn info(id: &VolumeId, record: &VolumeRecord) -> VolumeInfo {
    let mut context: Parameters = vec![
        (names::SERVER.into(), id.export.server.clone()),
        (names::SHARE.into(), id.export.share.to_string()),
        // In small letters, as the Kubernetes driver adds it.
        (
            names::SUB_DIR.name().to_ascii_lowercase(),
            record.sub_dir.as_str().into(),
        ),
    ];
    if let Some(mode) = record.mode {
        context.push((names::MOUNT_PERMISSIONS.into(), format!("{mode:04o}")));
    }
    VolumeInfo {
        id: record.id.clone(),
        capacity_bytes: record.capacity_bytes,
        context,
        source: record.source.clone(),
        ..VolumeInfo::default()
    }
}

/// The directory of a volume whose parameters say where it is. Nothing there is made or changed.
pub(crate) fn share_of(volume: Volume, capabilities: &[VolumeCapability]) -> Result<Share, Error> {
    Share::requested(&StageRequest {
        volume,
        kind: AccessType::Filesystem(filesystem_of(capabilities)),
        access: Access::ReadOnly,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(
        parameters: &[(&str, &str)],
        capabilities: Vec<VolumeCapability>,
    ) -> Result<VolumeSpec, Error> {
        let all = [&[("server", "s"), ("share", "/export")], parameters].concat();
        let request = CreateRequest {
            name: "pvc-1".into(),
            capacity: CapacityRange {
                required_bytes: Some(5),
                limit_bytes: None,
            },
            parameters: all.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
            capabilities,
            source_snapshot_id: None,
            accessibility_requirements: Vec::new(),
        };
        VolumeSpec::from_request(&request, None)
    }

    fn with(kind: AccessType) -> Vec<VolumeCapability> {
        vec![VolumeCapability {
            mode: "MULTI_NODE_MULTI_WRITER".into(),
            kind,
        }]
    }

    #[test]
    fn a_class_of_the_kubernetes_driver_is_understood() {
        let parameters = [
            ("subDir", "${pvc.metadata.namespace}/${pvc.metadata.name}"),
            ("mountPermissions", "0770"),
            ("onDelete", "Retain"),
            (names::PVC_NAME.name(), "data"),
            (names::PVC_NAMESPACE.name(), "shop"),
        ];
        let spec = spec(&parameters, Vec::new()).expect("good");
        assert_eq!(spec.volume.record.id, "s#export#shop/data#pvc-1#retain");
        let info = info(&spec.volume.id, &spec.volume.record);
        let context = [
            ("server", "s"),
            ("share", "/export"),
            ("subdir", "shop/data"),
            ("mountPermissions", "0770"),
        ];
        assert_eq!(info.context, context.map(|(k, v)| (k.into(), v.into())));
        assert_eq!(info.capacity_bytes, 5);
    }

    #[test]
    fn mount_options_of_the_class_are_used_for_making_volumes_too() {
        let filesystem = |mount_options: &[&str], fs_type: &str| {
            with(AccessType::Filesystem(FilesystemAccess {
                fs_type: fs_type.into(),
                mount_options: mount_options.iter().map(|o| (*o).into()).collect(),
            }))
        };
        let three = spec(&[], filesystem(&["nfsvers=3", "tcp"], "")).expect("good");
        assert_eq!(three.share.versions.remaining(), ["3"]);
        assert!(matches!(
            spec(&[], filesystem(&[], "ext4")),
            Err(Error::InvalidArgument(_))
        ));
        assert!(matches!(
            spec(&[], with(AccessType::Block)),
            Err(Error::Unsupported(_))
        ));
    }

    #[test]
    fn mistakes_are_refused_and_named() {
        for (parameter, value) in [
            ("onDelete", "destroy"),
            ("mountPermissions", "rwx"),
            ("mountPermissions", "77777"),
            ("subDir", "../elsewhere"),
            ("subDir", "${pvc.metadata.name}"),
        ] {
            let refused = spec(&[(parameter, value)], Vec::new());
            assert!(
                matches!(refused, Err(Error::InvalidArgument(m)) if m.contains(parameter)),
                "{value}"
            );
        }
    }

    #[test]
    fn whatever_differs_is_another_volume() {
        let spec = spec(&[], Vec::new()).expect("good").volume;
        let there = spec.record.clone();
        spec.refuse_other(&there).expect("the same");
        let grown = VolumeRecord {
            capacity_bytes: 50,
            ..there.clone()
        };
        spec.refuse_other(&grown).expect("large enough");
        for other in [
            VolumeRecord {
                name: "pvc-2".into(),
                ..there.clone()
            },
            VolumeRecord {
                id: "s#export#pvc-1##retain".into(),
                ..there.clone()
            },
            VolumeRecord {
                mode: Some(0o770),
                ..there.clone()
            },
            VolumeRecord {
                capacity_bytes: 4,
                ..there.clone()
            },
            VolumeRecord {
                source: Some(VolumeSource::Volume("v".into())),
                ..there.clone()
            },
        ] {
            assert!(
                matches!(spec.refuse_other(&other), Err(Error::AlreadyExists(_))),
                "{other:?}"
            );
        }
    }

    #[test]
    fn a_range_without_a_size_is_out_of_range() {
        let range = CapacityRange {
            required_bytes: Some(5),
            limit_bytes: Some(4),
        };
        assert!(matches!(range.size(), Err(Error::OutOfRange(_))));
        let nothing = CapacityRange {
            required_bytes: None,
            limit_bytes: None,
        };
        assert_eq!(nothing.size().expect("any"), 0);
    }
}
