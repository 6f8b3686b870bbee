//! Remote file systems by mount(2) itself.
//!
//! No mount.nfs: it need not be installed, it leaves no daemon behind that keeps pipes open, and what was
//! checked is what is used. What it does for the kernel is done by us: resolving the name and finding out which
//! address answers, by a worker without privileges; and here, telling the kernel that address (nfs(5): the
//! `addr=` the kernel reads comes from the mount program). From here on only the kernel speaks to the server.

use std::net::IpAddr;
use std::path::Path;

use cap_std::fs::Dir;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::mount::{open_directory, open_target, own_mount_namespace, proc_path};
use super::selinux;
use crate::volume::Access;
use crate::worker::fault::kind_of;
use crate::worker::{Fault, FaultKind, MountOption, MountOptions, Remote, Reply, mount_flags};

/// Whether mounts of one server share what the kernel knows of it (nfs(5)).
const SHARING: [&str; 2] = ["sharecache", "nosharecache"];

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
    if remote.fs_type != "nfs" {
        let message = format!(
            "this host cannot mount {:?} file systems; it knows nfs",
            remote.fs_type
        );
        return Err(Fault::new(FaultKind::Unsupported, message));
    }
    let source = remote.source_text();
    let data = nfs_data(options, remote.address, remote.client.as_ref());
    mount(
        Some(source.as_str()),
        mount_point,
        Some("nfs"),
        flags,
        Some(data.as_str()),
    )
    .map_err(|errno| explain(remote, options, errno))
}

/// The kernel's option string: the guest's options, then what a mount program adds.
///
/// Mounts of one server share what the kernel knows of its filesystems, the label too: the second one with another label
/// is refused, unless it shares nothing.
fn nfs_data(options: &MountOptions, server: IpAddr, client: Option<&IpAddr>) -> String {
    let own = options.own().iter();
    let mut parts: Vec<String> = own.map(|option| option_text(option, server)).collect();
    let mut names = options.own().iter().map(|(name, _)| name.as_str());
    let is_labelled = names.clone().any(mount_flags::takes_label);
    if is_labelled && !names.any(|name| SHARING.contains(&name)) {
        parts.push(SHARING[1].to_owned());
    }
    parts.push(format!("addr={server}"));
    // NFS 4.0 servers call back to this address (RFC 7530 section 10.3); later versions ignore it.
    parts.extend(client.map(|address| format!("clientaddr={address}")));
    parts.join(",")
}

fn option_text(option: &MountOption, address: IpAddr) -> String {
    match (option.0.as_str(), option.1.as_deref()) {
        // The kernel takes "tcp" to mean IPv4 and refuses it beside an IPv6 address.
        (key @ ("proto" | "mountproto"), Some(proto @ ("tcp" | "udp"))) if address.is_ipv6() => {
            format!("{key}={proto}6")
        }
        _ => mount_flags::text(option),
    }
}

fn explain(remote: &Remote, options: &MountOptions, errno: Errno) -> Fault {
    let kind = kind_of(errno);
    let advice = selinux::advice(options, kind).unwrap_or_else(|| usual_advice(errno));
    let message = format!(
        "cannot mount {}: {} ({advice})",
        remote.source_text(),
        errno.desc()
    );
    Fault::new(kind, message)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Linux has more errors than we have words"
)]
fn usual_advice(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOENT => "the server has no such path; check the share",
        Errno::ESTALE => "the server no longer knows what it exports there; export it anew",
        Errno::EACCES | Errno::EPERM => "the server refuses this node; check its export list",
        Errno::EPROTONOSUPPORT => "the server does not speak this version of NFS",
        Errno::ENODEV => "this kernel has no NFS; load the nfs module",
        Errno::EINVAL => "the kernel does not accept these mount options",
        _ => "see the node's kernel log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::nfs_port;

    fn remote(server: &str, address: &str, options: &[(&str, Option<&str>)]) -> Remote {
        Remote {
            fs_type: "nfs".into(),
            server: server.into(),
            address: address.parse().expect("an address"),
            client: None,
            path: "/export/a b".into(),
            options: options
                .iter()
                .map(|(key, value)| ((*key).into(), value.map(Into::into)))
                .collect(),
        }
    }

    fn data(remote: &Remote, client: Option<&IpAddr>) -> String {
        let options = MountOptions::of(Access::ReadWrite, &remote.options);
        nfs_data(&options, remote.address, client)
    }

    #[test]
    fn the_kernel_gets_the_address_that_was_checked() {
        let remote = remote(
            "filer",
            "10.0.0.1",
            &[("vers", Some("4.2")), ("hard", None)],
        );
        let client = "10.0.0.9".parse().expect("an address");
        assert_eq!(
            data(&remote, Some(&client)),
            "vers=4.2,hard,addr=10.0.0.1,clientaddr=10.0.0.9"
        );
        assert_eq!(remote.source_text(), "filer:/export/a b");
    }

    #[test]
    fn what_has_a_label_of_its_own_shares_nothing_unless_it_says_so() {
        let label = Some("\"system_u:object_r:container_file_t:s0:c1,c2\"");
        let text = "context=\"system_u:object_r:container_file_t:s0:c1,c2\"";
        let labelled = remote("filer", "10.0.0.1", &[("context", label)]);
        assert_eq!(
            data(&labelled, None),
            format!("{text},nosharecache,addr=10.0.0.1")
        );
        for said in SHARING {
            let remote = remote("filer", "10.0.0.1", &[("context", label), (said, None)]);
            assert_eq!(data(&remote, None), format!("{text},{said},addr=10.0.0.1"));
        }
    }

    #[test]
    fn ipv6_gets_brackets_in_the_source_and_its_own_protocol_names() {
        let remote = remote("fd00::1", "fd00::1", &[("proto", Some("tcp"))]);
        assert_eq!(remote.source_text(), "[fd00::1]:/export/a b");
        assert_eq!(data(&remote, None), "proto=tcp6,addr=fd00::1");
    }

    #[test]
    fn options_that_are_not_the_filesystems_are_not_told_to_it() {
        let remote = remote(
            "filer",
            "10.0.0.1",
            &[
                ("noatime", None),
                ("nosuid", None),
                ("async", None),
                ("hard", None),
            ],
        );
        assert_eq!(data(&remote, None), "hard,addr=10.0.0.1");
    }

    #[test]
    fn what_only_the_host_sees_runs_nothing_whatever_its_options_say() {
        let wild = ["suid", "dev", "exec"].map(|word| (word, None));
        let remote = remote("filer", "10.0.0.1", &wild);
        let options = MountOptions::of(Access::ReadWrite, &remote.options);
        let nothing = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        assert!(unseen(&options).contains(nothing));
        // Pods' mounts have what their volume says, and no more.
        assert!(!options.flags().intersects(nothing));
    }

    #[test]
    fn the_port_to_check_follows_version_and_options() {
        let port =
            |options: &[(&str, Option<&str>)]| nfs_port(&remote("x", "10.0.0.1", options).options);
        assert_eq!(port(&[("vers", Some("4.2"))]), Some(2049));
        assert_eq!(port(&[("vers", Some("3"))]), Some(111));
        assert_eq!(port(&[("vers", Some("3")), ("port", Some("9"))]), Some(9));
        assert_eq!(port(&[("proto", Some("udp"))]), None);
    }
}
