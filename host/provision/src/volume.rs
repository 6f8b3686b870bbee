//! The PersistentVolume of what was made, and which volume of the backend one is of. Pure.

use std::collections::BTreeMap;

use drivebay::volume::{Topology, VolumeId};
use k8s_openapi::api::core::v1::{
    FlexPersistentVolumeSource, PersistentVolume, PersistentVolumeSpec,
};
use kube::api::ObjectMeta;

use crate::intent::Intent;
use crate::names::{INTENT_UID, PROVISIONED_BY, Provisioner, VOLUME_FINALIZER, VOLUME_ID};
use crate::next_step;
use crate::quantity;
use crate::topology;

/// The option that old drivers know a disk by. The controller of old spelt it so in each volume that it made, and programs
/// read it there; drivers take it in any case.
const ID_OPTION: &str = "VolumeId";

/// Why nothing is deleted for a volume.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not said which volume this is of ({}), so nothing is deleted: make annotation {VOLUME_ID} and option {ID_OPTION} \
     the same, or delete the object with reclaim policy Retain", .0.join(" or ")
)]
pub(crate) struct Ambiguous(Vec<String>);

impl Ambiguous {
    /// What it may be.
    pub(crate) fn ids(self) -> Vec<String> {
        self.0
    }
}

/// What a backend made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) id: VolumeId,
    /// 0 where the backend has no notion of a size.
    pub(crate) capacity_bytes: u64,
    /// What a node needs to mount it.
    pub(crate) options: Vec<(String, String)>,
    pub(crate) places: Vec<Topology>,
}

/// The object that binds to the intent's claim and to no other.
pub(crate) fn persistent_volume(
    intent: &Intent,
    intent_uid: &str,
    provisioner: &Provisioner,
    made: &Made,
) -> PersistentVolume {
    let annotations = [
        (PROVISIONED_BY, provisioner.0.as_str()),
        (VOLUME_ID, made.id.0.as_str()),
        (INTENT_UID, intent_uid),
    ];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let is_deleted = intent.reclaim_policy == "Delete";
    let bytes = match made.capacity_bytes {
        0 => intent.required_bytes,
        bytes => bytes,
    };
    let capacity = ("storage".to_owned(), quantity::quantity(bytes));
    let asked: Vec<Topology> = intent.places.iter().cloned().map(Topology).collect();
    PersistentVolume {
        metadata: ObjectMeta {
            name: Some(intent.volume_name().0),
            annotations: Some(annotations.into()),
            finalizers: is_deleted.then(|| vec![VOLUME_FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            capacity: Some([capacity].into()),
            access_modes: Some(intent.access_modes.clone()),
            persistent_volume_reclaim_policy: Some(intent.reclaim_policy.clone()),
            storage_class_name: Some(intent.class.clone()),
            claim_ref: Some(intent.claim_reference()),
            node_affinity: topology::affinity(&made.places, &asked),
            flex_volume: Some(source(intent, provisioner, made)),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    }
}

/// FlexVolume has fields for the filesystem and for reading alone; all else is options.
fn source(intent: &Intent, provisioner: &Provisioner, made: &Made) -> FlexPersistentVolumeSource {
    let mut options = BTreeMap::new();
    let mut fs_type = intent.fs_type.clone();
    let mut read_only = None;
    for (key, value) in &made.options {
        match key.to_ascii_lowercase().as_str() {
            "fstype" if fs_type.is_empty() => fs_type.clone_from(value),
            "fstype" => {}
            "readonly" => read_only = (value == "true").then_some(true),
            "volumeid" => {
                options.insert(ID_OPTION.to_owned(), value.clone());
            }
            _ => {
                options.insert(key.clone(), value.clone());
            }
        }
    }
    FlexPersistentVolumeSource {
        driver: provisioner.0.clone(),
        fs_type: (!fs_type.is_empty()).then_some(fs_type),
        options: Some(options),
        read_only,
        secret_ref: None,
    }
}

/// The backend's name of a volume: as it was written down when it was made, or, of an old one, as its option or its own
/// name says. Volumes of CSI have it where CSI says, also those that once were ours.
pub(crate) fn id_of(volume: &PersistentVolume) -> Option<VolumeId> {
    ids_of(volume).into_iter().next()
}

/// By what a volume is deleted, if all that it says is one.
pub(crate) fn id_to_delete(volume: &PersistentVolume) -> Result<VolumeId, Ambiguous> {
    let ids = ids_of(volume);
    match &ids[..] {
        [id] => Ok(id.clone()),
        _ => Err(Ambiguous(ids.into_iter().map(|id| id.0).collect())),
    }
}

/// Whether a volume is of that one, for all that it says.
pub(crate) fn is_of(volume: &PersistentVolume, id: &VolumeId) -> bool {
    ids_of(volume).contains(id)
}

/// All that a volume says of which it is, that which counts first.
fn ids_of(volume: &PersistentVolume) -> Vec<VolumeId> {
    let spec = volume.spec.as_ref();
    if let Some(csi) = spec.and_then(|spec| spec.csi.as_ref()) {
        return vec![VolumeId(csi.volume_handle.clone())];
    }
    let Some(flexvolume) = spec.and_then(|spec| spec.flex_volume.as_ref()) else {
        return Vec::new();
    };
    let annotations = volume.metadata.annotations.as_ref();
    let written = annotations.and_then(|annotations| annotations.get(VOLUME_ID));
    let mut ids: Vec<&String> = written.into_iter().collect();
    ids.extend(ids_in(flexvolume.options.as_ref()));
    if ids.is_empty() {
        ids.extend(volume.metadata.name.as_ref());
    }
    ids.dedup();
    ids.into_iter().cloned().map(VolumeId).collect()
}

/// The ids in a FlexVolume's options: one, as it should be.
pub(crate) fn ids_in(options: Option<&BTreeMap<String, String>>) -> impl Iterator<Item = &String> {
    let options = options.into_iter().flatten();
    let options = options.filter(|(key, _)| key.eq_ignore_ascii_case(ID_OPTION));
    options.map(|(_, id)| id)
}

/// Whose the object of an intent's name is; `found` is what has the name now.
pub(crate) fn whose(found: Option<&PersistentVolume>, intent_uid: &str) -> next_step::Volume {
    let Some(volume) = found else {
        return next_step::Volume::Missing;
    };
    let annotations = volume.metadata.annotations.as_ref();
    match annotations.and_then(|annotations| annotations.get(INTENT_UID)) {
        Some(uid) if uid == intent_uid => next_step::Volume::OfThisIntent,
        _ => next_step::Volume::OfAnother,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::tests::intent;
    use crate::next_step::Volume;

    fn made(options: &[(&str, &str)]) -> Made {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Made {
            id: VolumeId("d-1".to_owned()),
            capacity_bytes: 40 << 30,
            options: options.iter().map(owned).collect(),
            places: vec![Topology(vec![(
                "topology.diskplugin.csi.alibabacloud.com/zone".to_owned(),
                "a".to_owned(),
            )])],
        }
    }

    fn object(intent: &Intent, made: &Made) -> PersistentVolume {
        persistent_volume(
            intent,
            "i-1",
            &Provisioner("alicloud/disk".to_owned()),
            made,
        )
    }

    #[test]
    fn a_volume_says_what_was_really_made_and_for_whom() {
        let volume = object(&intent("u-1"), &made(&[("volumeId", "d-1")]));
        let spec = volume.spec.expect("a spec");
        let claim = spec.claim_ref.expect("a claim");
        assert_eq!(claim.uid.as_deref(), Some("u-1"));
        assert_eq!(spec.capacity.expect("a size")["storage"].0, "40Gi");
        assert_eq!(
            spec.persistent_volume_reclaim_policy.as_deref(),
            Some("Delete")
        );
        assert!(spec.node_affinity.is_some());
        let finalizers = volume.metadata.finalizers.expect("one");
        assert_eq!(finalizers, [VOLUME_FINALIZER]);
    }

    #[test]
    fn options_are_those_of_old_volumes_and_fields_are_fields() {
        let options = [
            ("volumeId", "d-1"),
            ("fsType", "xfs"),
            ("readOnly", "true"),
            ("mkfsOptions", "-m 0"),
        ];
        let volume = object(&intent("u-1"), &made(&options));
        let flexvolume = volume.spec.and_then(|spec| spec.flex_volume).expect("one");
        assert_eq!(flexvolume.driver, "alicloud/disk");
        assert_eq!(flexvolume.fs_type.as_deref(), Some("xfs"));
        assert_eq!(flexvolume.read_only, Some(true));
        let options: Vec<(String, String)> =
            flexvolume.options.expect("some").into_iter().collect();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            options,
            [pair("VolumeId", "d-1"), pair("mkfsOptions", "-m 0")]
        );
    }

    #[test]
    fn a_volume_that_stays_has_no_finalizer_and_one_without_a_size_has_that_of_its_claim() {
        let kept = Intent {
            reclaim_policy: "Retain".to_owned(),
            ..intent("u-1")
        };
        let sizeless = Made {
            capacity_bytes: 0,
            ..made(&[])
        };
        let volume = object(&kept, &sizeless);
        assert_eq!(volume.metadata.finalizers, None);
        let spec = volume.spec.expect("a spec");
        assert_eq!(spec.capacity.expect("a size")["storage"].0, "20Gi");
    }

    #[test]
    fn a_volumes_id_is_found_in_new_ones_old_ones_and_those_of_csi() {
        let id = |volume: &PersistentVolume| id_of(volume).map(|id| id.0);
        let mut volume = object(&intent("u-1"), &made(&[("volumeId", "d-2")]));
        assert_eq!(id(&volume).as_deref(), Some("d-1"));
        volume.metadata.annotations = None;
        assert_eq!(id(&volume).as_deref(), Some("d-2"));
        let flexvolume = volume
            .spec
            .as_mut()
            .and_then(|spec| spec.flex_volume.as_mut());
        flexvolume.expect("one").options = None;
        assert_eq!(id(&volume).as_deref(), Some("pvc-u-1"));
        let csi =
            serde_json::json!({ "spec": { "csi": { "driver": "c", "volumeHandle": "d-3" } } });
        let csi: PersistentVolume = serde_json::from_value(csi).expect("a volume");
        assert_eq!(id(&csi).as_deref(), Some("d-3"));
    }

    #[test]
    fn what_is_said_in_two_ways_is_not_deleted_and_is_of_both() {
        let both = |option| id_to_delete(&object(&intent("u-1"), &made(&[("volumeId", option)])));
        assert_eq!(both("d-1"), Ok(VolumeId("d-1".to_owned())));
        let refused = both("d-2").expect_err("refused").to_string();
        assert!(refused.contains("d-1 or d-2"), "{refused}");
        let volume = object(&intent("u-1"), &made(&[("volumeId", "d-2")]));
        for (id, expected) in [("d-1", true), ("d-2", true), ("pvc-u-1", false)] {
            assert_eq!(is_of(&volume, &VolumeId(id.to_owned())), expected, "{id}");
        }
    }

    #[test]
    fn a_volume_belongs_to_the_intent_that_it_names() {
        let volume = object(&intent("u-1"), &made(&[]));
        assert_eq!(whose(Some(&volume), "i-1"), Volume::OfThisIntent);
        assert_eq!(whose(Some(&volume), "i-2"), Volume::OfAnother);
        assert_eq!(whose(None, "i-1"), Volume::Missing);
    }
}
