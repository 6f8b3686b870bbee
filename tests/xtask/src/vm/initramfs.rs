//! The VM's initramfs: BusyBox, a dozen kernel modules and the first script, as a `newc` cpio archive.
//!
//! Written afresh for each run, in milliseconds; that is how a run's settings reach the first script.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::image::Image;

/// What reaching the real root takes; Debian's kernel has all of it as modules.
const MODULES: [&str; 5] = [
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "overlay",
    "virtio_console",
];

/// Directories the first script mounts upon.
const MOUNT_POINTS: [&str; 6] = ["dev", "proc", "host", "packages", "written", "root"];

/// The archive for one run; `settings` are lines of shell.
pub(super) fn archive(image: &Image, settings: &str) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for directory in MOUNT_POINTS.iter().chain(&["bin", "modules"]) {
        archive.add(directory, 0o040_755, &[]);
    }
    archive.add("init", 0o100_755, include_bytes!("init.sh"));
    archive.add("settings", 0o100_644, settings.as_bytes());
    archive.add("bin/busybox", 0o100_755, &read(&image.busybox())?);
    let modules = image.modules();
    let dependencies = String::from_utf8(read(&modules.join("modules.dep"))?)?;
    let mut order = String::new();
    for path in load_order(&dependencies, &MODULES)? {
        let name = path.rsplit('/').next().unwrap_or(path);
        archive.add(
            &format!("modules/{name}"),
            0o100_644,
            &read(&modules.join(path))?,
        );
        order.push_str(&format!("{name}\n"));
    }
    archive.add("modules/order", 0o100_644, order.as_bytes());
    Ok(archive.finish())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Modules and what they need, in an order in which each can be loaded, from the text of a `modules.dep`.
///
/// depmod lists a module's needs from the nearest to the deepest, so they load from the last to the first.
fn load_order<'a>(dependencies: &'a str, wanted: &[&str]) -> Result<Vec<&'a str>> {
    let lines = dependencies.lines().filter_map(|line| line.split_once(':'));
    let known: BTreeMap<&str, (&str, &str)> = lines
        .map(|(path, needs)| (module_name(path), (path, needs)))
        .collect();
    let mut order = Vec::new();
    for name in wanted {
        let (path, needs) = known
            .get(name)
            .with_context(|| format!("the kernel has no module {name}"))?;
        for path in needs.split_whitespace().rev().chain([*path]) {
            if !order.contains(&path) {
                order.push(path);
            }
        }
    }
    Ok(order)
}

fn module_name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file)
}

/// A cpio archive in the only format the kernel unpacks: `newc`, fields in hexadecimal, padded to four bytes.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: usize,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let (inode, size, name_size) = (self.entries, content.len(), name.len() + 1);
        let header = format!(
            "070701{inode:08x}{mode:08x}{0:08x}{0:08x}{1:08x}{0:08x}{size:08x}",
            0, 1
        );
        let header = format!(
            "{header}{0:08x}{0:08x}{0:08x}{0:08x}{name_size:08x}{0:08x}{name}\0",
            0
        );
        self.append(header.as_bytes());
        self.append(content);
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_load_after_what_they_need() {
        let dependencies =
            "kernel/a/top.ko: kernel/b/middle.ko kernel/c/base.ko\nkernel/c/base.ko:\n";
        let order = load_order(dependencies, &["base", "top"]).unwrap();
        assert_eq!(
            order,
            ["kernel/c/base.ko", "kernel/b/middle.ko", "kernel/a/top.ko"]
        );
        assert!(load_order(dependencies, &["absent"]).is_err());
    }

    #[test]
    fn archive_entries_start_at_multiples_of_four() {
        let mut archive = Archive::default();
        archive.add("odd", 0o100_644, b"12345");
        assert_eq!(archive.bytes.len(), 110 + 6 + 8);
        assert_eq!(&archive.bytes[..6], b"070701");
    }
}
