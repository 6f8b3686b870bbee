//! Words that objects carry: Kubernetes' own, those of its provisioners, and ours.

use std::fmt;

use kube::runtime::reflector::Lookup;

/// On a claim: who is to make its volume. The controller-manager writes it, once also by the older key.
pub(crate) const PROVISIONER: [&str; 2] = [
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
];

/// On a claim: the node that the scheduler chose for its pod. Taken away, the scheduler chooses anew.
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// On a claim of old: its class.
pub(crate) const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// On a volume: who made it and deletes it. With it the controller-manager leaves the deletion to others.
pub(crate) const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// On a volume whose disk goes with it: the object stays until the disk is gone. The word of the library that other
/// provisioners are made with.
pub(crate) const VOLUME_FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";

/// On an intent whose work is not done.
pub(crate) const INTENT_FINALIZER: &str = "drivebay.dev/provisioning";

/// On an intent: the backend's name of the volume that is deleted for it, written before it is.
pub(crate) const UNDONE_VOLUME: &str = "drivebay.dev/undone-volume";

/// On an intent: the driver whose it is.
pub(crate) const INTENT_LABEL: &str = "drivebay.dev/provisioned-driver";

/// On a volume: the backend's name of it. Old volumes have an option instead.
pub(crate) const VOLUME_ID: &str = "drivebay.dev/volume-id";

/// On a volume: the UID of the intent that it is the end of.
pub(crate) const INTENT_UID: &str = "drivebay.dev/provisioning-intent";

/// The name by which a backend knows a claim's volume, and those of the PersistentVolume and of the intent: it follows
/// from the claim alone, so that whoever comes later finds the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeName(pub(crate) String);

impl VolumeName {
    /// Of the claim with that UID, as every provisioner of Kubernetes names volumes.
    pub(crate) fn of_claim(uid: &str) -> Self {
        Self(format!("pvc-{uid}"))
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The FlexVolume driver's name, which StorageClasses name as their provisioner: `alicloud/disk`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Provisioner(pub(crate) String);

impl fmt::Display for Provisioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name for messages.
pub(crate) fn name_of<K: Lookup>(object: &K) -> String {
    object
        .name()
        .map(|name| name.into_owned())
        .unwrap_or_default()
}
