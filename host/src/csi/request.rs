//! CSI's words as ours: each field is checked here, once, and named where it is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::proto;
use super::response::{ATTACHED_BY, READ_ONLY};
use crate::driver::{Scope, Session, Sharing, VolumeReference, is_about_the_pod};
use crate::error::DriverError;
use crate::volume::{
    Access, AccessMode, AccessType, CapacityRange, GroupSnapshotId, PageToken, Parameters,
    SnapshotId, StagingPath, TargetPath, Topology, VolumeCapability, VolumeId, VolumeKey,
    VolumeSource,
};

type Map = BTreeMap<String, String>;

/// CSI's bound on the keys and values of one map together, in bytes.
const MAX_MAP: usize = 4096;

/// A string that has to be there.
pub(super) fn required<'a>(field: &str, value: &'a str) -> Result<&'a str, DriverError> {
    match value.is_empty() {
        true => Err(missing(field)),
        false => Ok(value),
    }
}

fn missing(field: &str) -> DriverError {
    DriverError::invalid_argument(format!("the request lacks {field}"))
}

/// What a call is about: from here on its log lines say so, also where nothing comes of it.
fn named<'a>(field: &str, logged: &str, value: &'a str) -> Result<&'a str, DriverError> {
    let value = required(field, value)?;
    tracing::Span::current().record(logged, value);
    Ok(value)
}

pub(super) fn volume_id(id: &str) -> Result<VolumeId, DriverError> {
    named("volume_id", "volume.id", id).map(|id| VolumeId(id.to_owned()))
}

pub(super) fn snapshot_id(id: &str) -> Result<SnapshotId, DriverError> {
    named("snapshot_id", "snapshot.id", id).map(|id| SnapshotId(id.to_owned()))
}

pub(super) fn group_snapshot_id(id: &str) -> Result<GroupSnapshotId, DriverError> {
    named("group_snapshot_id", "group.id", id).map(|id| GroupSnapshotId(id.to_owned()))
}

/// Those of a group. None at all says that the group has none, which only one that is gone can bear out.
pub(super) fn snapshot_ids(given: Vec<String>) -> Result<Vec<SnapshotId>, DriverError> {
    elements("snapshot_ids", given).map(|ids| ids.into_iter().map(SnapshotId).collect())
}

/// Those that are to be snapshotted together.
pub(super) fn source_volume_ids(given: Vec<String>) -> Result<Vec<VolumeId>, DriverError> {
    if given.is_empty() {
        return Err(missing("source_volume_ids"));
    }
    elements("source_volume_ids", given).map(|ids| ids.into_iter().map(VolumeId).collect())
}

fn elements(field: &str, given: Vec<String>) -> Result<Vec<String>, DriverError> {
    match given.iter().any(String::is_empty) {
        true => Err(DriverError::invalid_argument(format!(
            "{field} has an empty element"
        ))),
        false => Ok(given),
    }
}

/// Volumes of CSI are known by their ids alone.
pub(super) fn key(id: &str) -> Result<VolumeKey, DriverError> {
    named("volume_id", "volume.id", id).map(|id| VolumeKey(id.to_owned()))
}

/// A volume with its context, without what kubelet tells of the pod.
pub(super) fn volume(
    session: &Session,
    id: &str,
    context: Map,
) -> Result<VolumeReference, DriverError> {
    let context = context
        .into_iter()
        .filter(|(name, _)| !is_about_the_pod(name))
        .collect();
    Ok(VolumeReference {
        key: key(id)?,
        id: VolumeId(id.to_owned()),
        context: parameters(session, Scope::Volume, "volume_context", context)?,
    })
}

/// A map of parameters, without what Kubernetes put in for itself.
pub(super) fn parameters(
    session: &Session,
    scope: Scope,
    field: &str,
    map: Map,
) -> Result<Parameters, DriverError> {
    check_size(field, &map)?;
    let pairs = session.without_kubernetes_words(scope, map.into_iter().collect())?;
    Ok(Parameters::new(pairs))
}

fn check_size(field: &str, map: &Map) -> Result<(), DriverError> {
    let size: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
    match size {
        0..=MAX_MAP => Ok(()),
        _ => Err(DriverError::invalid_argument(format!(
            "{field} has {size} bytes; the maximum is {MAX_MAP}"
        ))),
    }
}

/// The version of the component that attached the volume, where that is told.
pub(super) fn attached_by(map: &Map) -> Option<String> {
    map.get(ATTACHED_BY).cloned()
}

/// What attaching returned, as it was; and whether it was for reading alone.
pub(super) fn publish_context(mut map: Map) -> (Parameters, bool) {
    let is_read_only = map.remove(READ_ONLY).is_some();
    map.remove(ATTACHED_BY);
    (Parameters::new(map.into_iter().collect()), is_read_only)
}

pub(super) fn staging(path: &str) -> Result<StagingPath, DriverError> {
    StagingPath::new(required("staging_target_path", path)?).map_err(|error| {
        DriverError::invalid_argument("cannot use staging_target_path").caused_by(error)
    })
}

pub(super) fn target(path: &str) -> Result<TargetPath, DriverError> {
    TargetPath::new(required("target_path", path)?)
        .map_err(|error| DriverError::invalid_argument("cannot use target_path").caused_by(error))
}

/// Paths at which a volume is or should be mounted, of which a caller may leave out both.
pub(super) fn mount_paths(staging: &str, published: &str) -> Result<Vec<PathBuf>, DriverError> {
    let mut paths = Vec::new();
    if !staging.is_empty() {
        paths.push(self::staging(staging)?.as_path().to_owned());
    }
    if !published.is_empty() {
        let target = TargetPath::new(published).map_err(|error| {
            DriverError::invalid_argument("cannot use volume_publish_path").caused_by(error)
        })?;
        paths.push(target.as_path().to_owned());
    }
    Ok(paths)
}

/// A path at which a volume may be mounted. Where nothing can be mounted, no volume is found.
pub(super) fn volume_path(path: &str) -> Result<TargetPath, DriverError> {
    TargetPath::new(required("volume_path", path)?).map_err(|error| {
        DriverError::not_found("no volume is mounted at volume_path").caused_by(error)
    })
}

pub(super) fn capability(
    given: Option<proto::VolumeCapability>,
) -> Result<VolumeCapability, DriverError> {
    use proto::volume_capability::AccessType as ProtoType;
    let given = given.ok_or_else(|| missing("volume_capability"))?;
    let mode = given
        .access_mode
        .ok_or_else(|| missing("volume_capability.access_mode"))?;
    let kind = match given.access_type {
        None => return Err(missing("volume_capability.access_type")),
        Some(ProtoType::Block(_)) => AccessType::Block,
        Some(ProtoType::Mount(mount)) => AccessType::Filesystem {
            fs_type: mount.fs_type,
            mount_options: mount.mount_flags,
        },
    };
    Ok(VolumeCapability {
        mode: access_mode(mode.mode())?,
        kind,
    })
}

pub(super) fn capabilities(
    given: Vec<proto::VolumeCapability>,
) -> Result<Vec<VolumeCapability>, DriverError> {
    if given.is_empty() {
        return Err(missing("volume_capabilities"));
    }
    given.into_iter().map(Some).map(capability).collect()
}

fn access_mode(
    given: proto::volume_capability::access_mode::Mode,
) -> Result<AccessMode, DriverError> {
    use proto::volume_capability::access_mode::Mode as ProtoMode;
    Ok(match given {
        ProtoMode::Unknown => return Err(missing("a known volume_capability.access_mode.mode")),
        ProtoMode::SingleNodeWriter => AccessMode::SingleNodeWriter,
        ProtoMode::SingleNodeReaderOnly => AccessMode::SingleNodeReaderOnly,
        ProtoMode::MultiNodeReaderOnly => AccessMode::MultiNodeReaderOnly,
        ProtoMode::MultiNodeSingleWriter => AccessMode::MultiNodeSingleWriter,
        ProtoMode::MultiNodeMultiWriter => AccessMode::MultiNodeMultiWriter,
        ProtoMode::SingleNodeSingleWriter => AccessMode::SingleNodeSingleWriter,
        ProtoMode::SingleNodeMultiWriter => AccessMode::SingleNodeMultiWriter,
    })
}

/// Whether what is mounted refuses writes.
pub(super) fn access(mode: AccessMode, is_read_only: bool) -> Access {
    match mode {
        AccessMode::SingleNodeReaderOnly | AccessMode::MultiNodeReaderOnly => Access::ReadOnly,
        AccessMode::SingleNodeWriter
        | AccessMode::MultiNodeSingleWriter
        | AccessMode::MultiNodeMultiWriter
        | AccessMode::SingleNodeSingleWriter
        | AccessMode::SingleNodeMultiWriter => match is_read_only {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        },
    }
}

/// The specification's table for NodePublishVolume at a second target.
pub(super) fn sharing(mode: AccessMode) -> Sharing {
    match mode {
        AccessMode::SingleNodeWriter
        | AccessMode::SingleNodeReaderOnly
        | AccessMode::SingleNodeSingleWriter => Sharing::OneTarget,
        AccessMode::MultiNodeReaderOnly
        | AccessMode::MultiNodeSingleWriter
        | AccessMode::MultiNodeMultiWriter
        | AccessMode::SingleNodeMultiWriter => Sharing::ManyTargets,
    }
}

/// 0 means that nothing was said.
pub(super) fn range(given: Option<proto::CapacityRange>) -> Result<CapacityRange, DriverError> {
    let given = given.unwrap_or_default();
    let bytes = |field: &str, value: i64| match u64::try_from(value) {
        Ok(0) => Ok(None),
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) => Err(DriverError::invalid_argument(format!(
            "capacity_range.{field} is {value}, and must not be negative"
        ))),
    };
    Ok(CapacityRange {
        required_bytes: bytes("required_bytes", given.required_bytes)?,
        limit_bytes: bytes("limit_bytes", given.limit_bytes)?,
    })
}

pub(super) fn source(
    given: Option<proto::VolumeContentSource>,
) -> Result<Option<VolumeSource>, DriverError> {
    use proto::volume_content_source::Type as ProtoMode;
    let Some(given) = given else {
        return Ok(None);
    };
    match given.r#type {
        None => Err(missing("volume_content_source.type")),
        Some(ProtoMode::Snapshot(source)) => {
            let id = required(
                "volume_content_source.snapshot.snapshot_id",
                &source.snapshot_id,
            )?;
            Ok(Some(VolumeSource::Snapshot(SnapshotId(id.to_owned()))))
        }
        Some(ProtoMode::Volume(source)) => {
            let id = required("volume_content_source.volume.volume_id", &source.volume_id)?;
            Ok(Some(VolumeSource::Volume(VolumeId(id.to_owned()))))
        }
    }
}

/// The preferred places first, then the others.
pub(super) fn places(given: Option<proto::TopologyRequirement>) -> Vec<Topology> {
    let given = given.unwrap_or_default();
    // Each node of a large cluster may be a place of its own, and stand in both lists.
    let mut seen = BTreeSet::new();
    let all = given.preferred.into_iter().chain(given.requisite);
    all.map(topology)
        .filter(|place| !place.0.is_empty() && seen.insert(place.0.clone()))
        .collect()
}

/// A caller may name places only where the plugin claims SNAPSHOT_ACCESSIBILITY_CONSTRAINTS, which none does: a snapshot
/// that lands elsewhere than its class says would be worse than none.
pub(super) fn no_places_of_snapshots(
    session: &Session,
    given: Option<proto::TopologyRequirement>,
) -> Result<(), DriverError> {
    match places(given).is_empty() {
        true => Ok(()),
        false => Err(DriverError::invalid_argument(format!(
            "driver {} does not choose where snapshots are: leave the topology out of the VolumeSnapshotClass",
            session.config().name
        ))),
    }
}

pub(super) fn topology(given: proto::Topology) -> Topology {
    Topology(given.segments.into_iter().collect())
}

/// How many entries, and from where; 0 means as many as the backend likes.
pub(super) fn page(
    max_entries: i32,
    starting_token: String,
) -> Result<(u32, Option<PageToken>), DriverError> {
    let max = u32::try_from(max_entries).map_err(|_| {
        DriverError::invalid_argument(format!(
            "max_entries is {max_entries}, and must not be negative"
        ))
    })?;
    let token = (!starting_token.is_empty()).then_some(PageToken(starting_token));
    Ok((max, token))
}

#[cfg(test)]
mod tests;
