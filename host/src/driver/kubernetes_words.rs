//! What Kubernetes puts into maps of parameters for itself: the claim's name, the PersistentVolume's, who made the volume,
//! which pod it is for. A backend gets those that it describes.

use super::parameters::PROVISIONER_IDENTITY;
use super::session::Session;
use crate::error::DriverError;
use crate::store::Scope;

/// What the sidecars and kubelet's keys begin with.
const WORDS: [&str; 2] = ["csi.storage.k8s.io/", "storage.kubernetes.io/"];

/// What kubelet tells of the pod, which is another one in each call for the same volume.
const POD_WORDS: [&str; 3] = [
    "csi.storage.k8s.io/pod.",
    "csi.storage.k8s.io/serviceAccount.",
    "csi.storage.k8s.io/ephemeral",
];

/// Whether kubelet tells of the pod by that key, and not of the volume.
pub fn is_about_the_pod(key: &str) -> bool {
    POD_WORDS.iter().any(|word| key.starts_with(word))
}

impl Session {
    /// What is left of parameters without those that Kubernetes put in for itself, unless the backend describes them. Who
    /// made a volume stays: it tells whose words the others are. What is about a pod is never a volume's.
    ///
    /// # Errors
    /// As for [`Self::knows`].
    pub fn without_kubernetes_words(
        &self,
        scope: Scope,
        given: Vec<(String, String)>,
    ) -> Result<Vec<(String, String)>, DriverError> {
        let mut left = Vec::with_capacity(given.len());
        for (key, value) in given {
            if scope == Scope::Volume && is_about_the_pod(&key) {
                continue;
            }
            let is_for_itself = WORDS.iter().any(|word| key.starts_with(word))
                && !(scope == Scope::Volume && key == PROVISIONER_IDENTITY);
            if !is_for_itself || self.knows(scope, &key)? {
                left.push((key, value));
            }
        }
        Ok(left)
    }
}
