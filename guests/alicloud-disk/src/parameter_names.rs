//! The words this driver understands, with their meanings: the host refuses any other, and prints these
//! lines as help.
//!
//! They are those of the drivers it replaces: Alibaba's FlexVolume driver and its provisioner, and their CSI
//! driver. A volume made by the latter carries its StorageClass's words along, so those are known there too.
//! `detachFromOtherNode` is ours.

use crate::bindings::exports::drivebay::driver::identity::Parameter;

pub(crate) const VOLUME_ID: &str = "volumeId";
pub(crate) const TYPE: &str = "type";
pub(crate) const PERFORMANCE_LEVEL: &str = "performanceLevel";
pub(crate) const PROVISIONED_IOPS: &str = "provisionedIops";
pub(crate) const BURSTING_ENABLED: &str = "burstingEnabled";
pub(crate) const ZONE_ID: &str = "zoneId";
pub(crate) const REGION_ID: &str = "regionId";
pub(crate) const ENCRYPTED: &str = "encrypted";
pub(crate) const KMS_KEY_ID: &str = "kmsKeyId";
/// The CSI driver's annotation of claims, which Alibaba's provisioner hands on.
pub(crate) const CLAIMS_KMS_KEY_ID: &str = "alibabacloud.com/kms-key-id";
/// Another such annotation.
pub(crate) const CREATE_DISK_ARN: &str = "alibabacloud.com/createdisk-arn";
/// Another such annotation.
pub(crate) const SNAPSHOT_ID: &str = "csi.alibabacloud.com/disk-snapshot-id";
/// Another such annotation.
pub(crate) const DISK_ID: &str = "volume.alibabacloud.com/disk-id";
pub(crate) const RESOURCE_GROUP_ID: &str = "resourceGroupId";
pub(crate) const STORAGE_CLUSTER_ID: &str = "storageClusterId";
pub(crate) const MULTI_ATTACH: &str = "multiAttach";
pub(crate) const VOLUME_SIZE_AUTO_AVAILABLE: &str = "volumeSizeAutoAvailable";
pub(crate) const DISK_TAGS: &str = "diskTags";
/// `diskTags/<key>`.
pub(crate) const DISK_TAGS_PREFIX: &str = "diskTags/";
/// `-diskTags/<key>`.
pub(crate) const NO_DISK_TAGS_PREFIX: &str = "-diskTags/";
pub(crate) const FS_TYPE: &str = "fsType";
pub(crate) const MKFS_OPTIONS: &str = "mkfsOptions";
pub(crate) const READ_ONLY: &str = "readOnly";
pub(crate) const DETACH_FROM_OTHER_NODE: &str = "detachFromOtherNode";
pub(crate) const PV_NAME: &str = "csi.storage.k8s.io/pv/name";
pub(crate) const PVC_NAME: &str = "csi.storage.k8s.io/pvc/name";
pub(crate) const PVC_NAMESPACE: &str = "csi.storage.k8s.io/pvc/namespace";
pub(crate) const OMIT_FSCK: &str = "omitfsck";
pub(crate) const RESTRICT_TO_HPN_ZONE: &str = "restrictToHpnZone";
pub(crate) const VOLUME_EXPAND_AUTO_SNAPSHOT: &str = "volumeExpandAutoSnapshot";
pub(crate) const RETENTION_DAYS: &str = "retentionDays";
/// `snapshotTags/<key>`.
pub(crate) const SNAPSHOT_TAGS_PREFIX: &str = "snapshotTags/";
pub(crate) const SNAPSHOT_TYPE: &str = "snapshotType";
pub(crate) const INSTANT_ACCESS_RETENTION_DAYS: &str = "instantAccessRetentionDays";

const TAG: &str = "Tag of the disk whose key follows the slash.";
const NO_TAG: &str = "The disk has no tag whose key follows the slash.";

const CARRIED_ALONG: &str = "Of the StorageClass that the volume was made by; without effect here.";

/// Name, default, meaning.
type Line = (&'static str, Option<&'static str>, &'static str);

const CREATION: &[Line] = &[
    (
        TYPE,
        Some("available"),
        "Category of the disk, or several separated by commas, tried in that order; available means cloud_ssd, then cloud_efficiency.",
    ),
    (
        PERFORMANCE_LEVEL,
        Some("PL1"),
        "For cloud_essd: PL0, PL1, PL2 or PL3, or several separated by commas, tried in that order.",
    ),
    (
        PROVISIONED_IOPS,
        None,
        "For cloud_auto: operations per second above the baseline.",
    ),
    (
        BURSTING_ENABLED,
        Some("false"),
        "For cloud_auto: let it burst.",
    ),
    (
        ZONE_ID,
        Some("the pod's zone, else this node's"),
        "Zone of the disk, or several separated by commas, of which the first that the pod can be in is tried first.",
    ),
    (
        REGION_ID,
        None,
        "Region of the disk; it has to be the one that the driver is granted.",
    ),
    (ENCRYPTED, Some("false"), "Encrypt the disk."),
    (
        KMS_KEY_ID,
        Some("the service's key"),
        "Key to encrypt it with; encrypted has to be true.",
    ),
    (
        CLAIMS_KMS_KEY_ID,
        None,
        "As kmsKeyId, and preferred to it: an annotation of the claim, as some provisioners hand it on.",
    ),
    (
        CREATE_DISK_ARN,
        None,
        "Roles that ECS assumes for that key: a JSON list of objects with Rolearn, RoleType and AssumeRoleFor.",
    ),
    (
        SNAPSHOT_ID,
        None,
        "Snapshot to make the disk from, where the claim's dataSource names none.",
    ),
    (
        DISK_ID,
        None,
        "Disk that becomes the volume, if it is what else is asked for and is not tagged as another volume's; none is made.",
    ),
    (RESOURCE_GROUP_ID, None, "Resource group of the disk."),
    (
        STORAGE_CLUSTER_ID,
        None,
        "Dedicated block storage cluster; performanceLevel has to be given.",
    ),
    (
        MULTI_ATTACH,
        Some("false"),
        "true or enabled: let several nodes attach the disk at once, as a raw block device or to read only.",
    ),
    (
        VOLUME_SIZE_AUTO_AVAILABLE,
        Some("false"),
        "Make the disk as large as its category has to be where less was asked for, instead of refusing.",
    ),
    (
        DISK_TAGS,
        None,
        "Tags of the disk: KEY:VALUE, several separated by commas.",
    ),
    ("diskTags/*", None, TAG),
    ("-diskTags/*", None, NO_TAG),
    (
        FS_TYPE,
        Some("what is on the disk, else ext4"),
        "Filesystem, where the claim names none.",
    ),
    (
        MKFS_OPTIONS,
        None,
        "Options for making the filesystem, separated by spaces; the driver's file has to grant each.",
    ),
    (
        READ_ONLY,
        Some("false"),
        "Mount the volume read-only everywhere.",
    ),
    (
        DETACH_FROM_OTHER_NODE,
        Some("false"),
        "Take the disk away from another node that has it attached: data in flight there is lost.",
    ),
    (
        PV_NAME,
        None,
        "Name of the PersistentVolume, for a tag; written by the provisioner.",
    ),
    (
        PVC_NAME,
        None,
        "Name of the claim, for a tag; written by the provisioner.",
    ),
    (
        PVC_NAMESPACE,
        None,
        "Namespace of the claim, for a tag; written by the provisioner.",
    ),
    (
        OMIT_FSCK,
        Some("false"),
        "Only false: a filesystem is checked before each mount.",
    ),
    (
        RESTRICT_TO_HPN_ZONE,
        Some("never"),
        "Only never: nodes' network zones are not told apart.",
    ),
    (
        VOLUME_EXPAND_AUTO_SNAPSHOT,
        None,
        "Obsolete, without effect: no snapshot is made before a volume grows.",
    ),
];

/// Words of the CSI driver that would change what the user gets, and why they cannot be honoured.
const REFUSED: &[(&str, &str)] = &[
    ("dataCacheMode", "a cache on a second disk is not offered"),
    ("dataCacheSize", "a cache on a second disk is not offered"),
    (
        "readBPS",
        "limits of one volume belong into the pod's cgroup, which this driver does not touch",
    ),
    (
        "readIOPS",
        "limits of one volume belong into the pod's cgroup, which this driver does not touch",
    ),
    (
        "sysConfig",
        "settings of the node's kernel are not changed for one volume",
    ),
    (
        "volumeDeleteSnapshotRetentionDays",
        "no snapshot is made before a disk is deleted: take a VolumeSnapshot, or set reclaimPolicy Retain",
    ),
    (
        "writeBPS",
        "limits of one volume belong into the pod's cgroup, which this driver does not touch",
    ),
    (
        "writeIOPS",
        "limits of one volume belong into the pod's cgroup, which this driver does not touch",
    ),
];

const SNAPSHOT: &[Line] = &[
    (
        RETENTION_DAYS,
        Some("for ever"),
        "Days after which ECS deletes the snapshot: 1 to 65536.",
    ),
    (RESOURCE_GROUP_ID, None, "Resource group of the snapshot."),
    (
        "snapshotTags/*",
        None,
        "Tag of the snapshot whose key follows the slash.",
    ),
    (SNAPSHOT_TYPE, None, "Obsolete, without effect."),
    (
        INSTANT_ACCESS_RETENTION_DAYS,
        None,
        "Obsolete, without effect.",
    ),
];

const GROUP_SNAPSHOT: &[Line] = &[
    (
        RESOURCE_GROUP_ID,
        None,
        "Resource group of the snapshots' group.",
    ),
    (
        "snapshotTags/*",
        None,
        "Tag of the snapshots' group whose key follows the slash.",
    ),
];

const MODIFICATION: &[Line] = &[
    (TYPE, None, "Category to change the disk to."),
    (
        PERFORMANCE_LEVEL,
        None,
        "For cloud_essd: level to change the disk to.",
    ),
    (
        PROVISIONED_IOPS,
        None,
        "For cloud_auto: operations per second above the baseline.",
    ),
    (BURSTING_ENABLED, None, "For cloud_auto: whether it bursts."),
    ("diskTags/*", None, TAG),
    ("-diskTags/*", None, NO_TAG),
];

const VOLUME: &[Line] = &[(
    VOLUME_ID,
    Some("the volume's own name"),
    "The disk: d- and what follows it in the ECS console.",
)];

/// Where a parameter may stand, as the host names it.
const IN_VOLUMES: &str = "volume";
const IN_CLASSES: &str = "storage-class";

/// All of them, as `describe` answers.
pub(crate) fn described() -> Vec<Parameter> {
    let mut all = Vec::new();
    for (scope, lines) in [
        (IN_VOLUMES, VOLUME),
        (IN_CLASSES, CREATION),
        ("volume-snapshot-class", SNAPSHOT),
        ("volume-group-snapshot-class", GROUP_SNAPSHOT),
        ("volume-attributes-class", MODIFICATION),
    ] {
        for (name, default, meaning) in lines {
            all.push(parameter(scope, name, *default, meaning));
            // A volume carries the words it was made by; `readOnly` there is the host's, and so is it to leave out
            // those with a domain.
            if scope == IN_CLASSES && *name != READ_ONLY && !name.contains('.') {
                let in_volumes = if matters_to_nodes(name) {
                    meaning
                } else {
                    CARRIED_ALONG
                };
                all.push(parameter(IN_VOLUMES, name, None, in_volumes));
            }
        }
    }
    for (name, reason) in REFUSED {
        let refused = format!("Refused: {reason}.");
        let in_volumes = if blocks_volumes(name) {
            &refused
        } else {
            CARRIED_ALONG
        };
        all.push(parameter(IN_VOLUMES, name, None, in_volumes));
        all.push(parameter(IN_CLASSES, name, None, &refused));
    }
    all
}

/// Why a word cannot be honoured for a volume that is to be made.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    let known = REFUSED
        .iter()
        .find(|(refused, _)| refused.eq_ignore_ascii_case(name));
    known.map(|(_, reason)| *reason)
}

/// Whether a word in a volume that exists keeps it from being mounted. Without its speed limits a volume is
/// still the same; without its write-back cache it may lack what was written last.
pub(crate) fn blocks_volumes(name: &str) -> bool {
    name.get(..9)
        .is_some_and(|start| start.eq_ignore_ascii_case("dataCache"))
}

fn matters_to_nodes(name: &str) -> bool {
    [FS_TYPE, MKFS_OPTIONS, DETACH_FROM_OTHER_NODE].contains(&name)
}

fn parameter(scope: &str, name: &str, default: Option<&str>, meaning: &str) -> Parameter {
    Parameter {
        name: name.into(),
        scope: scope.into(),
        required: false,
        default: default.map(String::from),
        description: meaning.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_parameters_of_a_scope_differ_in_case_only() {
        let mut names: Vec<String> = described()
            .iter()
            .map(|p| format!("{:?} {}", p.scope, p.name.to_lowercase()))
            .collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_meaning_is_a_sentence() {
        for parameter in described() {
            assert!(parameter.description.ends_with('.'), "{}", parameter.name);
        }
    }

    #[test]
    fn every_word_of_a_storage_class_is_known_in_its_volumes_if_not_left_out_by_the_host() {
        let described = described();
        let is_in_volumes = |name: &str| {
            described
                .iter()
                .any(|p| p.scope == IN_VOLUMES && p.name == name)
        };
        for parameter in &described {
            let is_hosts = parameter.name == READ_ONLY || parameter.name.contains('.');
            if parameter.scope == IN_CLASSES && !is_hosts {
                assert!(is_in_volumes(&parameter.name), "{}", parameter.name);
            }
        }
    }

    #[test]
    fn only_a_cache_keeps_an_old_volume_from_being_mounted() {
        assert!(blocks_volumes("DataCacheMode") && blocks_volumes("dataCacheSize"));
        assert!(!blocks_volumes("sysConfig") && !blocks_volumes("type") && !blocks_volumes("é"));
        assert!(refusal("SYSCONFIG").is_some() && refusal("type").is_none());
    }
}
