//! Disks of a model: what was said to be there, and those of volumes that were attached.
//!
//! A volume's disk shows when its guest asks for it by its serial number, which the model has from nobody else. Where
//! volumes are attached first, it does so only once that is done.

use std::path::Path;

use super::kept::{Kept, ModelDevice, ModelMount};
use super::staging::Staging;
use super::state::Model;
use crate::volume::Access;
use crate::worker::{
    DeviceContent, DeviceOperation, DeviceReply, DeviceRequest, Fault, FaultKind, Reply,
    WantedDevice,
};

/// Of a disk of which nobody has said how large it is.
const SIZE: u64 = 20 << 30;

/// Filesystems that the kernel mounts under another's name.
const AS_EXT4: [&str; 2] = ["ext2", "ext3"];

/// How large what is mounted came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grown {
    /// Its filesystem fills the disk now.
    Filesystem,
    /// It has none.
    RawDevice,
    /// Nothing of it is here.
    NotMounted,
    /// The disk itself is smaller.
    TooSmall { bytes: u64 },
}

impl Model {
    /// A volume that was made, or grew.
    pub(crate) fn has_size(&self, volume: &str, bytes: u64) {
        let mut kept = self.kept();
        kept.volumes.entry(volume.to_owned()).or_default().bytes = Some(bytes);
        let mut disks = kept.devices.values_mut();
        if let Some(disk) = disks.find(|disk| disk.volume.as_deref() == Some(volume)) {
            disk.size_bytes = disk.size_bytes.max(bytes);
        }
    }

    /// A volume's disk shows on this node from now on.
    pub(crate) fn attach(&self, volume: &str) {
        let mut kept = self.kept();
        kept.volumes
            .entry(volume.to_owned())
            .or_default()
            .is_attached = true;
    }

    /// It does no more.
    pub(crate) fn detach(&self, volume: &str) {
        let mut kept = self.kept();
        kept.volumes
            .entry(volume.to_owned())
            .or_default()
            .is_attached = false;
    }

    /// A volume is gone, and its disk with it.
    pub(crate) fn forget(&self, volume: &str) {
        let mut kept = self.kept();
        kept.volumes.remove(volume);
        kept.devices
            .retain(|_, disk| disk.volume.as_deref() != Some(volume));
    }

    /// From now on it is that volume's disk that a guest asks for.
    pub(crate) fn begin_staging(&self, volume: &str, needs_attaching: NeedsAttaching) {
        let is_attached = self
            .kept()
            .volumes
            .get(volume)
            .is_some_and(|it| it.is_attached);
        let is_here = is_attached || needs_attaching == NeedsAttaching::No;
        *self.staging() = Some(Staging {
            volume: volume.to_owned(),
            is_here,
        });
    }

    /// It is no volume's any more.
    pub(crate) fn end_staging(&self) {
        *self.staging() = None;
    }

    /// Lets what is mounted of a volume fill its disk.
    pub(crate) fn grow_mounted(&self, volume: &str, at_least: u64) -> Grown {
        let mut kept = self.kept();
        let mut mounts = kept.mounts.values();
        let mount = mounts.find(|mount| mount.volume.as_deref() == Some(volume));
        let Some((serial, fs_type)) =
            mount.and_then(|mount| Some((mount.device.clone()?, mount.fs_type.clone())))
        else {
            return Grown::NotMounted;
        };
        match kept.devices.get_mut(&serial) {
            None => Grown::NotMounted,
            Some(disk) if disk.size_bytes < at_least => Grown::TooSmall {
                bytes: disk.size_bytes,
            },
            Some(_) if fs_type == RAW => Grown::RawDevice,
            Some(disk) => {
                disk.filesystem_bytes = disk.size_bytes;
                Grown::Filesystem
            }
        }
    }

    /// As a worker carries it out.
    pub(super) fn device(&self, request: DeviceRequest) -> Result<Reply, Fault> {
        let DeviceRequest::On { wanted, operation } = request else {
            return Err(Fault::new(
                FaultKind::Unsupported,
                "no guest asks that of a disk",
            ));
        };
        let staging = self.staging().clone();
        let mut kept = self.kept();
        let missing = match matches!(operation, DeviceOperation::Await { .. }) {
            true => FaultKind::Unreachable,
            false => FaultKind::NotFound,
        };
        show(&mut kept, &wanted, staging.as_ref());
        if !is_here(&kept, &wanted.serial) {
            return Err(not_here(&wanted, missing));
        }
        let Some(name) = granted_name(&wanted) else {
            let name = format!("virtio-{}", wanted.serial);
            return Ok(Reply::Device(DeviceReply::NotGranted { name }));
        };
        let disk = kept.devices.entry(wanted.serial.clone()).or_default();
        check_size(disk, &wanted, &name)?;
        match operation {
            DeviceOperation::Find | DeviceOperation::Await { .. } => {
                Ok(Reply::Device(DeviceReply::Found))
            }
            DeviceOperation::Size => Ok(Reply::Device(DeviceReply::Size(disk.size_bytes))),
            DeviceOperation::Inspect => {
                let content = match &disk.filesystem {
                    None => DeviceContent::Blank,
                    Some(fs_type) => DeviceContent::Filesystem(fs_type.clone()),
                };
                Ok(Reply::Device(DeviceReply::Content(content)))
            }
            DeviceOperation::EnsureFilesystem {
                make, keep, access, ..
            } => disk.ensure(&name, &make, &keep, access),
            DeviceOperation::GrowFilesystem => {
                disk.held(&name)?;
                disk.filesystem_bytes = disk.size_bytes;
                Ok(Reply::Done)
            }
            DeviceOperation::Mount {
                target,
                access,
                filesystems,
                ..
            } => {
                let held = disk.held(&name)?;
                let fs_type = mounted_as(&held, &filesystems).ok_or_else(|| {
                    refused(FaultKind::Denied, &name, &format!(
                        "holds {held:?}, which is not granted (grants.block-devices.filesystems = {filesystems:?})"
                    ))
                })?;
                let mount = ModelMount::of_device(&fs_type, &name, &wanted.serial, access);
                put(&mut kept, &target, mount)
            }
            DeviceOperation::Bind { target, access } => {
                let mount = ModelMount::of_device(RAW, &name, &wanted.serial, access);
                put(&mut kept, &target, mount)
            }
            DeviceOperation::Compare { target, access } => {
                let there = kept.mounts.get(&target);
                let mount = ModelMount::of_device("", &name, &wanted.serial, access);
                match there {
                    Some(there) if there.shows_the_same_as(&mount) => Ok(Reply::Done),
                    Some(there) => Err(there.in_the_way(&target)),
                    None => Err(nothing_at(&target)),
                }
            }
        }
    }
}

/// Whether a volume's disk is on the node only once it is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NeedsAttaching {
    Yes,
    No,
}

/// The kernel's name of what a device node lies on.
const RAW: &str = "devtmpfs";

/// A volume has one disk: another serial number is another's.
fn show(kept: &mut Kept, wanted: &WantedDevice, staging: Option<&Staging>) {
    let Some(staging) = staging.filter(|staging| staging.is_here) else {
        return;
    };
    let volume = Some(staging.volume.as_str());
    let mut disks = kept.devices.values();
    let has_one = disks.any(|disk| disk.volume.as_deref() == volume);
    if has_one || kept.devices.contains_key(&wanted.serial) {
        return;
    }
    let told = kept
        .volumes
        .get(&staging.volume)
        .and_then(|volume| volume.bytes);
    let disk = ModelDevice {
        size_bytes: wanted
            .size_bytes
            .or(told.filter(|bytes| *bytes > 0))
            .unwrap_or(SIZE),
        volume: Some(staging.volume.clone()),
        ..ModelDevice::default()
    };
    kept.devices.insert(wanted.serial.clone(), disk);
    // Without an attachment there is none that could be lost.
    kept.volumes
        .entry(staging.volume.clone())
        .or_default()
        .is_attached = true;
}

fn is_here(kept: &Kept, serial: &str) -> bool {
    let disk = kept.devices.get(serial);
    disk.is_some_and(|disk| match &disk.volume {
        None => true,
        Some(volume) => kept.volumes.get(volume).is_some_and(|it| it.is_attached),
    })
}

fn not_here(wanted: &WantedDevice, kind: FaultKind) -> Fault {
    Fault::new(
        kind,
        format!(
            "no device with serial {:?} is here; check that the disk is attached to this node (in a dry run: attach-volume comes first, or --device {}=SIZE)",
            wanted.serial, wanted.serial
        ),
    )
}

/// A name as in /dev/disk/by-id that a grant fits, if any does: nobody has said what kind of disk it is.
fn granted_name(wanted: &WantedDevice) -> Option<String> {
    let serial = &wanted.serial;
    wanted
        .granted
        .iter()
        .find_map(|pattern| match &pattern.ends {
            Some(ends) => Some(format!("{}{serial}{ends}", pattern.begins)),
            None if pattern.begins.ends_with(serial.as_str()) => Some(pattern.begins.clone()),
            None => None,
        })
}

fn check_size(disk: &ModelDevice, wanted: &WantedDevice, name: &str) -> Result<(), Fault> {
    match wanted.size_bytes {
        Some(expected) if expected != disk.size_bytes => Err(refused(
            FaultKind::Precondition,
            name,
            &format!(
                "has {} bytes, and {expected} were expected; it is left alone, because it may be another disk",
                disk.size_bytes
            ),
        )),
        _ => Ok(()),
    }
}

fn put(kept: &mut Kept, target: &Path, mount: ModelMount) -> Result<Reply, Fault> {
    match kept.mounts.get(target) {
        Some(there) if there.shows_the_same_as(&mount) => Ok(Reply::Done),
        Some(there) => Err(there.in_the_way(target)),
        None => {
            kept.mounts.insert(target.to_owned(), mount);
            Ok(Reply::Done)
        }
    }
}

impl ModelDevice {
    fn ensure(
        &mut self,
        name: &str,
        make: &str,
        keep: &[String],
        access: Access,
    ) -> Result<Reply, Fault> {
        match (&self.filesystem, access) {
            (Some(held), _) if mounted_as(held, keep).is_some() => Ok(Reply::Done),
            (Some(held), _) => Err(refused(
                FaultKind::Precondition,
                name,
                &format!(
                    "is not blank and not {}: it holds {held:?}; it is left alone, and only a person may erase it",
                    keep.join(" or ")
                ),
            )),
            (None, Access::ReadOnly) => Err(refused(
                FaultKind::Precondition,
                name,
                &format!(
                    "holds nothing, not {make}, and the volume is asked for read-only; use it read-write once"
                ),
            )),
            (None, Access::ReadWrite) => {
                self.filesystem = Some(make.to_owned());
                self.filesystem_bytes = self.size_bytes;
                Ok(Reply::Done)
            }
        }
    }

    fn held(&self, name: &str) -> Result<String, Fault> {
        let blank = || refused(FaultKind::Precondition, name, "holds no filesystem");
        self.filesystem.clone().ok_or_else(blank)
    }
}

/// Under which of those names the kernel mounts it.
fn mounted_as(held: &str, names: &[String]) -> Option<String> {
    let is_so = |name: &&String| {
        name.as_str() == held || (name.as_str() == "ext4" && AS_EXT4.contains(&held))
    };
    names.iter().find(is_so).cloned()
}

fn refused(kind: FaultKind, name: &str, why: &str) -> Fault {
    Fault::new(kind, format!("device {name:?} {why}"))
}

fn nothing_at(target: &Path) -> Fault {
    let message = format!("nothing is mounted at {}", target.display());
    Fault::new(FaultKind::NotFound, message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::broker::model::state::{Granted, ModelSettings, Servers};
    use crate::worker::NamePattern;

    fn model() -> Model {
        let settings = ModelSettings {
            directory: "/nonexistent".into(),
            granted: Granted::AsAsked,
            servers: Servers::Modelled,
            hosts: BTreeMap::new(),
            devices: vec![("system".to_owned(), 7)],
            tape: None,
        };
        Model::open(settings).expect("nothing is kept")
    }

    fn wanted(serial: &str, size_bytes: Option<u64>) -> WantedDevice {
        WantedDevice {
            serial: serial.into(),
            size_bytes,
            granted: vec![NamePattern {
                begins: "virtio-".into(),
                ends: Some(String::new()),
            }],
        }
    }

    fn on(model: &Model, serial: &str, operation: DeviceOperation) -> Result<Reply, FaultKind> {
        let wanted = wanted(serial, None);
        let reply = model.device(DeviceRequest::On { wanted, operation });
        reply.map_err(|fault| fault.kind)
    }

    fn make(make: &str, access: Access) -> DeviceOperation {
        DeviceOperation::EnsureFilesystem {
            make: make.into(),
            keep: vec![make.into()],
            options: Vec::new(),
            access,
        }
    }

    const FOUND: Reply = Reply::Device(DeviceReply::Found);

    #[test]
    fn a_volumes_disk_shows_once_it_is_attached_and_goes_when_it_is_detached() {
        let model = model();
        let find = |serial: &str| on(&model, serial, DeviceOperation::Find);
        model.has_size("v", 1 << 30);
        model.begin_staging("v", NeedsAttaching::Yes);
        assert_eq!(find("s1-of-v"), Err(FaultKind::NotFound));
        let wait = DeviceOperation::Await {
            timeout: Duration::ZERO,
        };
        assert_eq!(on(&model, "s1-of-v", wait), Err(FaultKind::Unreachable));
        model.attach("v");
        model.begin_staging("v", NeedsAttaching::Yes);
        assert_eq!(find("s1-of-v"), Ok(FOUND));
        let size = on(&model, "s1-of-v", DeviceOperation::Size);
        assert_eq!(size, Ok(Reply::Device(DeviceReply::Size(1 << 30))));
        assert_eq!(find("another"), Err(FaultKind::NotFound), "it has one disk");
        model.end_staging();
        assert_eq!(find("s1-of-v"), Ok(FOUND));
        assert_eq!(find("system"), Ok(FOUND));
        model.detach("v");
        assert_eq!(find("s1-of-v"), Err(FaultKind::NotFound));
    }

    #[test]
    fn a_disk_is_made_once_and_never_by_who_only_reads() {
        let model = model();
        let ensure = |fs_type, access| on(&model, "system", make(fs_type, access));
        assert_eq!(
            ensure("ext4", Access::ReadOnly),
            Err(FaultKind::Precondition)
        );
        assert_eq!(ensure("ext3", Access::ReadWrite), Ok(Reply::Done));
        assert_eq!(ensure("ext4", Access::ReadOnly), Ok(Reply::Done));
        assert_eq!(
            ensure("xfs", Access::ReadWrite),
            Err(FaultKind::Precondition)
        );
        let content = on(&model, "system", DeviceOperation::Inspect);
        let ext3 = DeviceContent::Filesystem("ext3".into());
        assert_eq!(content, Ok(Reply::Device(DeviceReply::Content(ext3))));
    }

    #[test]
    fn another_size_is_another_disk_and_what_is_not_granted_is_told_by_its_name() {
        let model = model();
        let operation = || DeviceOperation::Find;
        let wanted = wanted("system", Some(8));
        let other = model.device(DeviceRequest::On {
            wanted,
            operation: operation(),
        });
        assert_eq!(
            other.expect_err("another size").kind,
            FaultKind::Precondition
        );
        let ungranted = WantedDevice {
            granted: Vec::new(),
            ..self::wanted("system", None)
        };
        let request = DeviceRequest::On {
            wanted: ungranted,
            operation: operation(),
        };
        let name = "virtio-system".to_owned();
        assert_eq!(
            model.device(request),
            Ok(Reply::Device(DeviceReply::NotGranted { name }))
        );
    }

    #[test]
    fn what_is_mounted_is_compared_with_the_disk_and_fills_it_when_it_grew() {
        let model = model();
        on(&model, "system", make("ext4", Access::ReadWrite)).expect("blank");
        let mount = |access| DeviceOperation::Mount {
            target: "/t".into(),
            options: Vec::new(),
            access,
            filesystems: vec!["ext4".into()],
        };
        for _ in 0..2 {
            assert_eq!(
                on(&model, "system", mount(Access::ReadWrite)),
                Ok(Reply::Done)
            );
        }
        assert_eq!(
            on(&model, "system", mount(Access::ReadOnly)),
            Err(FaultKind::Exists)
        );
        model.is_target_of(Path::new("/t"), "v");
        assert_eq!(model.grow_mounted("v", 8), Grown::TooSmall { bytes: 7 });
        assert_eq!(model.grow_mounted("v", 7), Grown::Filesystem);
        assert_eq!(model.grow_mounted("w", 7), Grown::NotMounted);
    }
}
