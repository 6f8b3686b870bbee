//! The pods and ConfigMaps of the namespace, as they are, and which pods are to be told of which.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::content::Delivered;
use super::mounting_pod::{MountingPod, Told};

/// By their names.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) maps: BTreeMap<String, Delivered>,
    pub(super) pods: BTreeMap<String, MountingPod>,
}

impl Watched {
    /// All that there is to be told.
    pub(super) fn target(&self) -> Told {
        let maps = self.maps.iter();
        maps.map(|(name, map)| (name.clone(), map.digest.clone()))
            .collect()
    }

    /// The ConfigMaps that some pod knows as they were before.
    pub(super) fn changed(&self) -> BTreeSet<String> {
        let pods = self.pods.values();
        pods.flat_map(|pod| pod.changed(&self.maps)).collect()
    }

    /// The pods that run and were not told of all that they mount, in their order: nodes before controllers, those that
    /// have something that changed before those that are new, those that can be asked before others. Which one is first
    /// among equals differs from change to change.
    pub(super) fn due(&self) -> Vec<&MountingPod> {
        let target = self.target();
        let mut due: Vec<&MountingPod> = { self.pods.values() }
            .filter(|pod| pod.is_running && pod.wanted(&self.maps) != pod.told)
            .collect();
        due.sort_by_cached_key(|pod| {
            let mut order = DefaultHasher::new();
            (&target, &pod.uid).hash(&mut order);
            let is_new = pod.told.is_empty();
            (pod.part, is_new, pod.metrics.is_none(), order.finish())
        });
        due
    }

    /// The pods that run, mount one of those ConfigMaps, and were told of all of them.
    pub(super) fn having<'a, 'b>(
        &'a self,
        changed: &'b BTreeSet<String>,
    ) -> impl Iterator<Item = &'a MountingPod> + use<'a, 'b> {
        let pods = self.pods.values().filter(|pod| pod.is_running);
        pods.filter(move |pod| {
            let mounts = pod.mounted(&self.maps);
            let mut mounts = mounts.filter(|(name, _)| changed.contains(*name));
            mounts.next().is_some() && pod.wanted(&self.maps) == pod.told
        })
    }

    pub(super) fn by_uid(&self, uid: &str) -> Option<&MountingPod> {
        self.pods.values().find(|pod| pod.uid == uid)
    }
}
