//! What an image holds, and where that comes from.
//!
//! Three layers, so that what changes seldom is fetched seldom: Debian's files, the three binaries, the components.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::archives::Package;
use super::components::{self, SHIPPED};
use super::gathered::Gathered;
use super::libraries;
use super::tree::Tree;
use crate::architecture::Architecture;
use crate::elf::Elf;
use crate::workspace::Workspace;

/// Packages of which an image has anything: one that is missing here, or here in vain, is an error.
pub(super) const PACKAGES: [&str; 17] = [
    // Which system this is, for scanners; the texts of licences.
    "base-files",
    "ca-certificates",
    "e2fsprogs",
    "fdisk",
    "libblkid1",
    "libc6",
    "libcom-err2",
    "libext2fs2",
    "libfdisk1",
    "libinih1",
    "libreadline8",
    "libsmartcols1",
    "libtinfo6",
    "liburcu8",
    "libuuid1",
    "util-linux",
    "xfsprogs",
];

/// Programs, and the packages that have them: all that the host starts (host/src/worker/server/device/tools.rs), and
/// two that its messages send an operator to, who has no shell here and calls them by `kubectl exec`.
const PROGRAMS: [(&str, &str); 12] = [
    ("blkid", "util-linux"),
    ("e2fsck", "e2fsprogs"),
    ("fsck.ext4", "e2fsprogs"),
    ("mkfs.ext2", "e2fsprogs"),
    ("mkfs.ext3", "e2fsprogs"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("partx", "util-linux"),
    ("resize2fs", "e2fsprogs"),
    ("sfdisk", "fdisk"),
    ("xfs_growfs", "xfsprogs"),
    ("xfs_repair", "xfsprogs"),
];

/// What else is taken as Debian has it.
const FILES: [&str; 3] = [
    "etc/debian_version",
    // What mkfs.ext4 makes of a disk where nobody says otherwise.
    "etc/mke2fs.conf",
    "etc/os-release",
];

/// What is written for the image itself. The host asks by getaddrinfo, which without nsswitch.conf asks the name servers
/// first, and would pass over a pod's hostAliases.
const WRITTEN: [(&str, &str); 3] = [
    (
        "etc/group",
        "root:x:0:\nnonroot:x:65532:\nnogroup:x:65534:\n",
    ),
    (
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\n",
    ),
    (
        "etc/passwd",
        "root:x:0:0:root:/:/usr/sbin/nologin\n\
         nonroot:x:65532:65532:nonroot:/nonexistent:/usr/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
];

/// Where volumes of a pod are mounted; a root that is read-only has to have them.
const DIRECTORIES: [(&str, u32); 9] = [
    ("components", 0o755),
    ("dev", 0o755),
    ("etc/drivebay/drivers.d", 0o755),
    ("proc", 0o755),
    ("run/drivebay", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("var/lib/drivebay", 0o755),
    ("var/log/drivebay", 0o755),
];

/// Debian's merged directories, and the table of mounts, in which xfs_growfs looks for its filesystem.
const LINKS: [(&str, &str); 5] = [
    ("bin", "usr/bin"),
    ("etc/mtab", "/proc/mounts"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("sbin", "usr/sbin"),
];

/// The certificates that Debian trusts are files of their own until its package is installed.
const CERTIFICATES: &str = "usr/share/ca-certificates/mozilla";
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

const LICENCES: &str = "usr/share/common-licenses";

/// Where scanners look for the packages of an image that has no package manager.
const STATUS: &str = "var/lib/dpkg/status.d";

pub(super) const BINARIES: [&str; 3] = ["drivebay", "drivebay-provision", "drivebay-shim"];

const COMPONENTS: &str = "usr/share/drivebay/components";

/// All of an image.
pub(super) struct Contents {
    layers: [(&'static str, Tree); 3],
    pub(super) packages: Vec<Package>,
}

impl Contents {
    pub(super) fn gather(
        workspace: &Workspace,
        architecture: Architecture,
        packages: Vec<Package>,
    ) -> Result<Self> {
        let layers = [
            ("tools", tools(&packages, architecture)?),
            ("binaries", binaries(workspace, architecture)?),
            ("components", components(workspace)?),
        ];
        Ok(Self { layers, packages })
    }

    /// From the lowest.
    pub(super) fn layers(&self) -> impl Iterator<Item = (&'static str, &Tree)> {
        self.layers.iter().map(|(name, tree)| (*name, tree))
    }
}

fn tools(packages: &[Package], architecture: Architecture) -> Result<Tree> {
    let mut gathered = Gathered::of(packages);
    let programs = PROGRAMS
        .into_iter()
        .map(|(program, package)| gathered.program(program, package));
    let programs = programs.collect::<Result<Vec<_>>>()?;
    libraries::gather(&mut gathered, programs, architecture)?;
    for path in FILES {
        gathered.copy(path)?;
    }
    gathered.copy_beneath(LICENCES)?;
    let bundle = gathered.concatenated(CERTIFICATES)?;
    gathered.ensure_all_used()?;
    for package in packages {
        gathered.copy(&format!("usr/share/doc/{}/copyright", package.name))?;
    }
    let mut tree = gathered.into_tree();
    tree.file(BUNDLE, 0o644, bundle);
    for (path, text) in WRITTEN {
        tree.file(path, 0o644, text);
    }
    for (path, mode) in DIRECTORIES {
        tree.directory(path, mode);
    }
    for (path, target) in LINKS {
        tree.link(path, target);
    }
    for package in packages {
        let path = format!("{STATUS}/{}", package.name);
        tree.file(&path, 0o644, package.control.as_str());
    }
    Ok(tree)
}

fn binaries(workspace: &Workspace, architecture: Architecture) -> Result<Tree> {
    let mut tree = Tree::default();
    let directory = workspace.binaries_for(architecture);
    for name in BINARIES {
        let content = read(&directory.join(name))?;
        let elf = Elf::read(&content)?.with_context(|| format!("{name} is no program"))?;
        ensure!(
            elf.is_static() && elf.architecture == Some(architecture),
            "{name} in {} is not static, or not for {}; build it anew",
            directory.display(),
            architecture.name()
        );
        tree.file(&format!("usr/bin/{name}"), 0o755, content);
    }
    Ok(tree)
}

fn components(workspace: &Workspace) -> Result<Tree> {
    let mut tree = Tree::default();
    for name in SHIPPED {
        let content = read(&components::built(workspace, name))?;
        tree.file(&format!("{COMPONENTS}/{name}.wasm"), 0o644, content);
    }
    Ok(tree)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path)
        .with_context(|| format!("cannot read {}; run `cargo xtask build`", path.display()))
}
