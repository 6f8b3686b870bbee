//! FlexVolumes that stand in pods themselves and in what pods are made of. They are no objects, so only their authors can
//! change them. Pure.

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};

use super::drivers::Drivers;

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
}
