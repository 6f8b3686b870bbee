//! A PersistentVolume as the API server has it, with all of its fields: also those of a later Kubernetes, which the
//! bindings here do not know and which a copy of the volume has to have all the same. Pure.

use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, FlexPersistentVolumeSource, PersistentVolume, PersistentVolumeSpec,
};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::mark::{MARK, Mark};
use crate::intent::ClaimKey;
use crate::names::VOLUME_FINALIZER;

pub(super) const RETAIN: &str = "Retain";

/// Set by the API server on each volume, and kept while the volume is Bound.
pub(super) const PROTECTION: &str = "kubernetes.io/pv-protection";

/// What `kubectl apply` was last given, for the next one. Of a volume that has another source since, it would be wrong.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Why an object of the API server is not read.
#[derive(Debug, thiserror::Error)]
#[error("PersistentVolume {name} has a field that is not read here")]
pub(super) struct Unreadable {
    name: String,
    source: kube::core::dynamic::ParseDynamicObjectError,
}

#[derive(Debug, Clone)]
pub(super) struct Object {
    whole: DynamicObject,
    /// What is known of it.
    known: PersistentVolume,
}

impl Object {
    pub(super) fn read(whole: DynamicObject) -> Result<Self, Unreadable> {
        let known = whole.clone().try_parse().map_err(|source| Unreadable {
            name: whole.name_any(),
            source,
        })?;
        Ok(Self { whole, known })
    }

    pub(super) fn known(&self) -> &PersistentVolume {
        &self.known
    }

    pub(super) fn name(&self) -> String {
        self.whole.name_any()
    }

    pub(super) fn uid(&self) -> &str {
        self.whole.metadata.uid.as_deref().unwrap_or_default()
    }

    pub(super) fn resource_version(&self) -> Option<String> {
        self.whole.metadata.resource_version.clone()
    }

    pub(super) fn is_going(&self) -> bool {
        self.whole.metadata.deletion_timestamp.is_some()
    }

    pub(super) fn finalizers(&self) -> &[String] {
        self.whole
            .metadata
            .finalizers
            .as_deref()
            .unwrap_or_default()
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        let annotations = self.whole.metadata.annotations.as_ref()?;
        annotations.get(key).map(String::as_str)
    }

    fn spec(&self) -> Option<&PersistentVolumeSpec> {
        self.known.spec.as_ref()
    }

    pub(super) fn flexvolume(&self) -> Option<&FlexPersistentVolumeSource> {
        self.spec()?.flex_volume.as_ref()
    }

    pub(super) fn csi(&self) -> Option<&CSIPersistentVolumeSource> {
        self.spec()?.csi.as_ref()
    }

    /// What becomes of the volume with its claim; nobody says Retain by saying nothing, but the API server, which says it.
    pub(super) fn policy(&self) -> &str {
        let policy = self
            .spec()
            .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
        policy.unwrap_or(RETAIN)
    }

    pub(super) fn class(&self) -> &str {
        let class = self
            .spec()
            .and_then(|spec| spec.storage_class_name.as_deref());
        class.unwrap_or_default()
    }

    pub(super) fn phase(&self) -> &str {
        let status = self.known.status.as_ref();
        status
            .and_then(|status| status.phase.as_deref())
            .unwrap_or("Pending")
    }

    /// The claim that holds it.
    pub(super) fn claim(&self) -> Option<ClaimKey> {
        let reference = self.spec()?.claim_ref.as_ref()?;
        Some(ClaimKey {
            namespace: reference.namespace.clone()?,
            name: reference.name.clone()?,
            uid: reference.uid.clone()?,
        })
    }

    /// What it carries while it is being replaced.
    pub(super) fn mark(&self) -> Option<Mark> {
        Mark::read(self.annotation(MARK)?)
    }

    /// What it is to have again if it is not replaced: what its mark says, or what it has. A policy that somebody set
    /// after it was marked counts.
    pub(super) fn what_it_had(&self) -> Mark {
        let marked = self.mark().filter(|_| self.policy() == RETAIN);
        marked.unwrap_or_else(|| Mark {
            policy: self.policy().to_owned(),
            finalizers: { self.finalizers().iter() }
                .filter(|name| *name == VOLUME_FINALIZER)
                .cloned()
                .collect(),
        })
    }

    /// The same volume, as it has to be created anew: with all that a person or a controller said of it, and nothing that
    /// the API server says. The policy is Retain whatever it was: whoever deletes volumes lets it alone until it is bound.
    pub(super) fn blueprint(&self) -> Value {
        let metadata = &self.whole.metadata;
        let mut annotations = metadata.annotations.clone();
        if let Some(annotations) = &mut annotations {
            annotations.remove(MARK);
        }
        let annotations = annotations.filter(|annotations| !annotations.is_empty());
        let mut kept = json!({ "name": self.name() });
        for (field, value) in [
            ("labels", json!(metadata.labels)),
            ("annotations", json!(annotations)),
            ("ownerReferences", json!(metadata.owner_references)),
        ] {
            if !value.is_null() {
                kept[field] = value;
            }
        }
        let mut spec = self.whole.data["spec"].clone();
        spec["persistentVolumeReclaimPolicy"] = json!(RETAIN);
        if let Some(reference) = spec["claimRef"].as_object_mut() {
            reference.remove("resourceVersion");
        }
        json!({ "apiVersion": "v1", "kind": "PersistentVolume", "metadata": kept, "spec": spec })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::migrate) fn object(value: Value) -> Object {
        let whole = serde_json::from_value(value).expect("an object");
        Object::read(whole).expect("a volume")
    }

    /// A disk's, as the API server has it once it is bound.
    pub(in crate::migrate) fn bound_disk() -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": "pvc-u-1",
                "uid": "old",
                "resourceVersion": "7",
                "creationTimestamp": "2026-11-30T12:00:00Z",
                "labels": { "zone": "a" },
                "annotations": { "pv.kubernetes.io/provisioned-by": "alicloud/disk", LAST_APPLIED: "{}" },
                "finalizers": [PROTECTION, "external-provisioner.volume.kubernetes.io/finalizer"],
            },
            "spec": {
                "capacity": { "storage": "20Gi" },
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": "alicloud-disk",
                "volumeMode": "Filesystem",
                "ofALaterKubernetes": { "kept": true },
                "claimRef": {
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "shop", "name": "data", "uid": "u-1",
                    "resourceVersion": "5",
                },
                "flexVolume": { "driver": "alicloud/disk", "fsType": "ext4", "options": { "VolumeId": "d-1" } },
            },
            "status": { "phase": "Bound" },
        })
    }

    #[test]
    fn a_blueprint_has_all_that_was_said_and_nothing_that_the_api_server_says() {
        let blueprint = object(bound_disk()).blueprint();
        let mut expected = bound_disk();
        let fields = expected.as_object_mut().expect("an object");
        fields.remove("status");
        let metadata = expected["metadata"].as_object_mut().expect("an object");
        for field in ["uid", "resourceVersion", "creationTimestamp", "finalizers"] {
            metadata.remove(field);
        }
        expected["spec"]["persistentVolumeReclaimPolicy"] = json!("Retain");
        let reference = expected["spec"]["claimRef"]
            .as_object_mut()
            .expect("an object");
        reference.remove("resourceVersion");
        assert_eq!(blueprint, expected);
    }
}
