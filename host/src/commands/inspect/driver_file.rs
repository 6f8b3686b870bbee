//! A driver's file for a component that nobody has granted anything yet: what has to stand in it, with values that an
//! operator replaces. It is valid as it is printed, and grants as little as its sections can.

use std::ffi::OsStr;
use std::path::Path;

use drivebay::grant::Capability;
use drivebay::store::{self, ImportProblem, Manifest};

/// As text. The component goes by its file's name, as `install` takes it.
pub(in crate::commands) fn driver_file(file: &Path, manifest: &Manifest) -> String {
    let name = component_name(file);
    let mut text = format!(
        "# /etc/drivebay/drivers.d/{name}.toml\n\
         component = \"{name}\"\n\
         # One of its names, or both: for CSI's callers, and VENDOR/DRIVER for FlexVolume's.\n\
         csi-name = \"{name}.example.com\"\n\
         # flexvolume = \"example.com/{name}\"\n"
    );
    let granted = &Capability::WITHOUT_GRANT;
    for problem in store::problems(&manifest.imports, &manifest.exports, granted) {
        if let ImportProblem::NotGranted { capability } = problem {
            text.push('\n');
            text.push_str(section(capability));
        }
    }
    text
}

/// A name that no component can have is not printed: it may hold anything.
pub(in crate::commands) fn component_name(file: &Path) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    file.file_stem()
        .and_then(OsStr::to_str)
        .filter(|name| !name.starts_with('.') && name.chars().all(plain))
        .unwrap_or("backend")
}

/// Imports do not say under which names a guest opens endpoints, keys and directories: its author does.
fn section(capability: Capability) -> &'static str {
    match capability {
        Capability::Mounts => {
            r#"[grants.mounts]
# Remote shares: what may be mounted, from where, and with which options.
# filesystems = ["nfs"]
# sources = ["filer.example.com:/export/**"]
# options = ["vers", "hard"]
# Directories of this node, by the names that the guest opens them under.
# directories = { pool = "/srv/pool" }
"#
        }
        Capability::Files => {
            r#"[grants.files]
# Beneath the directories of `mounts`; "read-write" lets it make, change and remove what is there.
access = "read-only"
"#
        }
        Capability::BlockDevices => {
            r#"[grants.block-devices]
# Devices that may be seen, by the names in /dev/disk/by-id, and filesystems that may be made and mounted.
devices = ["virtio-*"]
filesystems = ["ext4", "xfs"]
"#
        }
        Capability::Https => {
            r#"# One section for each endpoint, by the name that the guest opens it under.
[grants.https.api]
origin = "https://api.example.com"
methods = ["GET"]
paths = ["/"]
"#
        }
        Capability::Signing => {
            r#"# One section for each key, by the name that the guest opens it under.
[grants.signing.key]
source = "file"
id-file = "/etc/drivebay/keys/id"
secret-file = "/etc/drivebay/keys/secret"
"#
        }
        Capability::Secrets => {
            r#"# One section for each secret of a call, by its name in the Secret, with what it may be used for.
[grants.secrets.password]
signing = ["hmac-sha256"]
# mount-options = ["password"]
"#
        }
        Capability::Log => "",
    }
}

#[cfg(test)]
mod tests {
    use drivebay::config::parse_driver;
    use drivebay::error::GuestText;
    use drivebay::store::{Description, Import};

    use super::*;

    fn manifest(imports: impl Iterator<Item = Import>) -> Manifest {
        Manifest {
            component_sha256: String::new(),
            code_sha256: String::new(),
            imports: imports
                .map(|import| format!("drivebay:driver/{}@0.1.0", import.name()))
                .collect(),
            exports: vec!["drivebay:driver/identity@0.1.0".to_owned()],
            description: Description {
                name: GuestText::default(),
                version: GuestText::default(),
                summary: GuestText::default(),
                parameters: Vec::new(),
            },
        }
    }

    #[test]
    fn what_is_printed_is_a_drivers_file_that_grants_what_the_component_imports() {
        let each = Import::ALL.map(|import| vec![import]);
        for wanted in each.into_iter().chain([Import::ALL.to_vec(), Vec::new()]) {
            let manifest = manifest(wanted.into_iter());
            let text = driver_file(Path::new("/tmp/shelf.wasm"), &manifest);
            let driver = parse_driver(Path::new("/etc/drivebay/drivers.d/shelf.toml"), &text)
                .unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(driver.component, "shelf");
            let granted = driver.capabilities();
            let left = store::problems(&manifest.imports, &manifest.exports, &granted);
            assert_eq!(left, [], "{text}");
        }
    }

    #[test]
    fn a_file_name_that_no_component_can_have_is_not_in_it() {
        for file in [
            "/a/x\"\n[grants.files].wasm",
            "/a/.x.wasm",
            "/a/\u{202e}.wasm",
            "/",
        ] {
            let text = driver_file(Path::new(file), &manifest([].into_iter()));
            assert!(text.contains("component = \"backend\""), "{text}");
        }
    }
}
