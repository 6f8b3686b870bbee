//! What a ConfigMap brings to the pods that mount it: components, and drivers' files.
//!
//! Nothing is unpacked here: a component is known by the digest of what was delivered, by which nodes tell it too.

use std::collections::BTreeMap;
use std::path::Path;

use drivebay::config::parse_driver;
use drivebay::digest::sha256_hex;
use drivebay::store::Content;
use k8s_openapi::api::core::v1::ConfigMap;

/// Endings of a component's file, the longer ones first.
const COMPONENT: [&str; 3] = [".wasm.zst", ".wasm.gz", ".wasm"];

/// That of its signature.
const SIGNATURE: &str = ".wasm.sig";

/// That of a driver's file.
const DRIVER: &str = ".toml";

/// What a ConfigMap has, short enough to be read: whoever can find another content with the same 64 bits only keeps kubelet
/// from being told of his own change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Digest(pub(super) String);

/// One ConfigMap that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) uid: String,
    pub(super) digest: Digest,
    /// Of components and their signatures, by the names of their files.
    files: BTreeMap<String, String>,
    /// As nodes tell it, by the driver's name; none where that cannot be told without the node's own files.
    drivers: BTreeMap<String, Option<String>>,
}

/// What a pod should tell of itself once it has seen what was delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// What is offered of a component; none where two files are one, or none is left.
    pub(super) components: BTreeMap<String, Option<String>>,
    /// The driver's file that counts.
    pub(super) drivers: BTreeMap<String, Option<String>>,
}

impl Delivered {
    /// None where it has neither components nor drivers' files.
    pub(super) fn of(map: &ConfigMap) -> Option<Self> {
        let entries = entries(map);
        let mut files = BTreeMap::new();
        let mut drivers = BTreeMap::new();
        for (name, value) in &entries {
            if component_of(name).is_some() {
                files.insert((*name).to_owned(), sha256_hex(value));
            } else if let Some(driver) = name.strip_suffix(DRIVER) {
                drivers.insert(driver.to_owned(), driver_file(name, value));
            }
        }
        let is_ours = !files.is_empty() || !drivers.is_empty();
        is_ours.then(|| Self {
            uid: map.metadata.uid.clone().unwrap_or_default(),
            digest: digest(&entries),
            files,
            drivers,
        })
    }
}

impl Expected {
    /// Of the ConfigMaps that a pod mounts, in what some of them changed.
    pub(super) fn of<'a>(
        changed: impl IntoIterator<Item = &'a Delivered>,
        mounted: impl IntoIterator<Item = &'a Delivered>,
    ) -> Self {
        let mut all: BTreeMap<&str, &str> = BTreeMap::new();
        for map in mounted {
            let files = map.files.iter();
            all.extend(files.map(|(name, sha256)| (name.as_str(), sha256.as_str())));
        }
        let mut expected = Self::default();
        for map in changed {
            expected.drivers.extend(map.drivers.clone());
            for component in map.files.keys().filter_map(|name| component_of(name)) {
                let offered = offered(component, &all);
                expected.components.insert(component.to_owned(), offered);
            }
        }
        expected
    }
}

/// The component that a file is, or is the signature of.
fn component_of(file: &str) -> Option<&str> {
    let mut endings = COMPONENT.iter().chain([&SIGNATURE]);
    endings.find_map(|ending| file.strip_suffix(ending))
}

/// As a node names what it is offered, of the one file that it is offered.
fn offered(component: &str, files: &BTreeMap<&str, &str>) -> Option<String> {
    let file = |ending: &str| files.get(format!("{component}{ending}").as_str()).copied();
    let found: Vec<&str> = COMPONENT.iter().filter_map(|ending| file(ending)).collect();
    let [sha256] = found[..] else {
        return None;
    };
    Some(Content::offered(sha256, file(SIGNATURE)))
}

/// What is wrong with it, or needs more than its text, only a node can tell.
fn driver_file(name: &str, text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let driver = parse_driver(Path::new(name), text).ok()?;
    Some(Content::driver_file(&driver))
}

/// In the order of their names, which differ.
fn entries(map: &ConfigMap) -> BTreeMap<&str, &[u8]> {
    let text = map.data.iter().flatten();
    let text = text.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let binary = map.binary_data.iter().flatten();
    let binary = binary.map(|(name, value)| (name.as_str(), value.0.as_slice()));
    text.chain(binary).collect()
}

fn digest(entries: &BTreeMap<&str, &[u8]>) -> Digest {
    let mut all = Vec::new();
    for (name, value) in entries {
        for part in [name.as_bytes(), value] {
            all.extend((part.len() as u64).to_be_bytes());
            all.extend(part);
        }
    }
    let mut digits = sha256_hex(all);
    digits.truncate(16);
    Digest(digits)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    pub(in super::super) fn map(files: &[(&str, &str)]) -> ConfigMap {
        let binary = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), ByteString(text.as_bytes().to_vec())));
        ConfigMap {
            binary_data: Some(binary.collect()),
            ..ConfigMap::default()
        }
    }

    pub(in super::super) fn delivered(files: &[(&str, &str)]) -> Delivered {
        Delivered::of(&map(files)).expect("it has something")
    }

    #[test]
    fn only_what_has_components_or_drivers_files_matters() {
        assert_eq!(Delivered::of(&map(&[("ca.crt", "x")])), None);
        for file in ["nfs.wasm", "nfs.wasm.zst", "nfs.wasm.sig", "nfs.toml"] {
            assert!(Delivered::of(&map(&[(file, "x")])).is_some(), "{file}");
        }
    }

    #[test]
    fn the_digest_is_of_names_and_contents_and_of_nothing_else() {
        let of = |files: &[(&str, &str)]| delivered(files).digest;
        let first = of(&[("nfs.wasm", "one"), ("ca.pem", "x")]);
        assert_eq!(first.0.len(), 16);
        assert_ne!(first, of(&[("nfs.wasm", "two"), ("ca.pem", "x")]));
        assert_ne!(first, of(&[("nfs.wasm", "one"), ("ca.pem", "y")]));
        assert_ne!(first, of(&[("nfs.wasm", "one"), ("ca.pe", "mx")]));
        let mut labelled = map(&[("nfs.wasm", "one"), ("ca.pem", "x")]);
        labelled.metadata = ObjectMeta {
            resource_version: Some("7".to_owned()),
            ..ObjectMeta::default()
        };
        assert_eq!(Delivered::of(&labelled).map(|it| it.digest), Some(first));
        let mut text = map(&[]);
        text.data = Some(BTreeMap::from([("nfs.wasm".to_owned(), "one".to_owned())]));
        let text = Delivered::of(&text).map(|it| it.digest);
        assert_eq!(text, Some(of(&[("nfs.wasm", "one")])));
    }

    #[test]
    fn what_is_expected_is_what_changed_with_the_signature_that_lies_elsewhere() {
        let component = delivered(&[("nfs.wasm.zst", "one")]);
        let signature = delivered(&[("nfs.wasm.sig", "signed")]);
        let other = delivered(&[("disk.wasm", "two")]);
        let all = [&component, &signature, &other];
        for changed in [&component, &signature] {
            let expected = Expected::of([changed], all);
            let offered = Content::offered(&sha256_hex("one"), Some(&sha256_hex("signed")));
            let components = BTreeMap::from([("nfs".to_owned(), Some(offered))]);
            assert_eq!(expected.components, components);
        }
    }

    #[test]
    fn of_two_files_for_one_component_neither_is_expected() {
        let both = delivered(&[("nfs.wasm", "one"), ("nfs.wasm.gz", "two")]);
        let expected = Expected::of([&both], [&both]);
        assert_eq!(expected.components["nfs"], None);
    }

    #[test]
    fn a_drivers_file_is_known_by_its_digest_unless_it_is_wrong() {
        let drivers = delivered(&[("good.toml", "component = \"nfs\"\n"), ("bad.toml", "x")]);
        let expected = Expected::of([&drivers], [&drivers]).drivers;
        let config = parse_driver(Path::new("good.toml"), "component = \"nfs\"\n");
        let digest = Content::driver_file(&config.expect("it is right"));
        assert_eq!(expected["good"], Some(digest));
        assert_eq!(expected["bad"], None);
    }
}
