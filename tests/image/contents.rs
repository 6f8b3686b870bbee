//! What is in the image: the programs that are needed, and nothing by which somebody who got in would help himself.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use drivebay_tests::{NOBODY, ShippedImage, files_beneath, read};

/// In /usr/bin and /usr/sbin. mke2fs is what mkfs.ext2 to mkfs.ext4 are links to.
const PROGRAMS: [&[&str]; 2] = [
    &["drivebay", "drivebay-provision", "drivebay-shim", "partx"],
    &[
        "blkid",
        "e2fsck",
        "fsck.ext4",
        "mke2fs",
        "mkfs.ext2",
        "mkfs.ext3",
        "mkfs.ext4",
        "mkfs.xfs",
        "resize2fs",
        "sfdisk",
        "xfs_growfs",
        "xfs_repair",
    ],
];

#[test]
fn there_are_the_programs_that_are_needed_and_no_others() {
    let image = ShippedImage::unpacked();
    for (directory, expected) in ["usr/bin", "usr/sbin"].into_iter().zip(PROGRAMS) {
        assert_eq!(image.names_in(directory), expected, "{directory}");
    }
    // Elsewhere only what loads programs is a program itself.
    let programs = image.entries().into_iter().filter(|entry| {
        let elsewhere = !["usr/bin/", "usr/sbin/"]
            .iter()
            .any(|directory| entry.path.starts_with(directory));
        elsewhere && entry.mode.starts_with('-') && entry.mode.contains('x')
    });
    let programs: Vec<String> = programs.map(|entry| entry.path).collect();
    let is_loaded = |path: &String| path.starts_with("usr/lib/") && path.contains(".so");
    assert!(programs.iter().all(is_loaded), "{programs:?}");
}

#[test]
fn there_is_no_shell_and_no_package_manager() {
    let image = ShippedImage::unpacked();
    let root = image.root();
    for name in [
        "apk", "apt", "apt-get", "ash", "bash", "busybox", "curl", "dash", "dpkg", "mount", "perl",
        "python3", "rpm", "sh", "su", "wget",
    ] {
        for directory in ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin"] {
            assert!(
                !root.join(directory).join(name).exists(),
                "{directory}/{name}"
            );
        }
    }
    let shell = image.run(&["/bin/sh", "-c", "true"]);
    assert_eq!(shell.status.code(), Some(127), "{shell:?}");
    let scripts = files_beneath(&root, &|file| {
        let content = fs::read(file).unwrap_or_default();
        content.starts_with(b"#!")
    });
    assert!(scripts.is_empty(), "nobody runs them: {scripts:?}");
}

#[test]
fn everything_is_roots_and_nothing_gives_its_rights_to_others() {
    let mut writable = Vec::new();
    for entry in ShippedImage::unpacked().entries() {
        assert_eq!(entry.owner, "0/0", "{entry:?}");
        assert_eq!(entry.date, "1970-01-01 00:00:00", "{entry:?}");
        let is_link = entry.mode.starts_with('l');
        assert!(!entry.mode.contains(['s', 'S']), "{entry:?}");
        if !is_link && (&entry.mode[5..6] == "w" || &entry.mode[8..9] == "w") {
            writable.push(entry.path);
        }
    }
    assert_eq!(writable, ["tmp"]);
}

#[test]
fn accounts_are_those_that_pods_and_workers_run_as() {
    let image = ShippedImage::unpacked();
    let accounts = read(&image.root().join("etc/passwd"));
    let numbers = accounts.lines().map(|line| {
        let parts: Vec<&str> = line.split(':').collect();
        (
            parts[0].to_owned(),
            parts[2].parse::<u32>().expect("a number"),
        )
    });
    let expected = [("root", 0), ("nonroot", 65532), ("nobody", NOBODY)];
    let expected = expected.map(|(name, number)| (name.to_owned(), number));
    assert_eq!(numbers.collect::<Vec<_>>(), expected);
}

#[test]
fn what_pods_are_given_by_hosts_is_asked_before_name_servers() {
    let image = ShippedImage::unpacked();
    let order = read(&image.root().join("etc/nsswitch.conf"));
    assert!(
        order.lines().any(|line| line == "hosts: files dns"),
        "{order}"
    );
}

#[test]
fn certificates_are_where_the_host_looks_for_them() {
    let image = ShippedImage::unpacked();
    let bundle = image.root().join("etc/ssl/certs/ca-certificates.crt");
    let certificates = read(&bundle).matches("BEGIN CERTIFICATE").count();
    assert!(certificates > 100, "only {certificates}");
    let mode = fs::metadata(&bundle).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "nobody, too, has to read it");
}

#[test]
fn the_table_of_mounts_is_the_kernels() {
    let link = fs::read_link(ShippedImage::unpacked().root().join("etc/mtab"));
    assert_eq!(link.expect("a link").to_str(), Some("/proc/mounts"));
}

#[test]
fn every_package_brings_its_licence() {
    let image = ShippedImage::unpacked();
    let packages = image.names_in("var/lib/dpkg/status.d");
    assert!(packages.contains(&"xfsprogs".to_owned()), "{packages:?}");
    for package in packages {
        let licence = format!("usr/share/doc/{package}/copyright");
        assert!(!read(&image.root().join(licence)).is_empty(), "{package}");
    }
}
