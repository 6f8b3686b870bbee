//! Who uses a volume, in words for its operator. Pure.

use k8s_openapi::api::core::v1::{Node, Pod, PodSpec};
use k8s_openapi::api::storage::v1::VolumeAttachment;
use kube::ResourceExt as _;

use super::drivers::Kind;
use super::object::Object;
use crate::intent::ClaimKey;

/// All that can use volumes.
#[derive(Debug, Default)]
pub(super) struct Users {
    pub(super) pods: Vec<Pod>,
    pub(super) attachments: Vec<VolumeAttachment>,
    pub(super) nodes: Vec<Node>,
}

impl Users {
    /// Who uses that one, or is going to.
    pub(super) fn of(&self, object: &Object, kind: Kind) -> Vec<String> {
        self.with_pods(object, kind, |_| true)
    }

    /// Who may use it on a node already.
    pub(super) fn on_nodes(&self, object: &Object, kind: Kind) -> Vec<String> {
        self.with_pods(object, kind, |pod| node_of(pod).is_some())
    }

    fn with_pods(&self, object: &Object, kind: Kind, which: impl Fn(&Pod) -> bool) -> Vec<String> {
        let claim = object.claim();
        let pods = claim.iter().flat_map(|claim| pods_of(claim, &self.pods));
        let pods = pods.filter(|pod| may_use(pod, kind) && which(pod));
        let mut found: Vec<String> = pods.map(pod_in_words).collect();
        found.extend(attachments_of(object, &self.attachments));
        found.extend(nodes_of(object, &self.nodes));
        found
    }
}

/// Whether it can have a volume that is looked at here. Most pods have none, and there may be very many.
pub(super) fn may_have_one(pod: &Pod) -> bool {
    let mut volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    volumes.any(|volume| {
        volume.persistent_volume_claim.is_some()
            || volume.ephemeral.is_some()
            || volume.flex_volume.is_some()
    })
}

/// Pods of a claim's namespace that have it.
pub(super) fn pods_of<'a>(claim: &ClaimKey, pods: &'a [Pod]) -> Vec<&'a Pod> {
    let has = |pod: &&Pod| {
        pod.metadata.namespace.as_ref() == Some(&claim.namespace)
            && claims_of(pod).any(|name| name == claim.name)
    };
    pods.iter().filter(has).collect()
}

/// Whether a pod may have what it has mounted. One that is being deleted runs for as long as it is there. One that has ended
/// never runs again; but a disk that the driver attaches while it mounts is known to be on a node by that node's pods alone,
/// and kubelet takes it away after the pod has ended, or later, where it does not run.
pub(super) fn may_use(pod: &Pod, kind: Kind) -> bool {
    match kind {
        Kind::Disk => !has_ended(pod) || node_of(pod).is_some(),
        Kind::Share => !has_ended(pod),
    }
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Those that it names, and those that were made for it alone, which are named as it and its volume are.
fn claims_of(pod: &Pod) -> impl Iterator<Item = String> {
    let name = pod.name_any();
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(
        move |volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(claim), _) => Some(claim.claim_name.clone()),
            (None, Some(_)) => Some(format!("{name}-{}", volume.name)),
            (None, None) => None,
        },
    )
}

/// The node that it is bound to.
pub(super) fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec
        .as_ref()
        .and_then(|spec: &PodSpec| spec.node_name.as_deref())
}

pub(super) fn pod_in_words(pod: &Pod) -> String {
    let name = format!(
        "pod {}/{}",
        pod.namespace().unwrap_or_default(),
        pod.name_any()
    );
    match node_of(pod) {
        Some(node) if has_ended(pod) => {
            format!(
                "{name}, which has ended on node {node} and may be mounted there until it is deleted"
            )
        }
        Some(node) => format!("{name} on node {node}"),
        None => format!("{name}, which has no node yet"),
    }
}

/// Where a volume is attached, or is going to be.
fn attachments_of(object: &Object, attachments: &[VolumeAttachment]) -> Vec<String> {
    let name = object.name();
    let is_of = |attachment: &&VolumeAttachment| {
        attachment.spec.source.persistent_volume_name.as_ref() == Some(&name)
    };
    let in_words = |attachment: &VolumeAttachment| {
        format!(
            "VolumeAttachment {} to node {}",
            attachment.name_any(),
            attachment.spec.node_name
        )
    };
    attachments.iter().filter(is_of).map(in_words).collect()
}

/// Nodes that have it attached or mounted, as kubelet and the attach-detach controller say: for a moment after the last pod,
/// and for longer where a node does not answer.
fn nodes_of(object: &Object, nodes: &[Node]) -> Vec<String> {
    let Some(ending) = unique_name(object) else {
        return Vec::new();
    };
    let has = |node: &&Node| {
        let Some(status) = &node.status else {
            return false;
        };
        let attached = status
            .volumes_attached
            .iter()
            .flatten()
            .map(|volume| &volume.name);
        { attached }
            .chain(status.volumes_in_use.iter().flatten())
            .any(|name| name.ends_with(&ending))
    };
    let in_words =
        |node: &Node| format!("node {}, which has it attached or mounted", node.name_any());
    nodes.iter().filter(has).map(in_words).collect()
}

/// How nodes name it, but for what kubelet puts in front: `flexvolume-alicloud/disk/pvc-1` (older ones without the first
/// word), `kubernetes.io/csi/diskplugin.csi.alibabacloud.com^d-1`.
fn unique_name(object: &Object) -> Option<String> {
    match (object.flexvolume(), object.csi()) {
        (Some(source), _) => Some(format!("{}/{}", source.driver, object.name())),
        (None, Some(source)) => Some(format!("/{}^{}", source.driver, source.volume_handle)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::object::tests::{bound_disk, object};
    use super::*;

    fn pods(volumes: &[(&str, Value, &str)]) -> Vec<Pod> {
        let pod = |(name, volume, phase): &(&str, Value, &str)| {
            json!({
                "metadata": { "name": name, "namespace": "shop" },
                "spec": { "containers": [], "volumes": [volume] },
                "status": { "phase": phase },
            })
        };
        let pods = volumes.iter().map(pod);
        pods.map(|pod| serde_json::from_value(pod).expect("a pod"))
            .collect()
    }

    fn claim(namespace: &str) -> ClaimKey {
        ClaimKey {
            namespace: namespace.to_owned(),
            name: "web-data".to_owned(),
            uid: "u-1".to_owned(),
        }
    }

    #[test]
    fn a_pod_has_a_claim_by_its_name_or_as_its_own() {
        let named = json!({ "name": "v", "persistentVolumeClaim": { "claimName": "web-data" } });
        let own = json!({ "name": "data", "ephemeral": {} });
        let other = json!({ "name": "v", "persistentVolumeClaim": { "claimName": "data" } });
        let pods = pods(&[
            ("a", named.clone(), "Running"),
            ("b", named.clone(), "Pending"),
            ("web", own, "Running"),
            ("c", named.clone(), "Succeeded"),
            ("d", named, "Failed"),
            ("e", other, "Running"),
        ]);
        let found = |namespace| {
            let found = pods_of(&claim(namespace), &pods);
            found
                .into_iter()
                .map(kube::ResourceExt::name_any)
                .collect::<Vec<_>>()
        };
        assert_eq!(found("shop"), ["a", "b", "web", "c", "d"]);
        assert_eq!(found("elsewhere"), [""; 0]);
        assert_eq!(pod_in_words(&pods[0]), "pod shop/a, which has no node yet");
    }

    #[test]
    fn a_pod_that_has_ended_on_a_node_may_have_left_a_disk_there_and_harms_no_share() {
        let volume = json!({ "name": "v", "persistentVolumeClaim": { "claimName": "web-data" } });
        let mut pods = pods(&[("a", volume, "Succeeded")]);
        let pod = &mut pods[0];
        assert!(!may_use(pod, Kind::Disk) && !may_use(pod, Kind::Share));
        pod.spec.as_mut().expect("a specification").node_name = Some("n".to_owned());
        assert!(may_use(pod, Kind::Disk) && !may_use(pod, Kind::Share));
        assert!(pod_in_words(pod).contains("has ended on node n"));
        pod.status.as_mut().expect("a status").phase = Some("Running".to_owned());
        assert!(may_use(pod, Kind::Disk) && may_use(pod, Kind::Share));
    }

    #[test]
    fn a_volume_is_used_where_it_is_attached() {
        let disk = object(bound_disk());
        let attachment = |volume: &str| {
            let attachment = json!({
                "metadata": { "name": "csi-1" },
                "spec": { "attacher": "d", "nodeName": "n", "source": { "persistentVolumeName": volume } },
            });
            serde_json::from_value(attachment).expect("an attachment")
        };
        let found = attachments_of(&disk, &[attachment("pvc-u-1"), attachment("pvc-u-2")]);
        assert_eq!(found, ["VolumeAttachment csi-1 to node n"]);
        let node = |status: Value| {
            let node = json!({ "metadata": { "name": "n" }, "status": status });
            serde_json::from_value::<Node>(node).expect("a node")
        };
        let attached =
            |name: &str| json!({ "volumesAttached": [{ "name": name, "devicePath": "" }] });
        for (status, expected) in [
            (attached("flexvolume-alicloud/disk/pvc-u-1"), 1),
            (attached("alicloud/disk/pvc-u-1"), 1),
            (
                json!({ "volumesInUse": ["flexvolume-alicloud/disk/pvc-u-1"] }),
                1,
            ),
            (attached("flexvolume-alicloud/disk/pvc-u-11"), 0),
            (json!({}), 0),
        ] {
            assert_eq!(
                nodes_of(&disk, &[node(status.clone())]).len(),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn a_volume_of_csi_is_attached_by_its_handle() {
        let mut volume = bound_disk();
        let spec = volume["spec"].as_object_mut().expect("an object");
        spec.remove("flexVolume");
        volume["spec"]["csi"] = json!({ "driver": "d.csi", "volumeHandle": "d-1" });
        let node = json!({
            "metadata": { "name": "n" },
            "status": { "volumesInUse": ["kubernetes.io/csi/d.csi^d-1", "kubernetes.io/csi/d.csi^d-2"] },
        });
        let node: Node = serde_json::from_value(node).expect("a node");
        assert_eq!(nodes_of(&object(volume), &[node]).len(), 1);
    }
}
