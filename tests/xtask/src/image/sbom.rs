//! What is in an image, as SPDX 2.3 in JSON: Debian's packages, and the crates that are linked into each binary and
//! component.
//!
//! Nothing here is looked up: what Debian says of licences is in the image, and SPDX has a word for what is not asserted.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Value, json};

use super::archives::Package;
use super::contents::{BINARIES, Contents};
use super::crates::{Crate, Linked};
use super::libc::Libc;
use super::oci::Layout;
use super::revision::Revision;
use crate::architecture::Architecture;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const NOT_ASSERTED: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";

/// Of Debian, of which PACKAGES are.
const DISTRIBUTION: &str = "debian-12";

pub(super) fn document(
    architecture: Architecture,
    contents: &Contents,
    linked: &[Linked],
    libc: &Libc,
    layout: &Layout,
    revision: &Revision,
) -> Result<Vec<u8>> {
    let mut packages = vec![image(layout)];
    let mut relationships = vec![related(DOCUMENT, "DESCRIBES", IMAGE)];
    for package in &contents.packages {
        let described = of_debian(package, architecture);
        relationships.push(related(IMAGE, "CONTAINS", &id("Debian", &[&package.name])));
        packages.push(described);
    }
    packages.push(of_libc(libc));
    let mut crates = BTreeSet::new();
    for part in linked {
        let own = id("File", &[part.name]);
        relationships.push(related(IMAGE, "CONTAINS", &own));
        if BINARIES.contains(&part.name) {
            relationships.push(related(&own, "STATIC_LINK", &libc_id(libc)));
        }
        packages.push(of_ours(part));
        for one in &part.crates {
            relationships.push(related(&own, "STATIC_LINK", &crate_id(one)));
            crates.insert(one);
        }
    }
    packages.extend(crates.into_iter().map(of_cargo));
    let document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": format!("drivebay-{VERSION}-{}", architecture.name()),
        "documentNamespace": namespace(layout),
        "creationInfo": {
            "created": revision.date,
            "creators": [format!("Tool: drivebay-xtask-{VERSION}")],
        },
        "packages": packages,
        "relationships": relationships,
    });
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    Ok(text)
}

/// Another for another image, as SPDX wants it: a UUID (version 8, RFC 9562) of the image's digest.
fn namespace(layout: &Layout) -> String {
    let hex = layout.digest().trim_start_matches("sha256:");
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..32],
    );
    format!("urn:uuid:{a}-{b}-8{c}-8{d}-{e}")
}

fn image(layout: &Layout) -> Value {
    let digest = layout.digest();
    let mut image = package(IMAGE, "drivebay", VERSION, NOT_ASSERTED);
    image["primaryPackagePurpose"] = json!("CONTAINER");
    image["checksums"] = sha256(digest.trim_start_matches("sha256:"));
    image["externalRefs"] = purl(&format!("pkg:oci/drivebay@{}", escaped(digest)));
    image
}

/// Of the machine that linked the binaries; what programs load is another, though mostly the same version.
fn of_libc(libc: &Libc) -> Value {
    let (name, version) = (&libc.package, &libc.version);
    let mut described = package(&libc_id(libc), name, version, NOT_ASSERTED);
    described["supplier"] = json!("Organization: Debian");
    described["externalRefs"] = purl(&format!(
        "pkg:deb/debian/{}@{}?arch={}&distro={DISTRIBUTION}",
        escaped(name),
        escaped(version),
        libc.architecture
    ));
    described
}

fn libc_id(libc: &Libc) -> String {
    id("Debian", &[&libc.package])
}

fn of_debian(package: &Package, architecture: Architecture) -> Value {
    let name = &package.name;
    let id = id("Debian", &[name]);
    let mut described = self::package(&id, name, &package.version, NOT_ASSERTED);
    described["supplier"] = json!("Organization: Debian");
    described["checksums"] = sha256(package.digest.trim_start_matches("sha256:"));
    described["externalRefs"] = purl(&format!(
        "pkg:deb/debian/{}@{}?arch={}&distro={DISTRIBUTION}",
        escaped(name),
        escaped(&package.version),
        architecture.name()
    ));
    if let Some(source) = &package.source {
        described["sourceInfo"] = json!(format!("built from source package {source}"));
    }
    described
}

/// A binary or a component.
fn of_ours(part: &Linked) -> Value {
    let id = id("File", &[part.name]);
    let mut described = package(&id, part.name, VERSION, "Apache-2.0");
    described["primaryPackagePurpose"] = json!(match BINARIES.contains(&part.name) {
        true => "APPLICATION",
        false => "LIBRARY",
    });
    described
}

fn of_cargo(one: &Crate) -> Value {
    let licence = match one.licence.as_str() {
        "" => NOT_ASSERTED,
        expression => expression,
    };
    let mut described = package(&crate_id(one), &one.name, &one.version, licence);
    described["primaryPackagePurpose"] = json!("LIBRARY");
    if let Some(checksum) = &one.checksum {
        let purl_of = format!("pkg:cargo/{}@{}", one.name, escaped(&one.version));
        described["externalRefs"] = purl(&purl_of);
        described["checksums"] = sha256(checksum);
    }
    described
}

/// What SPDX wants of each.
fn package(id: &str, name: &str, version: &str, licence: &str) -> Value {
    json!({
        "SPDXID": id,
        "name": name,
        "versionInfo": version,
        "downloadLocation": NOT_ASSERTED,
        "filesAnalyzed": false,
        "licenseConcluded": NOT_ASSERTED,
        "licenseDeclared": licence,
        "copyrightText": NOT_ASSERTED,
    })
}

fn sha256(hex: &str) -> Value {
    json!([{ "algorithm": "SHA256", "checksumValue": hex }])
}

fn purl(locator: &str) -> Value {
    json!([{
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": locator,
    }])
}

fn related(one: &str, how: &str, other: &str) -> Value {
    json!({ "spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other })
}

fn crate_id(one: &Crate) -> String {
    id("Crate", &[&one.name, &one.version])
}

/// Letters, digits, dots and hyphens are allowed.
fn id(kind: &str, parts: &[&str]) -> String {
    let part = |part: &&str| -> String {
        let kept = |c: char| match c {
            c if c.is_ascii_alphanumeric() || c == '.' => c,
            _ => '-',
        };
        part.chars().map(kept).collect()
    };
    let parts: Vec<String> = parts.iter().map(part).collect();
    format!("SPDXRef-{kind}-{}", parts.join("-"))
}

/// In a package URL: what is not unreserved is a percent sign and its number, but for a colon, as its specification has
/// it.
fn escaped(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte);
    text.bytes()
        .map(|byte| match kept(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_spdx_and_package_urls_want_them() {
        assert_eq!(id("Crate", &["a_b", "1.0+x"]), "SPDXRef-Crate-a-b-1.0-x");
        assert_eq!(escaped("2.38.1-5+deb12u3"), "2.38.1-5%2Bdeb12u3");
        assert_eq!(escaped("1:2~rc1"), "1:2~rc1");
    }

    #[test]
    fn a_package_of_debian_says_which_it_is() {
        let mut package = Package::empty("libblkid1");
        package.source = Some("util-linux".to_owned());
        let described = of_debian(&package, Architecture::Arm64);
        assert_eq!(described["SPDXID"], "SPDXRef-Debian-libblkid1");
        assert_eq!(
            described["externalRefs"][0]["referenceLocator"],
            "pkg:deb/debian/libblkid1@1.0-1?arch=arm64&distro=debian-12"
        );
        assert_eq!(
            described["sourceInfo"],
            "built from source package util-linux"
        );
    }
}
