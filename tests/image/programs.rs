//! Programs in the image run there, with nothing else around them; and there is each that the host starts.

use std::fs::{self, File};

use drivebay_tests::{ShippedImage, files_beneath, host_code, host_source, read, text};

/// Ours, which need no library.
const STATIC: [&str; 3] = ["drivebay", "drivebay-provision", "drivebay-shim"];

/// Where the host's programs are named.
const TOOLS: &str = "worker/server/device/tools.rs";

/// What loads programs, and tells what they would load.
const LOADER: &str = match std::env::consts::ARCH.as_bytes() {
    b"aarch64" => "/lib/ld-linux-aarch64.so.1",
    _ => "/lib64/ld-linux-x86-64.so.2",
};

/// From lines such as `program("blkid", "util-linux")`.
fn programs_of_the_host() -> Vec<String> {
    let tools = read(&host_source().join(TOOLS));
    let (shipped, _) = tools.split_once("#[cfg(test)]").expect("tests at its end");
    let named = shipped.split("= program(\"").skip(1);
    let named = named.filter_map(|rest| rest.split_once('"'));
    named.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_program_that_the_host_starts_is_there() {
    let image = ShippedImage::unpacked();
    let programs = programs_of_the_host();
    assert!(programs.len() >= 10, "found only {programs:?}");
    for program in programs {
        let places = ["usr/sbin", "usr/bin"].map(|place| image.root().join(place).join(&program));
        assert!(places.iter().any(|place| place.exists()), "no {program}");
    }
}

#[test]
fn the_host_names_its_programs_in_one_place() {
    for line in host_code() {
        let begins_one = ["Program {", "program(\""]
            .iter()
            .any(|it| line.text.contains(it));
        let is_declared = ["fn ", "impl ", "struct "]
            .iter()
            .any(|it| line.text.contains(it));
        assert!(
            !begins_one || is_declared || line.lies_in(TOOLS),
            "{}:{}: programs are named in {TOOLS}, so that the image has them",
            line.file.display(),
            line.number
        );
    }
}

#[test]
fn the_libraries_of_every_program_are_there() {
    let image = ShippedImage::unpacked();
    let root = image.root();
    let is_dynamic = |file: &std::path::Path| {
        let content = fs::read(file).unwrap_or_default();
        let is_library = file.to_string_lossy().contains(".so");
        content.starts_with(b"\x7fELF")
            && (is_library || !STATIC.iter().any(|name| file.ends_with(name)))
    };
    let files = files_beneath(&root, &is_dynamic);
    assert!(files.len() > 20, "found only {files:?}");
    for file in files {
        let path = file.strip_prefix(&root).expect("beneath");
        let path = format!("/{}", path.display());
        if path.contains("/ld-linux-") {
            continue;
        }
        let output = image.run(&[LOADER, "--list", &path]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{path}: {output:?}");
        assert!(!said.contains("not found"), "{path}: {said}");
    }
}

#[test]
fn the_binaries_need_nothing() {
    let image = ShippedImage::unpacked();
    for program in ["drivebay", "drivebay-provision"] {
        let version = image.run(&[&format!("/usr/bin/{program}"), "--version"]);
        let said = String::from_utf8_lossy(&version.stdout).into_owned();
        assert!(version.status.success(), "{version:?}");
        let expected = format!("{program} {}", env!("CARGO_PKG_VERSION"));
        assert_eq!(said.trim(), expected);
    }
    // kubelet gets one JSON object whatever is wrong; here nothing is configured.
    let init = image.run(&["/usr/bin/drivebay-shim", "init"]);
    assert!(init.status.success(), "{init:?}");
    let answer: serde_json::Value = serde_json::from_slice(&init.stdout).expect("JSON");
    assert!(answer["status"].is_string(), "{answer}");
}

#[track_caller]
fn succeeds(image: &ShippedImage, command: &[&str]) -> String {
    let output = image.run(command);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

#[test]
fn filesystems_are_made_checked_grown_and_recognised() {
    let image = ShippedImage::unpacked();
    let disk = |name: &str| {
        let path = image.root().join("tmp").join(name);
        let file = File::create(&path).expect("writable");
        file.set_len(512 << 20).expect("sparse");
        format!("/tmp/{name}")
    };
    let xfs = disk("xfs");
    succeeds(&image, &["mkfs.xfs", "-q", &xfs]);
    succeeds(&image, &["xfs_repair", "-n", &xfs]);
    for kind in ["ext2", "ext3", "ext4"] {
        let ext = disk(kind);
        succeeds(&image, &[&format!("mkfs.{kind}"), "-q", &ext, "100M"]);
        succeeds(&image, &["e2fsck", "-f", "-p", &ext]);
        succeeds(&image, &["resize2fs", &ext]);
        let found = succeeds(&image, &["blkid", "--probe", &ext]);
        assert!(found.contains(&format!("TYPE=\"{kind}\"")), "{found}");
    }
    succeeds(&image, &["fsck.ext4", "-f", "-n", "/tmp/ext4"]);
    let found = succeeds(&image, &["blkid", "--probe", &xfs]);
    assert!(found.contains("TYPE=\"xfs\""), "{found}");
}

#[test]
fn partitions_are_read_and_a_mounted_filesystem_can_grow() {
    let image = ShippedImage::unpacked();
    let disk = image.root().join("tmp/disk");
    let file = File::create(&disk).expect("writable");
    file.set_len(64 << 20).expect("sparse");
    let script = image.root().join("tmp/script");
    fs::write(&script, "label: gpt\n,+\n").expect("writable");
    let root = image.root();
    // There is no shell in there to hand sfdisk its script.
    let write = format!(
        "chroot '{}' sfdisk --quiet /tmp/disk < '{}'",
        text(&root),
        text(&script)
    );
    let output = drivebay_tests::Node::run("sh", &["-c", &write]);
    assert!(output.status.success(), "{output:?}");
    let table = succeeds(&image, &["partx", "--show", "--noheadings", "/tmp/disk"]);
    assert_eq!(table.lines().count(), 1, "{table}");
    succeeds(&image, &["xfs_growfs", "-V"]);
}
