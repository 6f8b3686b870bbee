//! FlexVolumes that stand in pods themselves and in what pods are made of. They are no objects, so only their authors can
//! change them. Pure.

use drivebay::volume::VolumeId;
use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec, Volume};

use super::drivers::{Drivers, Kind};
use super::uses;
use crate::volume;

/// Something that pods are, or are made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Author {
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A line for each volume of a driver that is known here, with what is to be written instead.
pub(super) fn volumes_of(
    author: &Author,
    spec: Option<&PodSpec>,
    drivers: &Drivers,
) -> Vec<String> {
    let volumes = spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let lines = volumes.filter_map(|volume| {
        let source = volume.flex_volume.as_ref()?;
        let driver = drivers.by_flexvolume(&source.driver)?;
        Some(format!(
            "{} {}/{}: volume {} is a FlexVolume of {} in the pod itself: write a PersistentVolume of {} and a claim, \
             and name the claim in place of it",
            author.kind, author.namespace, author.name, volume.name, source.driver, driver.names.csi
        ))
    });
    lines.collect()
}

/// Pods that have a disk themselves, and not by a claim.
pub(super) fn users_of(disk: &VolumeId, pods: &[Pod], drivers: &Drivers) -> Vec<String> {
    let is_it = |volume: &&Volume| {
        let Some(source) = &volume.flex_volume else {
            return false;
        };
        let driver = drivers.by_flexvolume(&source.driver);
        driver.is_some_and(|driver| driver.kind == Kind::Disk)
            && volume::ids_in(source.options.as_ref()).any(|id| *id == disk.0)
    };
    let of_pod = |pod: &Pod| {
        let mut volumes = pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten());
        let volume = volumes.find(is_it)?;
        let pod = uses::pod_in_words(pod);
        Some(format!(
            "{pod}, whose volume {} is the disk itself",
            volume.name
        ))
    };
    let pods = pods.iter().filter(|pod| uses::may_use(pod, Kind::Disk));
    pods.filter_map(of_pod).collect()
}

/// What pods are made of, where there is something.
pub(super) fn spec_of(template: Option<&PodTemplateSpec>) -> Option<&PodSpec> {
    template.and_then(|template| template.spec.as_ref())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pods_own_volumes_are_named_with_what_to_write_instead() {
        let names = |text: &str| text.parse().expect("names");
        let drivers = Drivers::new(&[], &[names("k8s/nfs=nfs.csi.k8s.io")]);
        let spec = json!({ "containers": [], "volumes": [
            { "name": "a", "flexVolume": { "driver": "k8s/nfs" } },
            { "name": "b", "flexVolume": { "driver": "acme/x" } },
            { "name": "c", "persistentVolumeClaim": { "claimName": "data" } },
        ] });
        let spec: PodSpec = serde_json::from_value(spec).expect("a specification");
        let author = Author {
            kind: "Deployment",
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        };
        let [line] = &volumes_of(&author, Some(&spec), &drivers)[..] else {
            panic!("one line");
        };
        assert!(
            line.starts_with("Deployment shop/web: volume a ") && line.contains("nfs.csi.k8s.io"),
            "{line}"
        );
    }

    #[test]
    fn a_disk_that_a_pod_has_itself_is_used_by_it() {
        let names = |text: &str| text.parse().expect("names");
        let drivers = Drivers::new(&[names("alicloud/disk=d.csi")], &[names("k8s/nfs=n.csi")]);
        let pod = |driver: &str, phase: &str| -> Pod {
            let pod = json!({
                "metadata": { "name": "web", "namespace": "shop" },
                "spec": { "containers": [], "volumes": [
                    { "name": "data", "flexVolume": { "driver": driver, "options": { "volumeid": "d-1" } } },
                ] },
                "status": { "phase": phase },
            });
            serde_json::from_value(pod).expect("a pod")
        };
        let used = |disk: &str, pod: Pod| users_of(&VolumeId(disk.to_owned()), &[pod], &drivers);
        let [line] = &used("d-1", pod("alicloud/disk", "Running"))[..] else {
            panic!("one line");
        };
        assert!(
            line.contains("pod shop/web") && line.contains("volume data"),
            "{line}"
        );
        assert_eq!(used("d-2", pod("alicloud/disk", "Running")), [""; 0]);
        assert_eq!(used("d-1", pod("k8s/nfs", "Running")), [""; 0]);
        assert_eq!(used("d-1", pod("alicloud/disk", "Succeeded")), [""; 0]);
    }
}
