//! A FlexVolume's source as one of CSI's, word by word. Pure.
//!
//! One component answers both ways and knows the same words in both, so what a volume says is carried over as it is said,
//! in the component's spelling. What is not known here is refused by name and never left out: a volume that is mounted
//! otherwise than yesterday is worse than one that stays.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, FlexPersistentVolumeSource, PersistentVolume,
};
use kube::ResourceExt as _;

use super::drivers::{Driver, Kind};
use crate::volume;

/// The disk itself, which CSI has as the volume's handle. Read with all else that says which disk a volume is of.
const DISK_ID: &str = "volumeId";

/// The host's own word, which CSI has a field for.
const READ_ONLY: &str = "readOnly";

/// Words of `alicloud-disk` that a volume may carry. Those that are not the node's come of the class that it was made by,
/// and are without effect in both.
const OF_DISKS: [&str; 18] = [
    "fsType",
    "mkfsOptions",
    "detachFromOtherNode",
    "type",
    "performanceLevel",
    "provisionedIops",
    "burstingEnabled",
    "zoneId",
    "regionId",
    "encrypted",
    "kmsKeyId",
    "resourceGroupId",
    "storageClusterId",
    "multiAttach",
    "volumeSizeAutoAvailable",
    "diskTags",
    "omitfsck",
    "volumeExpandAutoSnapshot",
];

/// Words of `nfs` that a volume may carry.
const OF_SHARES: [&str; 14] = [
    "server",
    "share",
    "path",
    "subPath",
    "createSubPath",
    "mode",
    "vers",
    "protocol",
    "atime",
    "mountOptions",
    "options",
    "subDir",
    "mountPermissions",
    "onDelete",
];

/// CSI's bound on a volume's id, in bytes.
const LONGEST_HANDLE: usize = 128;

/// CSI's bound on the keys and values of a volume's attributes together, in bytes.
const LONGEST_ATTRIBUTES: usize = 4096;

/// Why a volume cannot be one of CSI's as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untranslatable {
    #[error(
        "its option {0:?} is not known here, so nobody can say what it would be in CSI; write the volume anew by hand"
    )]
    Option(String),
    #[error(
        "its options say {0:?} more than once, in different case; write the volume anew by hand"
    )]
    Twice(String),
    #[error("its option {READ_ONLY} is {0:?}, which is neither true nor false")]
    ReadOnly(String),
    #[error(
        "it has a secretRef, which the CSI driver would not be given: the driver's file names the keys there; write the \
         volume anew by hand if the Secret is not needed"
    )]
    Secret,
    #[error("it names no server: option server is missing")]
    NoServer,
    #[error("{0:?} is no disk's id: one begins with d-, and stands in option VolumeId")]
    NoDisk(String),
    #[error("it says more than one disk: {}", .0.join(" and "))]
    Disks(Vec<String>),
    #[error("its name is longer than the {LONGEST_HANDLE} bytes that CSI has for a volume's id")]
    Name,
    #[error(
        "its options are longer than the {LONGEST_ATTRIBUTES} bytes that CSI has for a volume's attributes"
    )]
    Attributes,
}

/// What a FlexVolume of that driver is to CSI.
pub(super) fn to_csi(
    object: &PersistentVolume,
    source: &FlexPersistentVolumeSource,
    driver: &Driver,
) -> Result<CSIPersistentVolumeSource, Untranslatable> {
    if source.secret_ref.is_some() {
        return Err(Untranslatable::Secret);
    }
    let words = Words::of(source)?;
    let (handle, attributes) = match driver.kind {
        Kind::Disk => (disk(object)?, words.carried(&OF_DISKS, &[DISK_ID])?),
        Kind::Share => (share(object)?, words.carried(&OF_SHARES, &[])?),
    };
    if driver.kind == Kind::Share && attributes.get("server").is_none_or(String::is_empty) {
        return Err(Untranslatable::NoServer);
    }
    let length: usize = attributes
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if length > LONGEST_ATTRIBUTES {
        return Err(Untranslatable::Attributes);
    }
    let is_read_only = words.are_read_only()? || source.read_only == Some(true);
    Ok(CSIPersistentVolumeSource {
        driver: driver.names.csi.0.clone(),
        volume_handle: handle,
        fs_type: source.fs_type.clone().filter(|name| !name.is_empty()),
        read_only: is_read_only.then_some(true),
        volume_attributes: (!attributes.is_empty()).then_some(attributes),
        ..CSIPersistentVolumeSource::default()
    })
}

/// The disk that all of the volume's words agree on.
fn disk(object: &PersistentVolume) -> Result<String, Untranslatable> {
    let id = volume::id_to_delete(object).map_err(|found| Untranslatable::Disks(found.ids()))?;
    let named = id.0.strip_prefix("d-").unwrap_or_default();
    match !named.is_empty() && named.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => Ok(id.0),
        false => Err(Untranslatable::NoDisk(id.0)),
    }
}

/// A share has no id of its own, and two volumes may be of one share. To kubelet two volumes of one handle are one, so the
/// handle is what no other PersistentVolume has: the name. No driver reads it as the id of a directory that it made, so
/// none is ever deleted by it.
fn share(object: &PersistentVolume) -> Result<String, Untranslatable> {
    let name = object.name_any();
    match name.len() <= LONGEST_HANDLE {
        true => Ok(name),
        false => Err(Untranslatable::Name),
    }
}

/// A FlexVolume's options. Drivers take their keys in any case.
struct Words<'a>(BTreeMap<String, (&'a str, &'a str)>);

impl<'a> Words<'a> {
    fn of(source: &'a FlexPersistentVolumeSource) -> Result<Self, Untranslatable> {
        let mut words = BTreeMap::new();
        for (key, value) in source.options.iter().flatten() {
            let before = words.insert(key.to_ascii_lowercase(), (key.as_str(), value.as_str()));
            if before.is_some() {
                return Err(Untranslatable::Twice(key.clone()));
            }
        }
        Ok(Self(words))
    }

    /// As attributes, in the component's spelling, but for those that CSI has elsewhere. What somebody keeps by a domain
    /// of their own beside a driver's words is nobody's business in both.
    fn carried(
        &self,
        known: &[&str],
        elsewhere: &[&str],
    ) -> Result<BTreeMap<String, String>, Untranslatable> {
        let mut attributes = BTreeMap::new();
        for (key, value) in self.0.values() {
            let is_key = |word: &&&str| word.eq_ignore_ascii_case(key);
            if elsewhere.iter().any(|word| is_key(&word)) || is_key(&&READ_ONLY) {
                continue;
            }
            let known = known.iter().find(is_key).copied();
            let spelt = known.or_else(|| is_of_a_domain(key).then_some(*key));
            let spelt = spelt.ok_or_else(|| Untranslatable::Option((*key).to_owned()))?;
            attributes.insert(spelt.to_owned(), (*value).to_owned());
        }
        Ok(attributes)
    }

    fn are_read_only(&self) -> Result<bool, Untranslatable> {
        let said = self.0.get(&READ_ONLY.to_ascii_lowercase());
        match said.map_or("", |(_, value)| *value) {
            "" => Ok(false),
            value if value.eq_ignore_ascii_case("true") => Ok(true),
            value if value.eq_ignore_ascii_case("false") => Ok(false),
            value => Err(Untranslatable::ReadOnly(value.to_owned())),
        }
    }
}

fn is_of_a_domain(key: &str) -> bool {
    key.split_once('/')
        .is_some_and(|(domain, _)| domain.contains('.'))
}

#[cfg(test)]
mod tests;
