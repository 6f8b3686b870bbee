//! The words this driver understands, with their meanings: the host refuses any other, and prints these
//! lines as help.
//!
//! They are those of the drivers it replaces: Alibaba's FlexVolume driver and its provisioner, and their CSI
//! driver. A volume made by the latter carries its StorageClass's words along, so those are known there too.
//! `detachFromOtherNode` is ours.

use drivebay_guest::exports::identity::Parameter;
use drivebay_guest::parameters::described as as_told;

/// `diskTags/<key>`.
pub(crate) const DISK_TAGS_PREFIX: &str = "diskTags/";
/// `-diskTags/<key>`.
pub(crate) const NO_DISK_TAGS_PREFIX: &str = "-diskTags/";
/// `snapshotTags/<key>`.
pub(crate) const SNAPSHOT_TAGS_PREFIX: &str = "snapshotTags/";

const TAG: &str = "Tag of the disk whose key follows the slash.";
const NO_TAG: &str = "The disk has no tag whose key follows the slash.";
const CARRIED_ALONG: &str = "Of the StorageClass that the volume was made by; without effect here.";

drivebay_guest::parameters! {
    pub(crate) const OF_VOLUMES: "volume" = {
        VOLUME_ID: Word = "volumeId", default = "the volume's own name" =>
            "The disk: d- and what follows it in the ECS console.";
    }
}

drivebay_guest::parameters! {
    pub(crate) const OF_CLASSES: "storage-class" = {
        TYPE: Words = "type", default = "available" =>
            "Category of the disk, or several separated by commas, tried in that order; available means cloud_ssd, then cloud_efficiency.";
        PERFORMANCE_LEVEL: Words = "performanceLevel", default = "PL1" =>
            "For cloud_essd: PL0, PL1, PL2 or PL3, or several separated by commas, tried in that order.";
        PROVISIONED_IOPS: Count = "provisionedIops" => "For cloud_auto: operations per second above the baseline.";
        BURSTING_ENABLED: Flag = "burstingEnabled", default = "false" => "For cloud_auto: let it burst.";
        ZONE_ID: Words = "zoneId", default = "the pod's zone, else this node's" =>
            "Zone of the disk, or several separated by commas, of which the first that the pod can be in is tried first.";
        REGION_ID: Word = "regionId" => "Region of the disk; it has to be the one that the driver is granted.";
        ENCRYPTED: Flag = "encrypted", default = "false" => "Encrypt the disk.";
        KMS_KEY_ID: Word = "kmsKeyId", default = "the service's key" =>
            "Key to encrypt it with; encrypted has to be true.";
        // This one and those with a domain below are the CSI driver's annotations of claims, which Alibaba's provisioner
        // hands on.
        CLAIMS_KMS_KEY_ID: Word = "alibabacloud.com/kms-key-id" =>
            "As kmsKeyId, and preferred to it: an annotation of the claim, as some provisioners hand it on.";
        CREATE_DISK_ARN: Word = "alibabacloud.com/createdisk-arn" =>
            "Roles that ECS assumes for that key: a JSON list of objects with Rolearn, RoleType and AssumeRoleFor.";
        SNAPSHOT_ID: Word = "csi.alibabacloud.com/disk-snapshot-id" =>
            "Snapshot to make the disk from, where the claim's dataSource names none.";
        DISK_ID: Word = "volume.alibabacloud.com/disk-id" =>
            "Disk that becomes the volume, if it is what else is asked for and is not tagged as another volume's; none is made.";
        RESOURCE_GROUP_ID: Word = "resourceGroupId" => "Resource group of the disk.";
        STORAGE_CLUSTER_ID: Word = "storageClusterId" =>
            "Dedicated block storage cluster; performanceLevel has to be given.";
        MULTI_ATTACH: Word = "multiAttach", default = "false" =>
            "true or enabled: let several nodes attach the disk at once, as a raw block device or to read only.";
        VOLUME_SIZE_AUTO_AVAILABLE: Flag = "volumeSizeAutoAvailable", default = "false" =>
            "Make the disk as large as its category has to be where less was asked for, instead of refusing.";
        DISK_TAGS: Words = "diskTags" => "Tags of the disk: KEY:VALUE, several separated by commas.";
        "diskTags/*" => TAG;
        "-diskTags/*" => NO_TAG;
        FS_TYPE: Word = "fsType", default = "what is on the disk, else ext4" =>
            "Filesystem, where the claim names none.";
        MKFS_OPTIONS: Word = "mkfsOptions" =>
            "Options for making the filesystem, separated by spaces; the driver's file has to grant each.";
        READ_ONLY: Flag = "readOnly", default = "false" => "Mount the volume read-only everywhere.";
        DETACH_FROM_OTHER_NODE: Flag = "detachFromOtherNode", default = "false" =>
            "Take the disk away from another node that has it attached: data in flight there is lost.";
        PV_NAME: Word = "csi.storage.k8s.io/pv/name" =>
            "Name of the PersistentVolume, for a tag; written by the provisioner.";
        PVC_NAME: Word = "csi.storage.k8s.io/pvc/name" => "Name of the claim, for a tag; written by the provisioner.";
        PVC_NAMESPACE: Word = "csi.storage.k8s.io/pvc/namespace" =>
            "Namespace of the claim, for a tag; written by the provisioner.";
        OMIT_FSCK: Flag = "omitfsck", default = "false" => "Only false: a filesystem is checked before each mount.";
        RESTRICT_TO_HPN_ZONE: Word = "restrictToHpnZone", default = "never" =>
            "Only never: nodes' network zones are not told apart.";
        VOLUME_EXPAND_AUTO_SNAPSHOT: Word = "volumeExpandAutoSnapshot" =>
            "Obsolete, without effect: no snapshot is made before a volume grows.";
    }
}

drivebay_guest::parameters! {
    pub(crate) const OF_SNAPSHOT_CLASSES: "volume-snapshot-class" = {
        RETENTION_DAYS: Count = "retentionDays", default = "for ever" =>
            "Days after which ECS deletes the snapshot: 1 to 65536.";
        RESOURCE_GROUP_ID => "Resource group of the snapshot.";
        "snapshotTags/*" => "Tag of the snapshot whose key follows the slash.";
        SNAPSHOT_TYPE: Word = "snapshotType" => "Obsolete, without effect.";
        INSTANT_ACCESS_RETENTION_DAYS: Word = "instantAccessRetentionDays" => "Obsolete, without effect.";
    }
}

drivebay_guest::parameters! {
    pub(crate) const OF_GROUP_SNAPSHOT_CLASSES: "volume-group-snapshot-class" = {
        RESOURCE_GROUP_ID => "Resource group of the snapshots' group.";
        "snapshotTags/*" => "Tag of the snapshots' group whose key follows the slash.";
    }
}

drivebay_guest::parameters! {
    pub(crate) const OF_ATTRIBUTES_CLASSES: "volume-attributes-class" = {
        TYPE => "Category to change the disk to.";
        PERFORMANCE_LEVEL => "For cloud_essd: level to change the disk to.";
        PROVISIONED_IOPS => "For cloud_auto: operations per second above the baseline.";
        BURSTING_ENABLED => "For cloud_auto: whether it bursts.";
        "diskTags/*" => TAG;
        "-diskTags/*" => NO_TAG;
    }
}

const OF_CGROUPS: &str =
    "limits of one volume belong into the pod's cgroup, which this driver does not touch";

/// Words of the CSI driver that would change what the user gets, and why they cannot be honoured.
const REFUSED: [(&str, &str); 8] = [
    ("dataCacheMode", "a cache on a second disk is not offered"),
    ("dataCacheSize", "a cache on a second disk is not offered"),
    ("readBPS", OF_CGROUPS),
    ("readIOPS", OF_CGROUPS),
    (
        "sysConfig",
        "settings of the node's kernel are not changed for one volume",
    ),
    (
        "volumeDeleteSnapshotRetentionDays",
        "no snapshot is made before a disk is deleted: take a VolumeSnapshot, or set reclaimPolicy Retain",
    ),
    ("writeBPS", OF_CGROUPS),
    ("writeIOPS", OF_CGROUPS),
];

/// All of them, as `describe` answers.
pub(crate) fn described() -> Vec<Parameter> {
    let mut all = as_told(&[OF_VOLUMES]);
    for line in OF_CLASSES.lines {
        all.push(line.described(OF_CLASSES.scope));
        // A volume carries the words it was made by; `readOnly` there is the host's, and so is it to leave out
        // those with a domain.
        if line.name != READ_ONLY.name() && !line.name.contains('.') {
            let meaning = if matters_to_nodes(line.name) {
                line.meaning
            } else {
                CARRIED_ALONG
            };
            all.push(in_volumes(line.name, meaning));
        }
    }
    all.append(&mut as_told(&[
        OF_SNAPSHOT_CLASSES,
        OF_GROUP_SNAPSHOT_CLASSES,
        OF_ATTRIBUTES_CLASSES,
    ]));
    for (name, reason) in REFUSED {
        let refused = format!("Refused: {reason}.");
        let meaning = if blocks_volumes(name) {
            &refused
        } else {
            CARRIED_ALONG
        };
        all.push(in_volumes(name, meaning));
        all.push(Parameter {
            scope: "storage-class".into(),
            ..in_volumes(name, &refused)
        });
    }
    all
}

fn in_volumes(name: &str, meaning: &str) -> Parameter {
    Parameter {
        name: name.into(),
        scope: "volume".into(),
        required: false,
        default: None,
        description: meaning.into(),
    }
}

/// Why a word cannot be honoured for a volume that is to be made.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    let mut refused = REFUSED.into_iter();
    let (_, reason) = refused.find(|(refused, _)| refused.eq_ignore_ascii_case(name))?;
    Some(reason)
}

/// Whether a word in a volume that exists keeps it from being mounted. Without its speed limits a volume is
/// still the same; without its write-back cache it may lack what was written last.
pub(crate) fn blocks_volumes(name: &str) -> bool {
    name.get(..9)
        .is_some_and(|start| start.eq_ignore_ascii_case("dataCache"))
}

fn matters_to_nodes(name: &str) -> bool {
    name == FS_TYPE.name() || name == MKFS_OPTIONS.name() || name == DETACH_FROM_OTHER_NODE.name()
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
                .any(|p| p.scope == "volume" && p.name == name)
        };
        for parameter in &described {
            let is_hosts = parameter.name == READ_ONLY.name() || parameter.name.contains('.');
            if parameter.scope == "storage-class" && !is_hosts {
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
