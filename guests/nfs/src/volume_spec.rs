//! What a create request asks for: parameters become a checked [`VolumeSpec`]. Pure.

use crate::bindings::drivebay::driver::types::{
    Access, AccessType, CapacityRange, CreateRequest, Error, FilesystemAccess, Parameters, Volume,
    VolumeCapability, VolumeInfo, VolumeSource,
};
use crate::bindings::exports::drivebay::driver::node::StageRequest;
use crate::parameter_names as names;
use crate::params::Params;
use crate::record::{State, VolumeRecord};
use crate::share::Share;
use crate::sub_dir::SubDir;
use crate::volume_id::{Export, OnDelete, VolumeId};

/// A volume that should exist.
#[derive(Debug)]
pub(crate) struct VolumeSpec {
    pub(crate) id: VolumeId,
    pub(crate) capacity: CapacityRange,
    pub(crate) record: VolumeRecord,
    /// How to mount the share it is on.
    pub(crate) share: Share,
}

impl VolumeSpec {
    /// `source` is where its content comes from.
    pub(crate) fn from_request(
        request: &CreateRequest,
        source: Option<VolumeSource>,
    ) -> Result<Self, Error> {
        check_capabilities(&request.capabilities)?;
        let params = Params(&request.parameters);
        let export = Export::parse(
            params.required(names::SERVER)?,
            params.required(names::SHARE)?,
        )?;
        let on_delete = OnDelete::parse(params.get(names::ON_DELETE).unwrap_or_default())?;
        let share = Share::of_export(&export, &filesystem(&request.capabilities))?;
        let chosen = SubDir::from_params(&params)?;
        let (id, sub_dir) = VolumeId::made(export, chosen, &request.name, on_delete)?;
        let record = VolumeRecord {
            state: State::Making,
            id: id.to_string(),
            name: request.name.clone(),
            sub_dir,
            capacity_bytes: size(&request.capacity)?,
            mode: params.mount_permissions()?,
            source,
        };
        Ok(Self {
            id,
            capacity: request.capacity,
            record,
            share,
        })
    }

    /// Whether the volume that is there for the name is what is wanted.
    pub(crate) fn refuse_other(&self, there: &VolumeRecord) -> Result<(), Error> {
        let spec = &self.record;
        let differs = if there.name != spec.name {
            "was made for another name"
        } else if there.id != spec.id || there.sub_dir != spec.sub_dir || there.mode != spec.mode {
            "was made with other parameters"
        } else if there.source != spec.source {
            "was made from another source"
        } else if !holds(&self.capacity, there.capacity_bytes) {
            "has another size"
        } else {
            return Ok(());
        };
        Err(Error::AlreadyExists(format!(
            "volume {} for {}, of {} bytes, exists and {differs}",
            there.id, there.name, there.capacity_bytes
        )))
    }
}

/// A volume as its record has it.
pub(crate) fn info(id: &VolumeId, record: &VolumeRecord) -> VolumeInfo {
    let mut context: Parameters = vec![
        (names::SERVER.into(), id.export.server.clone()),
        (names::SHARE.into(), id.export.share.to_string()),
        // In small letters, as the Kubernetes driver adds it.
        (
            names::SUB_DIR.to_ascii_lowercase(),
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
        accessible_topology: Vec::new(),
        published_node_ids: Vec::new(),
    }
}

/// A directory of a server can be used by everybody at once, and never as a block device.
pub(crate) fn check_capabilities(capabilities: &[VolumeCapability]) -> Result<(), Error> {
    match capabilities
        .iter()
        .any(|one| matches!(one.kind, AccessType::Block))
    {
        false => Ok(()),
        true => Err(Error::Unsupported(
            "an NFS share is a directory and cannot be a block device".into(),
        )),
    }
}

/// The directory of a volume whose parameters say where it is. Nothing there is made or changed.
pub(crate) fn share_of(volume: Volume, capabilities: &[VolumeCapability]) -> Result<Share, Error> {
    Share::requested(&StageRequest {
        volume,
        kind: AccessType::Filesystem(filesystem(capabilities)),
        access: Access::ReadOnly,
    })
}

/// Mount options and type as the first of the capabilities has them: in Kubernetes there is one.
fn filesystem(capabilities: &[VolumeCapability]) -> FilesystemAccess {
    let kinds = capabilities.iter().map(|capability| &capability.kind);
    let mut filesystems = kinds.filter_map(|kind| match kind {
        AccessType::Filesystem(filesystem) => Some(filesystem.clone()),
        AccessType::Block => None,
    });
    filesystems.next().unwrap_or(FilesystemAccess {
        fs_type: String::new(),
        mount_options: Vec::new(),
    })
}

/// The size to promise; `out-of-range` for a range that contains nothing.
pub(crate) fn size(capacity: &CapacityRange) -> Result<u64, Error> {
    let size = capacity.required_bytes.unwrap_or_default();
    match holds(capacity, size) {
        true => Ok(size),
        false => Err(Error::OutOfRange(format!(
            "at least {size} bytes are required, which is more than the limit"
        ))),
    }
}

/// Whether a size is within the range.
pub(crate) fn holds(capacity: &CapacityRange, size: u64) -> bool {
    capacity
        .required_bytes
        .is_none_or(|required| required <= size)
        && capacity.limit_bytes.is_none_or(|limit| size <= limit)
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
            (names::PVC_NAME, "data"),
            (names::PVC_NAMESPACE, "shop"),
        ];
        let spec = spec(&parameters, Vec::new()).expect("good");
        assert_eq!(spec.record.id, "s#export#shop/data#pvc-1#retain");
        let info = info(&spec.id, &spec.record);
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
        let spec = spec(&[], Vec::new()).expect("good");
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
        assert!(matches!(size(&range), Err(Error::OutOfRange(_))));
        let nothing = CapacityRange {
            required_bytes: None,
            limit_bytes: None,
        };
        assert_eq!(size(&nothing).expect("any"), 0);
    }
}
