//! The VM's parts: Debian's stock kernel and the packages its tests need, unpacked, never installed.
//!
//! Unpacking keeps NFS daemons and a kernel off the developer's machine. The directory lies in front of the
//! machine's own root inside the VM, so what the machine already has is not downloaded again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::packages;
use crate::process::{self, Echo, command};
use crate::workspace::Workspace;

/// The package that depends on the current kernel's versioned one.
const KERNEL: &str = "linux-image-amd64";

/// What tests call in the VM, and BusyBox for its first steps.
const PACKAGES: [&str; 10] = [
    "busybox-static",
    "e2fsprogs",
    "kmod",
    "nfs-common",
    "nfs-kernel-server",
    "rpcbind",
    "samba",
    "secilc",
    "udev",
    "xfsprogs",
];

/// Unpacked parts, ready to boot.
pub(crate) struct Image {
    root: PathBuf,
    release: String,
}

impl Image {
    /// The parts unpacked earlier, if they are complete.
    pub(crate) fn find(workspace: &Workspace) -> Option<Self> {
        let root = workspace.vm().join("root");
        let kernels = fs::read_dir(root.join("usr/lib/modules")).ok()?;
        let release = kernels.flatten().next()?.file_name().into_string().ok()?;
        let image = Self { root, release };
        // What an earlier state of this tree unpacked has no compiler of policies, or no server of SMB.
        let is_whole = ["usr/bin/secilc", "usr/sbin/smbd"]
            .iter()
            .all(|program| image.either(program).exists());
        is_whole.then_some(image)
    }

    /// Downloads and unpacks the parts; nobody sees a half of them.
    pub(crate) fn unpack(workspace: &Workspace) -> Result<()> {
        ensure!(
            cfg!(target_arch = "x86_64"),
            "the VM's parts are those of x86-64; this machine is another"
        );
        let (archives, partial) = (
            workspace.vm().join("archives"),
            workspace.vm().join("root.partial"),
        );
        let _ = fs::remove_dir_all(&partial);
        packages::download(&PACKAGES, &archives)?;
        packages::download_alone(&packages::dependency(KERNEL)?, &archives)?;
        lay_out(&partial)?;
        for archive in fs::read_dir(&archives)? {
            unpack_archive(&archive?.path(), &partial)?;
        }
        let partial_image = Self {
            release: only_name(&partial.join("usr/lib/modules"))?,
            root: partial,
        };
        partial_image.index_modules()?;
        fs::remove_dir_all(&archives)?;
        fs::rename(&partial_image.root, workspace.vm().join("root"))
            .context("cannot put the VM's parts in place")
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn kernel(&self) -> PathBuf {
        self.root.join(format!("boot/vmlinuz-{}", self.release))
    }

    pub(super) fn modules(&self) -> PathBuf {
        self.root.join("usr/lib/modules").join(&self.release)
    }

    /// BusyBox as unpacked, or as this machine has it, in which case there was nothing to unpack.
    pub(super) fn busybox(&self) -> PathBuf {
        self.either("usr/bin/busybox")
    }

    /// The package leaves this to its installation. kmod goes by the name it is called by.
    fn index_modules(&self) -> Result<()> {
        let mut kmod = command(self.either("usr/bin/kmod"));
        std::os::unix::process::CommandExt::arg0(&mut kmod, "depmod");
        process::run(
            kmod.arg("-b").arg(&self.root).arg(&self.release),
            Echo::Silent,
        )
        .map(drop)
    }

    fn either(&self, path: &str) -> PathBuf {
        let unpacked = self.root.join(path);
        if unpacked.exists() {
            unpacked
        } else {
            Path::new("/").join(path)
        }
    }
}

/// Debian 12 has /bin, /sbin and /lib merged into /usr, but its packages still name the old places.
fn lay_out(root: &Path) -> Result<()> {
    for directory in ["bin", "sbin", "lib"] {
        fs::create_dir_all(root.join("usr").join(directory))?;
        std::os::unix::fs::symlink(Path::new("usr").join(directory), root.join(directory))?;
    }
    Ok(())
}

/// `dpkg -x` would put a directory in a symlink's place, hiding the machine's own libraries in the VM.
fn unpack_archive(archive: &Path, root: &Path) -> Result<()> {
    let pipeline = r#"dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2""#;
    let mut shell = command("bash");
    shell
        .args(["-o", "pipefail", "-c", pipeline, "bash"])
        .arg(archive)
        .arg(root);
    process::run(&mut shell, Echo::Silent).map(drop)
}

fn only_name(directory: &Path) -> Result<String> {
    let entry = fs::read_dir(directory)?
        .next()
        .context("the kernel's package brought no modules")??;
    entry
        .file_name()
        .into_string()
        .ok()
        .context("the kernel's release is not text")
}
