//! Everything in the image is listed: each package of Debian, and each crate that is linked into what is ours.

use std::collections::BTreeSet;

use drivebay_tests::{ShippedImage, read, repository};
use serde_json::Value;

fn document() -> Value {
    let file = repository().join("target/image/drivebay.spdx.json");
    serde_json::from_str(&read(&file)).expect("JSON")
}

fn list<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document[key].as_array().expect("a list")
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Where it comes from and which version it is, as scanners of vulnerabilities read it.
fn locators(document: &Value) -> BTreeSet<&str> {
    let packages = list(document, "packages").iter();
    let references = packages.filter_map(|package| package["externalRefs"].as_array());
    references
        .flatten()
        .map(|reference| string(reference, "referenceLocator"))
        .collect()
}

/// Names and versions of the crates in a binary or a component.
fn linked<'a>(document: &'a Value, name: &str) -> Vec<&'a str> {
    let own = format!("SPDXRef-File-{name}");
    let relationships = list(document, "relationships").iter();
    relationships
        .filter(|it| string(it, "spdxElementId") == own)
        .filter(|it| string(it, "relationshipType") == "STATIC_LINK")
        .map(|it| string(it, "relatedSpdxElement"))
        .collect()
}

#[test]
fn each_package_in_the_image_is_listed_with_its_version() {
    let (image, document) = (ShippedImage::unpacked(), document());
    let locators = locators(&document);
    let packages = image.names_in("var/lib/dpkg/status.d");
    for name in &packages {
        let control = read(&image.root().join("var/lib/dpkg/status.d").join(name));
        let mut lines = control.lines();
        let version = lines.find_map(|line| line.strip_prefix("Version: "));
        let version = version.expect("a version").replace('+', "%2B");
        let locator = format!("pkg:deb/debian/{name}@{version}?arch=");
        let is_listed = locators.iter().any(|it| it.starts_with(&locator));
        assert!(is_listed, "{locator} is not in {locators:#?}");
    }
    let of_debian = locators
        .iter()
        .filter(|it| it.starts_with("pkg:deb/debian/"));
    // And the C library of the machine that linked the binaries.
    assert_eq!(of_debian.count(), packages.len() + 1);
}

#[test]
fn each_part_of_ours_is_listed_with_what_is_linked_into_it() {
    let document = document();
    let links = |part: &str, name: &str| {
        let begins = format!("SPDXRef-Crate-{name}-");
        let linked = linked(&document, part);
        assert!(!linked.is_empty(), "nothing is linked into {part}");
        linked.iter().any(|id| {
            let version = id.strip_prefix(&begins);
            version.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    for (part, name, is_linked) in [
        ("drivebay", "wasmtime", true),
        ("drivebay", "cranelift-codegen", true),
        ("drivebay", "std", true),
        ("drivebay-shim", "wasmtime", true),
        // It compiles nothing, and nobody calls it over gRPC.
        ("drivebay-shim", "cranelift-codegen", false),
        ("drivebay-shim", "tonic", false),
        // Kubernetes' API is asked by one program alone.
        ("drivebay-provision", "kube-client", true),
        ("drivebay-provision", "wasmtime", true),
        ("drivebay", "kube-client", false),
        ("drivebay-shim", "kube-client", false),
        // A procedural macro runs in the compiler alone.
        ("drivebay", "serde_derive", false),
        ("nfs", "wit-bindgen", true),
        ("alicloud-disk", "lol_alloc", true),
    ] {
        let name = name.replace('_', "-");
        assert_eq!(links(part, &name), is_linked, "{name} in {part}");
    }
}

#[test]
fn a_crate_is_listed_with_the_version_and_the_digest_of_the_lock() {
    let document = document();
    let lock = read(&repository().join("Cargo.lock"));
    let packages = list(&document, "packages").iter();
    let mut crates =
        packages.filter(|it| string(it, "SPDXID").starts_with("SPDXRef-Crate-wasmtime-4"));
    let wasmtime = crates.next().expect("linked");
    let version = string(wasmtime, "versionInfo");
    let digest = string(&wasmtime["checksums"][0], "checksumValue");
    let (_, locked) = lock
        .split_once(&format!("name = \"wasmtime\"\nversion = \"{version}\"\n"))
        .expect("locked");
    let (locked, _) = locked.split_once("\n\n").expect("one of many");
    assert!(
        locked.contains(&format!("checksum = \"{digest}\"")),
        "{locked}"
    );
}

#[test]
fn the_document_is_what_spdx_asks_for() {
    let document = document();
    assert_eq!(string(&document, "spdxVersion"), "SPDX-2.3");
    assert_eq!(string(&document, "dataLicense"), "CC0-1.0");
    assert!(string(&document, "documentNamespace").starts_with("urn:uuid:"));
    let mut ids = BTreeSet::from(["SPDXRef-DOCUMENT"]);
    for package in list(&document, "packages") {
        let id = string(package, "SPDXID");
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
        assert!(
            id.starts_with("SPDXRef-") && id.chars().all(allowed),
            "{id}"
        );
        assert!(ids.insert(id), "{id} is there twice");
        for key in ["name", "versionInfo", "downloadLocation"] {
            assert!(!string(package, key).is_empty(), "{id} has no {key}");
        }
    }
    for relationship in list(&document, "relationships") {
        for end in ["spdxElementId", "relatedSpdxElement"] {
            assert!(ids.contains(string(relationship, end)), "{relationship}");
        }
    }
}

#[test]
fn the_document_is_of_this_image() {
    let (image, document) = (ShippedImage::unpacked(), document());
    let digest = image.index()["digest"].clone();
    let digest = digest.as_str().expect("a digest");
    assert!(locators(&document).contains(format!("pkg:oci/drivebay@{digest}").as_str()));
}
