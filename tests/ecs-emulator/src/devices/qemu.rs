//! virtio disks of the virtual machine that this runs in, plugged through QEMU's own monitor.
//!
//! QEMU runs on the host, so it sees the files of the state directory under another path. The machine has
//! root ports `slot1` to `slot8`, one disk each.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::qmp::Monitor;
use super::{Backing, Maker, Wanted};
use crate::cloud::disk::Link;
use crate::files::Files;
use crate::words::Serial;

/// Root ports that the machine has for disks.
const SLOTS: u8 = 8;

/// Makes virtio disks.
#[derive(Debug)]
pub(super) struct Qemu {
    files: Files,
    port: PathBuf,
    backing: Backing,
    /// The port can be opened once, so it stays open.
    monitor: Option<Monitor>,
}

impl Qemu {
    pub(super) fn new(files: Files, port: PathBuf, backing: Backing) -> Self {
        Self {
            files,
            port,
            backing,
            monitor: None,
        }
    }

    fn monitor(&mut self) -> Result<&mut Monitor> {
        if self.monitor.is_none() {
            let open = || OpenOptions::new().read(true).write(true).open(&self.port);
            let port = open().with_context(|| format!("cannot open {}", self.port.display()))?;
            self.monitor = Some(Monitor::open(port.try_clone()?, port)?);
        }
        self.monitor.as_mut().context("the monitor was just opened")
    }

    /// The file's path where QEMU runs.
    fn path_outside(&self, file: &Path) -> Result<String> {
        let inside = file.strip_prefix(&self.backing.here).with_context(|| {
            let (file, here) = (file.display(), self.backing.here.display());
            format!("{file} is not beneath {here}, so QEMU cannot see it")
        })?;
        Ok(self.backing.there.join(inside).display().to_string())
    }

    /// Devices of ours: `disk-<slot>-<serial>`.
    fn devices(&mut self) -> Result<Vec<(Serial, String)>> {
        let path = json!({ "path": "/machine/peripheral" });
        let list = self.monitor()?.run("qom-list", &path)?;
        let names = list.as_array().into_iter().flatten();
        let ours = |entry: &Value| {
            let name = entry["name"].as_str()?;
            let (_, serial) = name.strip_prefix("disk-")?.split_once('-')?;
            Some((Serial::from(serial), name.to_owned()))
        };
        Ok(names.filter_map(ours).collect())
    }

    fn free_slot(&mut self) -> Result<u8> {
        let devices = self.devices()?;
        let taken = |slot: &u8| {
            let prefix = format!("disk-{slot}-");
            devices.iter().any(|(_, name)| name.starts_with(&prefix))
        };
        (1..=SLOTS)
            .find(|slot| !taken(slot))
            .context("all slots of the machine are taken")
    }
}

/// The name of a disk's block node; QEMU takes no more than 31 characters.
fn node(serial: &Serial) -> String {
    format!("node-{serial}")
}

/// What QEMU is told to make of the file.
fn block_device(serial: &Serial, file: &str, wanted: &Wanted) -> Value {
    let mut device = json!({
        "driver": "raw",
        "node-name": node(serial),
        "file": { "driver": "file", "filename": file },
    });
    if wanted.bytes < wanted.disk_bytes {
        device["size"] = Value::from(wanted.bytes);
    }
    device
}

/// The disk itself. udev makes the link from its serial, so another link means another serial.
fn disk(serial: &Serial, slot: u8, link: &Link) -> Value {
    let mut disk = json!({
        "driver": "virtio-blk-pci",
        "id": format!("disk-{slot}-{serial}"),
        "bus": format!("slot{slot}"),
        "drive": node(serial),
    });
    match link {
        Link::Serial => disk["serial"] = Value::from(serial.as_str()),
        Link::Other(name) => {
            let other = name.strip_prefix("virtio-").unwrap_or(name);
            disk["serial"] = Value::from(other.chars().take(20).collect::<String>());
        }
        Link::None => {}
    }
    disk
}

impl Maker for Qemu {
    fn plug(&mut self, serial: &Serial, wanted: &Wanted) -> Result<String> {
        let file = self.path_outside(&self.files.disk(serial))?;
        let slot = self.free_slot()?;
        let disk = disk(serial, slot, &wanted.link);
        let monitor = self.monitor()?;
        monitor.run("blockdev-add", &block_device(serial, &file, wanted))?;
        if let Err(error) = monitor.run("device_add", &disk) {
            monitor.run("blockdev-del", &json!({ "node-name": node(serial) }))?;
            return Err(error);
        }
        Ok(format!("disk-{slot}-{serial}"))
    }

    fn grow(&mut self, serial: &Serial, _name: &str, bytes: u64) -> Result<()> {
        let arguments = json!({ "node-name": node(serial), "size": bytes });
        self.monitor()?.run("block_resize", &arguments).map(drop)
    }

    fn unplug(&mut self, serial: &Serial, name: &str, _link: &Link) -> Result<()> {
        let monitor = self.monitor()?;
        monitor.run("device_del", &json!({ "id": name }))?;
        monitor.wait_for_deletion(name)?;
        monitor
            .run("blockdev-del", &json!({ "node-name": node(serial) }))
            .map(drop)
    }

    fn adopt(&mut self, _serial: &Serial, _name: &str, _wanted: &Wanted) -> Result<()> {
        Ok(())
    }

    fn left_behind(&mut self) -> Result<Vec<(Serial, String)>> {
        self.devices()
    }
}
