//! Finding the one disk that is wanted.
//!
//! Links in /dev/disk/by-id are tried first, then every disk in /sys/block, because without udev or on
//! kernels before 4.20 the link comes late or never. Where a disk was found does not matter: what it says
//! itself does.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use super::block::{Block, device_name, device_number};
use super::identity::{Identity, is_hidden};
use crate::worker::{Fault, FaultKind, WantedDevice};

pub(super) const BY_ID: &str = "/dev/disk/by-id";

/// Most names a message repeats.
const MAX_NAMES: usize = 12;

/// The wanted disk, open.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) block: Block,
    pub(super) identity: Identity,
    /// Bytes, when it was found; what was expected, where that is known.
    pub(super) size: u64,
}

/// What a look around found.
#[derive(Debug)]
pub(super) enum Looked {
    Found(Disk),
    /// It is here and may not be seen.
    NotGranted(String),
    Missing(Missing),
}

/// What was there instead.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Links that lead to something else, and disks that could not be opened.
    odd: Vec<String>,
}

impl Disk {
    /// For work on it: it has to be here, and to be granted.
    pub(super) fn open(wanted: &WantedDevice) -> Result<Self, Fault> {
        match look(wanted)? {
            Looked::Found(disk) => Ok(disk),
            Looked::NotGranted(name) => Err(Fault::new(
                FaultKind::Denied,
                format!("device {name:?} is not granted (grants.block-devices.devices)"),
            )),
            Looked::Missing(missing) => Err(missing.fault(FaultKind::NotFound, wanted)),
        }
    }

    /// How messages call it: by what it is, and where an operator finds it now.
    pub(super) fn in_words(&self) -> String {
        match self.block.node() {
            Ok(node) => format!("device {:?} (now {})", self.identity.name, node.display()),
            Err(_) => format!("device {:?}", self.identity.name),
        }
    }
}

/// Looks once.
pub(super) fn look(wanted: &WantedDevice) -> Result<Looked, Fault> {
    let mut missing = Missing::default();
    let mut claims: BTreeMap<u64, Disk> = BTreeMap::new();
    for candidate in candidates(wanted) {
        match candidate.open(wanted) {
            Ok(disk) => {
                claims.insert(disk.block.number(), disk);
            }
            Err(reason) => missing.odd.push(reason),
        }
    }
    let (mut granted, others): (Vec<Disk>, Vec<Disk>) = claims
        .into_values()
        .partition(|disk| wanted.may_see(&disk.identity.name));
    if granted.len() > 1 {
        return Err(several(wanted, &granted));
    }
    match (granted.pop(), others.into_iter().next()) {
        (Some(disk), _) => judge(disk, wanted, missing),
        (None, Some(other)) => Ok(Looked::NotGranted(other.identity.name)),
        (None, None) => Ok(Looked::Missing(missing)),
    }
}

/// It is the one; is it fit?
fn judge(mut disk: Disk, wanted: &WantedDevice, mut missing: Missing) -> Result<Looked, Fault> {
    let size = disk.block.size()?;
    if size == 0 {
        // A disk appears before its size does.
        missing
            .odd
            .push(format!("{} has no size yet", disk.in_words()));
        return Ok(Looked::Missing(missing));
    }
    check_size(&disk, size, wanted)?;
    disk.size = size;
    if holds_the_root(&disk.block) {
        return Err(Fault::new(
            FaultKind::Denied,
            format!(
                "{} holds this node's own root filesystem; no guest gets it, whatever is granted",
                disk.in_words()
            ),
        ));
    }
    Ok(Looked::Found(disk))
}

/// The size a backend promised is a second, independent mark of the right disk.
fn check_size(disk: &Disk, size: u64, wanted: &WantedDevice) -> Result<(), Fault> {
    match wanted.size_bytes {
        Some(expected) if expected != size => Err(Fault::new(
            FaultKind::Precondition,
            format!(
                "{} has {size} bytes, and {expected} were expected; it is left alone, because it may be another disk",
                disk.in_words()
            ),
        )),
        _ => Ok(()),
    }
}

fn several(wanted: &WantedDevice, disks: &[Disk]) -> Fault {
    let names: Vec<_> = disks.iter().map(Disk::in_words).collect();
    Fault::new(
        FaultKind::Precondition,
        format!(
            "{} devices claim the serial {:?}: {}; none is touched, detach the wrong one",
            disks.len(),
            wanted.serial,
            names.join(", ")
        ),
    )
}

/// A disk that is worth opening, and why.
enum Candidate {
    Link(PathBuf),
    /// Its directory in /sys/block; its serial fits.
    Sysfs(PathBuf),
}

impl Candidate {
    /// The disk, if it says of itself that it is the wanted one.
    fn open(&self, wanted: &WantedDevice) -> Result<Disk, String> {
        let block = self.open_block()?;
        let sysfs = block.sysfs();
        let identity = (!sysfs.join("partition").exists())
            .then(|| Identity::read(&sysfs))
            .flatten();
        match identity {
            Some(identity) if identity.serial == wanted.serial => Ok(Disk {
                block,
                identity,
                size: 0,
            }),
            Some(identity) => Err(format!(
                "{} leads to a device whose serial is {:?}",
                self.path().display(),
                identity.serial
            )),
            None => Err(format!(
                "{} leads to a device that does not say who it is",
                self.path().display()
            )),
        }
    }

    fn open_block(&self) -> Result<Block, String> {
        let failed = |reason: &dyn std::fmt::Display| {
            format!("{} cannot be opened: {reason}", self.path().display())
        };
        match self {
            Self::Link(link) => Block::open(link).map_err(|errno| failed(&errno.desc())),
            Self::Sysfs(sysfs) => {
                let number = device_number(sysfs).map_err(|error| failed(&error))?;
                let name = device_name(sysfs).ok_or_else(|| failed(&"it has no name"))?;
                Block::open_node(&name, number).map_err(|fault| failed(&fault))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Link(path) | Self::Sysfs(path) => path,
        }
    }
}

fn candidates(wanted: &WantedDevice) -> Vec<Candidate> {
    let links = granted_links(wanted).into_iter().filter(|name| {
        name.strip_suffix(wanted.serial.as_str())
            .is_some_and(|before| before.ends_with(['-', '_']))
    });
    let links = links.map(|name| Candidate::Link(Path::new(BY_ID).join(name)));
    let disks = entries("/sys/block").into_iter().map(|name| {
        let path = Path::new("/sys/block").join(name);
        // The entry is a link; what it leads to may be gone before it is opened.
        fs::canonicalize(&path).unwrap_or(path)
    });
    let disks = disks.filter(|sysfs| {
        !is_hidden(sysfs) && Identity::read(sysfs).is_some_and(|own| own.serial == wanted.serial)
    });
    links.chain(disks.map(Candidate::Sysfs)).collect()
}

/// Names in /dev/disk/by-id that a guest may know of.
fn granted_links(wanted: &WantedDevice) -> Vec<String> {
    let names = entries(BY_ID).into_iter();
    let mut names: Vec<String> = names.filter(|name| wanted.may_see(name)).collect();
    names.sort();
    names
}

fn entries(directory: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| OsStr::to_str(&name).map(str::to_owned))
        .collect()
}

impl Missing {
    /// What was looked for, and what was there instead.
    pub(super) fn fault(&self, kind: FaultKind, wanted: &WantedDevice) -> Fault {
        let granted: Vec<String> = wanted
            .granted
            .iter()
            .map(|pattern| match &pattern.ends {
                Some(ends) => format!("{}*{ends}", pattern.begins),
                None => pattern.begins.clone(),
            })
            .collect();
        let mut message = format!(
            "no device with serial {:?} is here: neither a link by-id that ends in it, of those granted ({}), nor a disk that reports it; granted and here: {}",
            wanted.serial,
            granted.join(", "),
            listed(&granted_links(wanted))
        );
        for odd in self.odd.iter().take(MAX_NAMES) {
            message.push_str("; ");
            message.push_str(odd);
        }
        message.push_str("; check that the disk is attached to this node");
        Fault::new(kind, message)
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names if names.len() > MAX_NAMES => format!(
            "{} and {} more",
            names[..MAX_NAMES].join(", "),
            names.len() - MAX_NAMES
        ),
        names => names.join(", "),
    }
}

/// Whether `/` lies on the disk or on a partition of it. `virtio-*` is granted often, and matches the disk
/// the node started from.
fn holds_the_root(disk: &Block) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(root) = fs::metadata("/") else {
        return true;
    };
    let number = root.dev();
    let sysfs = PathBuf::from(format!(
        "/sys/dev/block/{}:{}",
        major(number),
        minor(number)
    ));
    // A partition's directory lies in its disk's.
    let whole = if sysfs.join("partition").exists() {
        fs::canonicalize(&sysfs)
            .ok()
            .and_then(|path| path.parent().and_then(|parent| device_number(parent).ok()))
    } else {
        Some(number)
    };
    whole == Some(disk.number())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::NamePattern;

    #[test]
    fn the_disk_the_node_started_from_is_recognised() {
        use std::os::unix::fs::MetadataExt;
        let number = fs::metadata("/").expect("a root").dev();
        let sysfs = PathBuf::from(format!(
            "/sys/dev/block/{}:{}",
            major(number),
            minor(number)
        ));
        let Some(name) = device_name(&sysfs) else {
            // The root is an overlay or a network filesystem here, which is no disk.
            return;
        };
        let Ok(block) = Block::open(&Path::new("/dev").join(name)) else {
            return;
        };
        assert!(holds_the_root(&block) || sysfs.join("partition").exists());
    }

    #[test]
    fn a_missing_device_is_described_by_what_was_looked_for() {
        let wanted = WantedDevice {
            serial: "no-such-serial".into(),
            size_bytes: None,
            granted: vec![NamePattern {
                begins: "virtio-".into(),
                ends: Some(String::new()),
            }],
        };
        let Ok(Looked::Missing(missing)) = look(&wanted) else {
            panic!("found what is not there");
        };
        let message = missing.fault(FaultKind::NotFound, &wanted).message;
        assert!(message.contains("\"no-such-serial\""), "{message}");
        assert!(message.contains("of those granted (virtio-*)"), "{message}");
    }
}
