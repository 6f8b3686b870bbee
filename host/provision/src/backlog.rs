//! What a provisioner has before it. Pure.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;

use crate::claim::{self, Wanted};
use crate::names::{Provisioner, VolumeName};

/// At one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Claims whose volume is due, and that nothing was written down for.
    pub(crate) waiting: u64,
    /// Claims whose volume is being made.
    pub(crate) under_way: u64,
    /// All that is written down and not done.
    pub(crate) intents: u64,
    /// Since when the first of that is.
    pub(crate) oldest: Option<Duration>,
}

impl Backlog {
    /// Of the claims of a cluster; `class` finds one by its name, and `is_under_way` knows what is made by the name of the
    /// volume.
    pub(crate) fn of(
        claims: &[Arc<PersistentVolumeClaim>],
        class: impl Fn(&str) -> Option<Arc<StorageClass>>,
        is_under_way: impl Fn(&VolumeName) -> bool,
        provisioner: &Provisioner,
    ) -> Self {
        let mut backlog = Self::default();
        for claim in claims {
            let Wanted::VolumeOf(name) = claim::wanted(claim, provisioner) else {
                continue;
            };
            let uid = claim.metadata.uid.as_deref().unwrap_or_default();
            // Without its class a claim waits, too.
            let is_due = class(&name).is_none_or(|it| claim::is_due(claim, &it, provisioner));
            if is_under_way(&VolumeName::of_claim(uid)) {
                backlog.under_way += 1;
            } else if is_due {
                backlog.waiting += 1;
            }
        }
        backlog
    }

    /// And of what is written down.
    pub(crate) fn with(self, intents: &[Arc<ConfigMap>], now: Timestamp) -> Self {
        let since = intents.iter().filter_map(|object| since(object, now));
        Self {
            intents: intents.len() as u64,
            oldest: since.max(),
            ..self
        }
    }
}

/// By the API server's clock and this one; what is of the future is new.
fn since(object: &ConfigMap, now: Timestamp) -> Option<Duration> {
    let made = object.metadata.creation_timestamp.as_ref()?;
    let since = now.duration_since(made.0);
    Some(Duration::try_from(since).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn claim(uid: &str, class: &str, volume: Option<&str>) -> Arc<PersistentVolumeClaim> {
        let claim = json!({
            "metadata": {
                "namespace": "shop", "name": uid, "uid": uid,
                "annotations": { "volume.kubernetes.io/storage-provisioner": "alicloud/disk" },
            },
            "spec": { "storageClassName": class, "volumeName": volume },
        });
        Arc::new(serde_json::from_value(claim).expect("a claim"))
    }

    fn class(name: &str) -> Option<Arc<StorageClass>> {
        let mode: Value = match name {
            "later" => json!("WaitForFirstConsumer"),
            "none" => return None,
            _ => json!("Immediate"),
        };
        let class = json!({
            "metadata": { "name": name },
            "provisioner": "alicloud/disk",
            "volumeBindingMode": mode,
        });
        Some(Arc::new(serde_json::from_value(class).expect("a class")))
    }

    #[test]
    fn a_claim_waits_until_its_volume_is_being_made() {
        let claims = [
            claim("a", "disks", None),
            claim("b", "disks", None),
            claim("bound", "disks", Some("pvc-bound")),
            claim("c", "later", None),
            claim("d", "none", None),
        ];
        let provisioner = Provisioner("alicloud/disk".to_owned());
        let backlog = Backlog::of(&claims, class, |name| name.0 == "pvc-b", &provisioner);
        assert_eq!((backlog.waiting, backlog.under_way), (2, 1));
        let others = Provisioner("k8s/nfs".to_owned());
        let backlog = Backlog::of(&claims, class, |_| true, &others);
        assert_eq!(backlog, Backlog::default());
    }

    #[test]
    fn what_is_written_down_is_as_old_as_the_oldest() {
        let intent = |second: i64| {
            let made = Timestamp::from_second(second).expect("a time");
            let mut object = ConfigMap::default();
            let made = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(made);
            object.metadata.creation_timestamp = Some(made);
            Arc::new(object)
        };
        let now = Timestamp::from_second(100).expect("a time");
        let backlog = Backlog::default().with(&[intent(90), intent(30), intent(110)], now);
        assert_eq!(
            (backlog.intents, backlog.oldest),
            (3, Some(Duration::from_secs(70)))
        );
        assert_eq!(Backlog::default().with(&[], now).oldest, None);
    }
}
