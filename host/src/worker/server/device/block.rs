//! One open block device: a disk or a partition.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat, major, minor};

use crate::sys::sysfs;
use crate::worker::server::target::proc_path;
use crate::worker::{Fault, FaultKind};

/// Open for as long as anything is done with it: until it is closed the kernel gives its number to no
/// other device.
#[derive(Debug)]
pub(super) struct Block {
    file: File,
    number: u64,
}

impl Block {
    /// Opens what the path leads to. It is looked at before it is opened for reading, which is an act
    /// where it is not a block device.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        let handle = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        let number = block_number(&handle)?;
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = File::from(open(&proc_path(&handle), flags, Mode::empty())?);
        Ok(Self { file, number })
    }

    /// A device by the name its kernel gave it, if that is the device with that number.
    pub(super) fn open_node(name: &str, number: u64) -> Result<Self, Fault> {
        let node = Path::new("/dev").join(name);
        let refused = |reason: &dyn std::fmt::Display| {
            Fault::new(
                FaultKind::Unreachable,
                format!(
                    "cannot open {}: {reason}; the host has to see the node's own /dev",
                    node.display()
                ),
            )
        };
        let block = Self::open(&node).map_err(|errno| refused(&errno.desc()))?;
        if block.number == number {
            Ok(block)
        } else {
            Err(refused(&"it is another device than the kernel has there"))
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// `major:minor`, as in mountinfo.
    pub(super) fn number_text(&self) -> String {
        format!("{}:{}", major(self.number), minor(self.number))
    }

    /// What the kernel says of it.
    pub(super) fn sysfs(&self) -> PathBuf {
        sysfs(&self.number_text())
    }

    /// The kernel's name: `vdb`. For messages, and to find its node again; never to say which disk it is.
    pub(super) fn name(&self) -> Result<String, Fault> {
        device_name(&self.sysfs()).ok_or_else(|| {
            Fault::new(
                FaultKind::Unreachable,
                format!(
                    "{} has no name: the device is gone, or /sys is not mounted",
                    self.sysfs().display()
                ),
            )
        })
    }

    /// Its node.
    pub(super) fn node(&self) -> Result<PathBuf, Fault> {
        Ok(Path::new("/dev").join(self.name()?))
    }

    /// A name by which another process opens this very device.
    pub(super) fn path_for_others(&self) -> PathBuf {
        let process = std::process::id();
        PathBuf::from(format!("/proc/{process}/fd/{}", self.file.as_raw_fd()))
    }

    /// Bytes, asked anew: by the descriptor and by sysfs. Kernels before 5.11 could keep the old one in the
    /// descriptor of a disk that had grown.
    pub(super) fn size(&self) -> Result<u64, Fault> {
        let unread = |reason: &dyn std::fmt::Display| {
            Fault::new(
                FaultKind::Unreachable,
                format!(
                    "cannot read the size of device {}: {reason}",
                    self.number_text()
                ),
            )
        };
        let size = (&self.file)
            .seek(SeekFrom::End(0))
            .map_err(|error| unread(&error))?;
        let sectors: u64 = fs::read_to_string(self.sysfs().join("size"))
            .map_err(|error| unread(&error))?
            .trim()
            .parse()
            .map_err(|error| unread(&error))?;
        let known = sectors.saturating_mul(SYSFS_SECTOR);
        if known == size {
            Ok(size)
        } else {
            Err(unread(&format_args!(
                "its descriptor says {size} bytes and /sys says {known}; it is being resized"
            )))
        }
    }

    /// The same device once more.
    pub(super) fn reopen(&self, flags: OFlag) -> Result<File, Errno> {
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        open(&proc_path(&self.file), flags, Mode::empty()).map(File::from)
    }

    /// The same device for writing, while nobody has it mounted or otherwise to himself: on block devices
    /// O_EXCL means that (open(2)).
    pub(super) fn reopen_exclusively(&self) -> Result<Self, Errno> {
        let file = self.reopen(OFlag::O_RDWR | OFlag::O_EXCL)?;
        let number = block_number(&file)?;
        Ok(Self { file, number })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

/// sysfs counts these, whatever the device's own sectors are.
pub(super) const SYSFS_SECTOR: u64 = 512;

/// The number of the block device that is open.
pub(super) fn block_number(handle: &impl AsFd) -> Result<u64, Errno> {
    let stat = fstat(handle)?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFBLK {
        Ok(stat.st_rdev)
    } else {
        Err(Errno::ENOTBLK)
    }
}

/// `DEVNAME` of a sysfs directory; the directory's own name has `!` where the node has `/`.
pub(super) fn device_name(sysfs: &Path) -> Option<String> {
    let text = fs::read_to_string(sysfs.join("uevent")).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("DEVNAME="))
        .map(str::to_owned)
}

/// The number in a sysfs `dev` file.
pub(super) fn device_number(sysfs: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(sysfs.join("dev"))?;
    let parsed = text.trim().split_once(':').and_then(|(major, minor)| {
        Some(nix::sys::stat::makedev(
            major.parse().ok()?,
            minor.parse().ok()?,
        ))
    });
    parsed.ok_or_else(|| io::Error::other(format!("{text:?} is no device number")))
}
