//! A pod that mounts ConfigMaps, as far as it matters to whoever delivers them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::{Pod, Volume};

use super::content::{Delivered, Digest};

/// On a pod: of each ConfigMap that it mounts, what kubelet was told to look for last. `NAME=DIGEST`, with spaces between.
pub(super) const ANNOTATION: &str = "drivebay.dev/delivered";

/// As nodes' containers name the port where they tell figures.
const METRICS: &str = "metrics";

/// What a pod was told, or is to be told, by the names of ConfigMaps.
pub(super) type Told = BTreeMap<String, Digest>;

/// Whose turn it is: nodes come first, so that what a version adds is known where it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Node,
    Controller,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MountingPod {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) node: String,
    pub(super) part: Part,
    /// One that starts mounts what is there by then.
    pub(super) is_running: bool,
    /// Where it tells figures, if it does at a port.
    pub(super) metrics: Option<SocketAddr>,
    pub(super) told: Told,
    mounts: BTreeSet<String>,
}

impl MountingPod {
    /// None where it mounts no ConfigMap.
    pub(super) fn of(pod: &Pod) -> Option<Self> {
        let metadata = &pod.metadata;
        let spec = pod.spec.as_ref()?;
        let mounts: BTreeSet<String> = { spec.volumes.iter().flatten() }
            .flat_map(config_maps)
            .collect();
        if mounts.is_empty() {
            return None;
        }
        let phase = pod.status.as_ref().and_then(|it| it.phase.as_deref());
        let annotations = metadata.annotations.as_ref();
        let written = annotations.and_then(|all| all.get(ANNOTATION));
        let mut owners = metadata.owner_references.iter().flatten();
        let is_node = owners.any(|owner| owner.kind == "DaemonSet");
        Some(Self {
            name: metadata.name.clone()?,
            uid: metadata.uid.clone()?,
            node: spec.node_name.clone().unwrap_or_default(),
            part: if is_node {
                Part::Node
            } else {
                Part::Controller
            },
            is_running: phase == Some("Running") && metadata.deletion_timestamp.is_none(),
            metrics: metrics(pod),
            told: written.map(|text| read(text)).unwrap_or_default(),
            mounts,
        })
    }

    /// The ConfigMaps of ours that it mounts.
    pub(super) fn mounted<'a>(
        &'a self,
        maps: &'a BTreeMap<String, Delivered>,
    ) -> impl Iterator<Item = (&'a str, &'a Delivered)> {
        let found = move |name: &'a String| Some((name.as_str(), maps.get(name)?));
        self.mounts.iter().filter_map(found)
    }

    /// What it is to be told.
    pub(super) fn wanted(&self, maps: &BTreeMap<String, Delivered>) -> Told {
        let mounted = self.mounted(maps);
        mounted
            .map(|(name, map)| (name.to_owned(), map.digest.clone()))
            .collect()
    }

    /// The ConfigMaps that are others by now than it was told. Of a pod that was told nothing yet none is: it may have
    /// started with what is there.
    pub(super) fn changed(&self, maps: &BTreeMap<String, Delivered>) -> BTreeSet<String> {
        if self.told.is_empty() {
            return BTreeSet::new();
        }
        let wanted = self.wanted(maps);
        let names = wanted.keys().chain(self.told.keys());
        let changed = names.filter(|name| wanted.get(*name) != self.told.get(*name));
        changed.cloned().collect()
    }
}

/// As the annotation has it.
pub(super) fn written(told: &Told) -> String {
    let each = told
        .iter()
        .map(|(name, digest)| format!("{name}={}", digest.0));
    each.collect::<Vec<_>>().join(" ")
}

/// What somebody else wrote there is nothing.
fn read(text: &str) -> Told {
    let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, digest)| (name.to_owned(), Digest(digest.to_owned())))
        .collect()
}

fn config_maps(volume: &Volume) -> Vec<String> {
    let own = volume.config_map.as_ref().map(|map| map.name.clone());
    let sources = volume.projected.iter();
    let sources = sources.flat_map(|projected| projected.sources.iter().flatten());
    let projected = sources.filter_map(|it| it.config_map.as_ref().map(|map| map.name.clone()));
    own.into_iter().chain(projected).collect()
}

fn metrics(pod: &Pod) -> Option<SocketAddr> {
    let containers = &pod.spec.as_ref()?.containers;
    let mut ports = containers.iter().flat_map(|it| it.ports.iter().flatten());
    let port = ports.find(|port| port.name.as_deref() == Some(METRICS))?;
    let address: IpAddr = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    let port = u16::try_from(port.container_port).ok()?;
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::content::tests::delivered;
    use super::*;
    use serde_json::{Value, json};

    pub(in super::super) fn pod(name: &str, differs: &Value) -> MountingPod {
        let mut pod = json!({
            "metadata": {
                "name": name,
                "uid": format!("uid-{name}"),
                "ownerReferences": [
                    { "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u" },
                ],
            },
            "spec": {
                "nodeName": format!("node-of-{name}"),
                "containers": [
                    { "name": "c", "ports": [{ "name": "metrics", "containerPort": 9808 }] },
                ],
                "volumes": [
                    { "name": "drivers", "configMap": { "name": "drivers" } },
                    { "name": "components", "projected": { "sources": [
                        { "configMap": { "name": "nfs" } },
                        { "serviceAccountToken": { "path": "token" } },
                    ] } },
                    { "name": "log", "emptyDir": {} },
                ],
            },
            "status": { "phase": "Running", "podIP": "127.0.0.1" },
        });
        merge(&mut pod, differs);
        let pod = serde_json::from_value(pod).expect("a pod");
        MountingPod::of(&pod).expect("it mounts")
    }

    fn merge(into: &mut Value, from: &Value) {
        let (Some(fields), Some(others)) = (into.as_object_mut(), from.as_object()) else {
            into.clone_from(from);
            return;
        };
        for (name, value) in others {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }

    pub(in super::super) fn maps() -> BTreeMap<String, Delivered> {
        let nfs = delivered(&[("nfs.wasm", "one")]);
        let drivers = delivered(&[("nfs.toml", "component = \"nfs\"\n")]);
        [("nfs", nfs), ("drivers", drivers)]
            .map(|(name, map)| (name.to_owned(), map))
            .into()
    }

    #[test]
    fn a_pod_mounts_what_its_volumes_name_whole_or_projected() {
        let maps = maps();
        let pod = pod("a", &json!({}));
        let mounted: Vec<&str> = pod.mounted(&maps).map(|(name, _)| name).collect();
        assert_eq!(mounted, ["drivers", "nfs"]);
        assert_eq!(pod.part, Part::Node);
        assert_eq!(pod.metrics, "127.0.0.1:9808".parse().ok());
        let none = serde_json::from_value(json!({ "metadata": { "name": "b", "uid": "u" },
            "spec": { "containers": [] } }));
        assert_eq!(MountingPod::of(&none.expect("a pod")), None);
    }

    #[test]
    fn one_that_ends_or_has_not_begun_does_not_run() {
        for differs in [
            json!({ "status": { "phase": "Pending" } }),
            json!({ "metadata": { "deletionTimestamp": "2026-11-30T00:00:00Z" } }),
        ] {
            assert!(!pod("a", &differs).is_running, "{differs}");
        }
        assert!(pod("a", &json!({})).is_running);
    }

    #[test]
    fn figures_are_told_at_a_port_of_that_name_only() {
        let nameless = json!({ "spec": { "containers": [{ "name": "c" }] } });
        assert_eq!(pod("a", &nameless).metrics, None);
        let homeless = json!({ "status": { "podIP": null } });
        assert_eq!(pod("a", &homeless).metrics, None);
    }

    #[test]
    fn what_a_pod_is_told_is_read_back_from_its_annotation() {
        let maps = maps();
        let wanted = pod("a", &json!({})).wanted(&maps);
        let annotated = |text: &str| {
            let annotations = json!({ "metadata": { "annotations": { ANNOTATION: text } } });
            pod("a", &annotations)
        };
        let told = annotated(&written(&wanted));
        assert_eq!(told.told, wanted);
        assert!(told.changed(&maps).is_empty());
        let nfs = &maps["nfs"].digest.0;
        let earlier = annotated(&format!("drivers=0123456789abcdef gone=1 nfs={nfs}"));
        let changed: Vec<String> = earlier.changed(&maps).into_iter().collect();
        assert_eq!(changed, ["drivers", "gone"]);
        assert!(annotated("nonsense").told.is_empty());
        assert!(pod("a", &json!({})).changed(&maps).is_empty());
    }
}
