//! With real disks: loop devices, which only tests are granted, and the real mkfs, fsck and mount.

mod appearing;
mod finding;
mod formatting;
mod growing;
mod interrupted;
mod mounting;
mod partitions;
mod preserving_data;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::libc::O_EXCL;
use nix::mount::{MntFlags, umount2};

use super::tools::Program;
use super::*;
use crate::volume::Access;
use crate::worker::NamePattern;

const MIB: u64 = 1 << 20;

/// A file as a disk; gone at the end, however the test ends.
struct LoopDisk {
    directory: tempfile::TempDir,
    serial: String,
    node: Option<PathBuf>,
}

/// Several tests run at once, and loop devices are everybody's.
fn new_serial() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("drivebay{}x{next}", std::process::id())
}

/// A child that another test starts has, until its exec, a copy of every descriptor of this process, those
/// that hold a disk exclusively among them. A worker has one thread and no such neighbours.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ask(request: &DeviceRequest, notes: &Path) -> Result<Reply, Fault> {
    let _alone = alone();
    carry_out(request, notes)
}

/// Whether this machine lets ext grow while it is mounted: CAP_SYS_RESOURCE is number 24
/// (capabilities(7)), and root has it, but in some containers not.
fn may_grow_ext() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("readable");
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = u64::from_str_radix(mask.expect("there").trim(), 16).expect("hexadecimal");
    mask & (1 << 24) != 0
}

fn tool(name: &'static str, arguments: &[&str]) -> String {
    let program = Program {
        name,
        package: "what the tests need",
    };
    let _alone = alone();
    let outcome = program.run(arguments).expect("run");
    assert!(outcome.is_success(), "{name}: {}", outcome.said());
    outcome.answer()
}

impl LoopDisk {
    /// Of zeros.
    fn new(size: u64) -> Self {
        let mut disk = Self::detached(size);
        disk.attach();
        disk
    }

    fn detached(size: u64) -> Self {
        let disk = Self {
            directory: tempfile::tempdir().expect("a directory"),
            serial: new_serial(),
            node: None,
        };
        let file = File::create(disk.backing()).expect("made");
        file.set_len(size).expect("grown");
        disk
    }

    fn backing(&self) -> PathBuf {
        self.directory.path().join(&self.serial)
    }

    fn attach(&mut self) {
        let backing = self.backing();
        let backing = backing.to_str().expect("a name");
        self.node = Some(tool("losetup", &["--find", "--show", backing]).into());
    }

    fn detach(&mut self) {
        if let Some(node) = self.node.take() {
            let node = node.to_str().expect("a name");
            // Partitions would stay behind, for whoever gets the loop device next.
            for arguments in [["--delete", node], ["--detach", node]] {
                let name = if arguments[0] == "--delete" {
                    "partx"
                } else {
                    "losetup"
                };
                let program = Program { name, package: "" };
                let _alone = alone();
                let _ = program.run(&arguments);
            }
        }
    }

    fn node(&self) -> &Path {
        self.node.as_deref().expect("attached")
    }

    fn node_text(&self) -> &str {
        self.node().to_str().expect("a name")
    }

    fn resize(&self, size: u64) {
        let file = OpenOptions::new().write(true).open(self.backing());
        file.expect("open").set_len(size).expect("resized");
        tool("losetup", &["--set-capacity", self.node_text()]);
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let file = OpenOptions::new().write(true).open(self.node());
        let file = file.expect("open");
        file.write_all_at(bytes, at).expect("written");
        file.sync_all().expect("synced");
    }

    fn bytes(&self) -> Vec<u8> {
        File::open(self.node())
            .and_then(|file| file.sync_all())
            .expect("synced");
        fs::read(self.backing()).expect("read")
    }

    /// Holds it exclusively meanwhile.
    fn while_held<T>(&self, act: impl FnOnce() -> T) -> T {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(O_EXCL);
        let held = options.open(self.node()).expect("nobody else has it");
        let done = act();
        let _alone = alone();
        drop(held);
        done
    }

    /// A table with these partitions.
    fn partition(&self, label: &str, sizes: &[&str]) {
        let lines: Vec<String> = sizes.iter().map(|size| format!(",{size}\n")).collect();
        let script = format!("label: {label}\n{}", lines.concat());
        let sfdisk = Program {
            name: "sfdisk",
            package: "fdisk",
        };
        let arguments = ["--no-reread", "--no-tell-kernel", self.node_text()];
        let _alone = alone();
        let outcome = sfdisk.run_with_input(&arguments, &script).expect("run");
        assert!(outcome.is_success(), "{}", outcome.said());
    }

    fn wanted(&self) -> WantedDevice {
        wanted(&self.serial, "loop-")
    }

    fn notes(&self) -> PathBuf {
        self.directory.path().join("notes")
    }

    fn on(&self, operation: DeviceOperation) -> Result<Reply, Fault> {
        let wanted = self.wanted();
        ask(&DeviceRequest::On { wanted, operation }, &self.notes())
    }

    fn ensure(&self, fs_type: &str) -> Result<Reply, Fault> {
        self.ensure_with(fs_type, Access::ReadWrite)
    }

    fn ensure_with(&self, fs_type: &str, access: Access) -> Result<Reply, Fault> {
        self.ensure_one_of(fs_type, &[fs_type], access)
    }

    fn ensure_one_of(&self, make: &str, keep: &[&str], access: Access) -> Result<Reply, Fault> {
        self.on(DeviceOperation::EnsureFilesystem {
            make: make.into(),
            keep: keep.iter().map(|name| (*name).to_owned()).collect(),
            options: Vec::new(),
            access,
        })
    }

    fn inspect(&self) -> Result<DeviceContent, Fault> {
        let reply = self.on(DeviceOperation::Inspect)?;
        let Reply::Device(DeviceReply::Content(content)) = reply else {
            panic!("answered {reply:?}");
        };
        Ok(content)
    }

    /// In a thread that ends then: it may get a mount namespace of its own.
    fn grow(&self) -> Result<Reply, Fault> {
        std::thread::scope(|scope| {
            let growing = scope.spawn(|| self.on(DeviceOperation::GrowFilesystem));
            growing.join().expect("no panic")
        })
    }

    fn filesystem_bytes(&self) -> u64 {
        let disk = Disk::open(&self.wanted()).expect("here");
        let held = content::filesystem(&disk).expect("a filesystem");
        held.superblock.bytes()
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        self.detach();
    }
}

fn wanted(serial: &str, begins: &str) -> WantedDevice {
    WantedDevice {
        serial: serial.into(),
        size_bytes: None,
        granted: vec![NamePattern {
            begins: begins.into(),
            ends: Some(String::new()),
        }],
    }
}

fn find(wanted: WantedDevice) -> Result<DeviceReply, Fault> {
    let operation = DeviceOperation::Find;
    let request = DeviceRequest::On { wanted, operation };
    let reply = ask(&request, Path::new("/no/notes"))?;
    let Reply::Device(reply) = reply else {
        panic!("answered {reply:?}");
    };
    Ok(reply)
}

/// A mount point; unmounted at the end.
struct MountPoint {
    directory: tempfile::TempDir,
}

impl MountPoint {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("directory")).expect("made");
        File::create(directory.path().join("file")).expect("made");
        Self { directory }
    }

    fn directory(&self) -> PathBuf {
        self.directory.path().join("directory")
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("file")
    }

    fn mount(&self, disk: &LoopDisk, access: Access) -> Result<Reply, Fault> {
        self.mount_one_of(disk, &["ext2", "ext3", "ext4", "xfs"], access)
    }

    fn mount_one_of(
        &self,
        disk: &LoopDisk,
        filesystems: &[&str],
        access: Access,
    ) -> Result<Reply, Fault> {
        disk.on(DeviceOperation::Mount {
            target: self.directory(),
            options: Vec::new(),
            access,
            filesystems: filesystems.iter().map(|name| (*name).to_owned()).collect(),
        })
    }
}

impl Drop for MountPoint {
    fn drop(&mut self) {
        for path in [self.directory(), self.file()] {
            while umount2(&path, MntFlags::UMOUNT_NOFOLLOW).is_ok() {}
        }
    }
}
