//! What a claim asks for, and whether it asks us. Pure.

use std::collections::BTreeMap;

use drivebay::volume::Topology;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;

use crate::intent::{ClaimKey, Holder, Intent};
use crate::names::{CLASS, PROVISIONER, Provisioner, SELECTED_NODE, VolumeName};
use crate::next_step;
use crate::quantity;
use crate::topology;

/// What a class's parameters say to provisioners, and not to backends.
const FOR_PROVISIONERS: &str = "csi.storage.k8s.io/";

/// The one of those that FlexVolume has a field for.
const FS_TYPE: &str = "csi.storage.k8s.io/fstype";

/// By what drivers take a volume that is there and make none. It would be deleted where nobody wants it any more, as if it
/// had been made for its claim. Drivers take their words in any case.
const NAMES_A_VOLUME: [&str; 1] = ["volume.alibabacloud.com/disk-id"];

/// By what claims name a snapshot to begin with: the word of the old alicloud-disk-controller, and that of the driver.
const SNAPSHOT_ANNOTATIONS: [&str; 2] = [
    "provider.disksnapshot.aliyuncs.com/disk-snapshot-id",
    SNAPSHOT,
];

/// The driver's parameter for it.
const SNAPSHOT: &str = "csi.alibabacloud.com/disk-snapshot-id";

/// By what classes name a zone, in any case.
const ZONE_PARAMETER: &str = "zoneId";

/// What becomes of claims that name a snapshot by an annotation. The cloud has no namespaces: whoever may write claims could
/// read each snapshot that the key may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum NamedSnapshots {
    /// No volume is made: an empty one would be taken for the data.
    Refuse,
    /// The volume is made of it.
    Restore,
}

/// From where a driver's volumes can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// As shares can. No place is chosen for them.
    EveryNode,
    SomePlaces,
}

/// What a claim wants of this provisioner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing, or not yet.
    Nothing,
    /// A volume of that class, where the class is there.
    VolumeOf(String),
}

/// Why no volume is made for a claim, for its owner to read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClaimError {
    #[error("StorageClass {0:?} is not there: create it, or delete the claim")]
    NoClass(String),
    #[error(
        "FlexVolume has no raw block devices: ask for volumeMode Filesystem, or for a class of CSI's"
    )]
    Block,
    #[error(
        "FlexVolume has no access mode {0}: ask for ReadWriteOnce, ReadOnlyMany or ReadWriteMany, or for a class of CSI's"
    )]
    AccessMode(String),
    #[error("a volume that is made for a claim cannot be chosen by spec.selector: leave it out")]
    Selector,
    #[error(
        "no volume is made from a dataSource by FlexVolume: leave it out, or ask for a class of CSI's"
    )]
    DataSource,
    #[error(
        "no FlexVolume has a spec.volumeAttributesClassName, so this claim could never be bound: leave it out, or ask for a \
         class of CSI's"
    )]
    VolumeAttributes,
    #[error(
        "StorageClass {class:?} says {parameter}, which names one volume for all of its claims: take it out, and bring a \
         volume that is there already in as a PersistentVolume"
    )]
    NamesVolume { class: String, parameter: String },
    #[error(
        "annotation {annotation} names a snapshot, and claims may not choose one here: leave it out, ask for a class that names \
         it, or let the provisioner run with --named-snapshots=restore"
    )]
    NamesSnapshot { annotation: &'static str },
    #[error(
        "node {node:?}, which was chosen for this claim, has no label {label}, so nobody knows in which zone to make the \
         volume: label it, or name the zone by {ZONE_PARAMETER} in the StorageClass", label = topology::ZONE
    )]
    NoZone { node: String },
    #[error("{field} {text:?} is no size")]
    Size { field: &'static str, text: String },
    #[error("the claim says no spec.resources.requests.storage")]
    NoSize,
    #[error("the claim lacks {0}")]
    Incomplete(&'static str),
}

/// Whether and of which class a claim wants a volume.
pub(crate) fn wanted(claim: &PersistentVolumeClaim, provisioner: &Provisioner) -> Wanted {
    let is_ours = PROVISIONER
        .iter()
        .find_map(|key| annotation(claim, key))
        .is_some_and(|name| name == provisioner.0);
    match (is_ours, is_waiting(claim), class_name(claim)) {
        (true, true, Some(class)) => Wanted::VolumeOf(class.to_owned()),
        _ => Wanted::Nothing,
    }
}

/// It has no volume and is not being deleted.
fn is_waiting(claim: &PersistentVolumeClaim) -> bool {
    volume_of(claim).is_none() && claim.metadata.deletion_timestamp.is_none()
}

/// Whether the claim of an intent still wants its volume; `found` is what has its name now.
pub(crate) fn still_wants(
    found: Option<&PersistentVolumeClaim>,
    intent: &Intent,
) -> next_step::Claim {
    let Some(claim) = found else {
        return next_step::Claim::Gone;
    };
    let is_same = claim.metadata.uid.as_ref() == Some(&intent.claim.uid);
    let has_it = volume_of(claim).is_some_and(|volume| volume == intent.volume_name().0);
    match is_same && (is_waiting(claim) || has_it) {
        true => next_step::Claim::Waits,
        false => next_step::Claim::Gone,
    }
}

fn volume_of(claim: &PersistentVolumeClaim) -> Option<&str> {
    let spec = claim.spec.as_ref()?;
    let volume = spec.volume_name.as_deref()?;
    (!volume.is_empty()).then_some(volume)
}

fn class_name(claim: &PersistentVolumeClaim) -> Option<&str> {
    let spec = claim.spec.as_ref();
    let named = spec.and_then(|spec| spec.storage_class_name.as_deref());
    annotation(claim, CLASS)
        .or(named)
        .filter(|name| !name.is_empty())
}

fn annotation<'a>(claim: &'a PersistentVolumeClaim, key: &str) -> Option<&'a str> {
    let annotations = claim.metadata.annotations.as_ref()?;
    annotations.get(key).map(String::as_str)
}

/// The node that the scheduler chose for the claim's pod.
pub(crate) fn selected_node(claim: &PersistentVolumeClaim) -> Option<&str> {
    annotation(claim, SELECTED_NODE).filter(|node| !node.is_empty())
}

/// Whether a volume of that class can be made for the claim now.
pub(crate) fn is_due(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    provisioner: &Provisioner,
) -> bool {
    let waits = class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
    class.provisioner == provisioner.0 && (!waits || selected_node(claim).is_some())
}

/// Whether claim or class say where the volume is to be. Where neither does, nobody has to be asked whether it matters.
pub(crate) fn names_places(claim: &PersistentVolumeClaim, class: &StorageClass) -> bool {
    let allowed = class.allowed_topologies.as_deref().unwrap_or_default();
    selected_node(claim).is_some() || !allowed.is_empty()
}

/// What is written down before anything is made. `node_labels` are those of the selected node.
pub(crate) fn intent(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    reach: Reach,
    node_labels: Option<&BTreeMap<String, String>>,
    snapshots: NamedSnapshots,
    holder: &Holder,
) -> Result<Intent, ClaimError> {
    let key = key(claim)?;
    let spec = claim.spec.clone().unwrap_or_default();
    if spec.volume_mode.as_deref() == Some("Block") {
        return Err(ClaimError::Block);
    }
    if spec.selector.is_some() {
        return Err(ClaimError::Selector);
    }
    if spec.data_source.is_some() || spec.data_source_ref.is_some() {
        return Err(ClaimError::DataSource);
    }
    let attributes = spec.volume_attributes_class_name.as_deref();
    if attributes.is_some_and(|name| !name.is_empty()) {
        return Err(ClaimError::VolumeAttributes);
    }
    let access_modes = spec.access_modes.clone().unwrap_or_default();
    if let Some(mode) = access_modes.iter().find(|mode| *mode == "ReadWriteOncePod") {
        return Err(ClaimError::AccessMode(mode.clone()));
    }
    let (required_bytes, limit_bytes) = sizes(&spec)?;
    let places = match reach {
        Reach::EveryNode => Vec::new(),
        Reach::SomePlaces => places(claim, class, node_labels)?,
    };
    let (mut parameters, fs_type) = parameters(class, &key);
    if let Some(snapshot) = named_snapshot(claim, snapshots)? {
        parameters.retain(|(key, _)| !key.eq_ignore_ascii_case(SNAPSHOT));
        parameters.push((SNAPSHOT.to_owned(), snapshot.to_owned()));
    }
    refuse_named(
        &class.metadata.name.clone().unwrap_or_default(),
        &parameters,
    )?;
    Ok(Intent {
        holder: holder.clone(),
        class: class.metadata.name.clone().unwrap_or_default(),
        reclaim_policy: class
            .reclaim_policy
            .clone()
            .unwrap_or_else(|| "Delete".to_owned()),
        access_modes,
        node: selected_node(claim).map(str::to_owned),
        required_bytes,
        limit_bytes,
        parameters,
        fs_type,
        mount_options: class.mount_options.clone().unwrap_or_default(),
        places: places.into_iter().map(|place| place.0).collect(),
        claim: key,
    })
}

/// Which snapshot the claim itself names, where it may.
fn named_snapshot(
    claim: &PersistentVolumeClaim,
    snapshots: NamedSnapshots,
) -> Result<Option<&str>, ClaimError> {
    let named = SNAPSHOT_ANNOTATIONS
        .into_iter()
        .find_map(|name| Some((name, annotation(claim, name)?)));
    match (named, snapshots) {
        (None, _) => Ok(None),
        (Some((_, snapshot)), NamedSnapshots::Restore) => Ok(Some(snapshot)),
        (Some((annotation, _)), NamedSnapshots::Refuse) => {
            Err(ClaimError::NamesSnapshot { annotation })
        }
    }
}

/// Where the volume is to be. Without the zone of the chosen node a backend would choose one of its own, where the pod may
/// never come.
fn places(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node_labels: Option<&BTreeMap<String, String>>,
) -> Result<Vec<Topology>, ClaimError> {
    let Some(labels) = node_labels else {
        let allowed = class.allowed_topologies.as_deref().unwrap_or_default();
        return Ok(topology::places_of_class(allowed));
    };
    let parameters = class.parameters.iter().flatten();
    let names_zone = { parameters }.any(|(key, _)| key.eq_ignore_ascii_case(ZONE_PARAMETER));
    match topology::place_of_node(labels) {
        Some(place) => Ok(vec![place]),
        None if names_zone => Ok(Vec::new()),
        None => Err(ClaimError::NoZone {
            node: selected_node(claim).unwrap_or_default().to_owned(),
        }),
    }
}

/// Refuses parameters by which a driver takes a volume that is there, of a class of that name.
pub(crate) fn refuse_named(class: &str, parameters: &[(String, String)]) -> Result<(), ClaimError> {
    let names_one = |key: &str| {
        NAMES_A_VOLUME
            .iter()
            .any(|name| key.eq_ignore_ascii_case(name))
    };
    match parameters.iter().find(|(key, _)| names_one(key)) {
        None => Ok(()),
        Some((parameter, _)) => Err(ClaimError::NamesVolume {
            class: class.to_owned(),
            parameter: parameter.clone(),
        }),
    }
}

fn key(claim: &PersistentVolumeClaim) -> Result<ClaimKey, ClaimError> {
    let metadata = &claim.metadata;
    let part = |name, value: &Option<String>| value.clone().ok_or(ClaimError::Incomplete(name));
    Ok(ClaimKey {
        namespace: part("metadata.namespace", &metadata.namespace)?,
        name: part("metadata.name", &metadata.name)?,
        uid: part("metadata.uid", &metadata.uid)?,
    })
}

/// At least, and at most.
fn sizes(
    spec: &k8s_openapi::api::core::v1::PersistentVolumeClaimSpec,
) -> Result<(u64, Option<u64>), ClaimError> {
    let resources = spec.resources.as_ref();
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    let limits = resources.and_then(|resources| resources.limits.as_ref());
    let read = |field, quantity: &k8s_openapi::apimachinery::pkg::api::resource::Quantity| {
        quantity::bytes(quantity).ok_or_else(|| ClaimError::Size {
            field,
            text: quantity.0.clone(),
        })
    };
    let required = requests.and_then(|requests| requests.get("storage"));
    let required = required.ok_or(ClaimError::NoSize)?;
    let limit = limits.and_then(|limits| limits.get("storage"));
    let limit = limit.map(|limit| read("spec.resources.limits.storage", limit));
    Ok((
        read("spec.resources.requests.storage", required)?,
        limit.transpose()?,
    ))
}

/// The class's for the backend, with the names of claim and volume, which backends keep as tags; and the filesystem, where
/// it is said by CSI's word.
fn parameters(class: &StorageClass, claim: &ClaimKey) -> (Vec<(String, String)>, String) {
    let given = class.parameters.clone().unwrap_or_default();
    let fs_type = given.get(FS_TYPE).cloned().unwrap_or_default();
    let of_backend = given
        .into_iter()
        .filter(|(key, _)| !key.starts_with(FOR_PROVISIONERS));
    let names = [
        ("pv/name", VolumeName::of_claim(&claim.uid).0),
        ("pvc/name", claim.name.clone()),
        ("pvc/namespace", claim.namespace.clone()),
    ];
    let names = names.map(|(key, value)| (format!("{FOR_PROVISIONERS}{key}"), value));
    (of_backend.chain(names).collect(), fs_type)
}

#[cfg(test)]
mod tests;
