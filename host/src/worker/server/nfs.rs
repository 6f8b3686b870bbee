//! NFS, as far as it differs from other remote file systems: what mount.nfs would tell the kernel (nfs(5)).

use std::net::IpAddr;

use nix::errno::Errno;

use crate::worker::{MountOption, MountOptions, Remote, mount_flags};

/// Whether mounts of one server share what the kernel knows of it (nfs(5)).
const SHARING: [&str; 2] = ["sharecache", "nosharecache"];

/// The kernel's option string.
pub(super) fn data(options: &MountOptions, remote: &Remote) -> String {
    option_string(options, remote.address, remote.client.as_ref())
}

/// The kernel's option string: the guest's options, then what a mount program adds.
///
/// Mounts of one server share what the kernel knows of its filesystems, the label too: the second one with another label
/// is refused, unless it shares nothing.
fn option_string(options: &MountOptions, server: IpAddr, client: Option<&IpAddr>) -> String {
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

/// What helps; none where nothing of it is NFS's own.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Linux has more errors than we have words"
)]
pub(super) fn advice(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::ENOENT => "the server has no such path; check the share",
        Errno::ESTALE => "the server no longer knows what it exports there; export it anew",
        Errno::EACCES | Errno::EPERM => "the server refuses this node; check its export list",
        Errno::EPROTONOSUPPORT => "the server does not speak this version of NFS",
        Errno::ENODEV => "this kernel has no NFS; load the nfs module",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Access;
    use crate::worker::server_port;

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
            secrets: Vec::new(),
        }
    }

    fn data(remote: &Remote, client: Option<&IpAddr>) -> String {
        let options = MountOptions::of(Access::ReadWrite, &remote.options);
        option_string(&options, remote.address, client)
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
    fn the_port_to_check_follows_version_and_options() {
        let port = |options: &[(&str, Option<&str>)]| {
            server_port("nfs", &remote("x", "10.0.0.1", options).options)
        };
        assert_eq!(port(&[("vers", Some("4.2"))]), Some(2049));
        assert_eq!(port(&[("vers", Some("3"))]), Some(111));
        assert_eq!(port(&[("vers", Some("3")), ("port", Some("9"))]), Some(9));
        assert_eq!(port(&[("proto", Some("udp"))]), None);
    }
}
