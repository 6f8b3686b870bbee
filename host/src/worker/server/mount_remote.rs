//! Remote file systems by mount(2) itself.
//!
//! No mount program: it need not be installed, it leaves no daemon behind that keeps pipes open, and what was
//! checked is what is used. What it does for the kernel is done by us: resolving the name and finding out which
//! address answers, by a worker without privileges; and here, telling the kernel that address. From here on only the
//! kernel speaks to the server. What differs from one file system to the next is in a file of its own.

use std::path::Path;

use cap_std::fs::Dir;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use zeroize::Zeroizing;

use super::target::{open_directory, open_target, own_mount_namespace, proc_path};
use super::{cifs, nfs, selinux};
use crate::volume::Access;
use crate::worker::errno::kind_of;
use crate::worker::remote::is_smb;
use crate::worker::{Fault, FaultKind, MountOptions, Remote, Reply, mount_flags};

/// The kernel takes a page, and cuts what is longer.
const MAX_DATA: usize = 4095;

/// Mounts it on the target.
pub(super) fn mount_remote(target: &Path, remote: &Remote, access: Access) -> Result<Reply, Fault> {
    let onto = open_target(target)?;
    let options = MountOptions::of(access, &remote.options);
    mount_on(&proc_path(&onto), remote, &options, options.flags())?;
    Ok(Reply::Done)
}

/// Mounts it in this worker's own namespace and keeps nothing but the open root.
pub(super) fn open_unseen(remote: &Remote) -> Result<Dir, Fault> {
    own_mount_namespace()?;
    // Any directory will do: this namespace is ours, and the mount point is given back at once.
    let mount_point = Path::new("/proc");
    let options = MountOptions::of(Access::ReadWrite, &remote.options);
    mount_on(mount_point, remote, &options, unseen(&options))?;
    let root = open_directory(mount_point);
    // The open descriptor keeps the detached mount alive until it is closed.
    let _ = umount2(mount_point, MntFlags::MNT_DETACH);
    root.map(Dir::from_std_file)
}

/// Nothing of a mount that the host alone works on is ever run, or opened as a device. Copying and packing what would be
/// takes none of that away.
fn unseen(options: &MountOptions) -> MsFlags {
    options.flags() | mount_flags::NOTHING_RUNS
}

fn mount_on(
    mount_point: &Path,
    remote: &Remote,
    options: &MountOptions,
    flags: MsFlags,
) -> Result<(), Fault> {
    let data = data(options, remote)?;
    if data.len() > MAX_DATA {
        let message = format!(
            "cannot mount {}: its mount options are longer than the kernel takes",
            remote.source_text()
        );
        return Err(Fault::new(FaultKind::Invalid, message));
    }
    let source = remote.source_text();
    mount(
        Some(source.as_str()),
        mount_point,
        Some(remote.fs_type.as_str()),
        flags,
        Some(data.as_slice()),
    )
    .map_err(|errno| explain(remote, options, errno))
}

/// The kernel's option string.
fn data(options: &MountOptions, remote: &Remote) -> Result<Zeroizing<Vec<u8>>, Fault> {
    match remote.fs_type.as_str() {
        "nfs" if remote.secrets.is_empty() => {
            Ok(Zeroizing::new(nfs::data(options, remote).into_bytes()))
        }
        "nfs" => Err(Fault::new(
            FaultKind::Unsupported,
            "nfs has no mount option that takes a secret",
        )),
        smb if is_smb(smb) => Ok(cifs::data(options, remote)),
        other => {
            let message = format!(
                "this host cannot mount {other:?} file systems; it knows nfs, cifs and smb3"
            );
            Err(Fault::new(FaultKind::Unsupported, message))
        }
    }
}

fn explain(remote: &Remote, options: &MountOptions, errno: Errno) -> Fault {
    let kind = kind_of(errno);
    let own = || match is_smb(&remote.fs_type) {
        true => cifs::advice(errno),
        false => nfs::advice(errno),
    };
    let advice = selinux::advice(options, kind).or_else(own);
    let advice = advice.unwrap_or(match errno == Errno::EINVAL {
        true => "the kernel does not accept these mount options",
        false => "see the node's kernel log",
    });
    let message = format!(
        "cannot mount {}: {} ({advice})",
        remote.source_text(),
        errno.desc()
    );
    Fault::new(kind, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::{Body, SecretOption};

    fn remote(fs_type: &str, options: &[&str]) -> Remote {
        Remote {
            fs_type: fs_type.into(),
            server: "filer".into(),
            address: "10.0.0.1".parse().expect("an address"),
            client: None,
            path: "/a".into(),
            options: options.iter().map(|word| ((*word).into(), None)).collect(),
            secrets: vec![SecretOption {
                name: "password".into(),
                value: Body::new(b"hunter2".to_vec()),
            }],
        }
    }

    fn refused(remote: &Remote) -> Fault {
        let options = MountOptions::of(Access::ReadWrite, &remote.options);
        data(&options, remote).expect_err("refused")
    }

    #[test]
    fn what_only_the_host_sees_runs_nothing_whatever_its_options_say() {
        let remote = remote("nfs", &["suid", "dev", "exec"]);
        let options = MountOptions::of(Access::ReadWrite, &remote.options);
        let nothing = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        assert!(unseen(&options).contains(nothing));
        // Pods' mounts have what their volume says, and no more.
        assert!(!options.flags().intersects(nothing));
    }

    #[test]
    fn a_filesystem_that_takes_no_secret_or_is_not_known_is_named_and_the_secret_is_not() {
        for (fs_type, said) in [
            ("nfs", "nfs has no mount option that takes a secret"),
            (
                "ext9",
                "this host cannot mount \"ext9\" file systems; it knows nfs, cifs and smb3",
            ),
        ] {
            let fault = refused(&remote(fs_type, &[]));
            assert_eq!(
                (fault.kind, fault.message.as_str()),
                (FaultKind::Unsupported, said)
            );
        }
    }

    #[test]
    fn an_error_of_the_kernel_tells_the_share_and_no_option() {
        let remote = remote("cifs", &["seal"]);
        let options = MountOptions::of(Access::ReadWrite, &remote.options);
        let fault = explain(&remote, &options, Errno::EACCES);
        assert_eq!(fault.kind, FaultKind::Denied);
        assert_eq!(
            fault.message,
            "cannot mount //filer/a: Permission denied (the server refuses the user, the password or this user's access to the share)"
        );
    }
}
