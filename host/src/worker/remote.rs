//! A remote file system, and the server that it is mounted from.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::https::Body;
use super::mount_flags::MountOption;

/// The kernel has two names: `smb3` refuses the first version.
const SMB: [&str; 2] = ["cifs", "smb3"];

const SMB_PORT: u16 = 445;
const NFS_PORT: u16 = 2049;
const RPCBIND_PORT: u16 = 111;

/// A remote file system, resolved and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// The kernel's name: `nfs`, `cifs`.
    pub fs_type: String,
    /// As the user wrote it: name, IPv4 or bare IPv6.
    pub server: String,
    /// What was checked, and reached; nothing else is mounted from.
    pub address: IpAddr,
    /// This node's own address on the way there, where it is known.
    pub client: Option<IpAddr>,
    /// On the server.
    pub path: String,
    /// In order.
    pub options: Vec<MountOption>,
    /// Those whose values nobody may see; none is among the others.
    pub secrets: Vec<SecretOption>,
}

/// A mount option whose value is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretOption {
    /// Of the option.
    pub name: String,
    /// Wiped with the request, here and in the worker.
    pub value: Body,
}

/// A server that something is about to be mounted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// As the user wrote it, for messages.
    pub name: String,
    /// What was checked; nothing else is connected to.
    pub addresses: Vec<IpAddr>,
    /// Where it has to take connections; none where its transport has no such thing, and then the first address
    /// counts as reached.
    pub port: Option<u16>,
}

/// A way to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Which of its addresses.
    pub server: IpAddr,
    /// This node's own address on the way there, where it is known.
    pub client: Option<IpAddr>,
}

impl Remote {
    /// What mountinfo shows.
    pub fn source_text(&self) -> String {
        source_text(&self.fs_type, &self.server, &self.path)
    }
}

/// Whether it is one of the kernel's names for SMB.
pub(super) fn is_smb(fs_type: &str) -> bool {
    SMB.contains(&fs_type)
}

/// What mountinfo shows: `//server/path` for SMB, else `server:/path`, IPv6 in brackets.
pub fn source_text(fs_type: &str, server: &str, path: &str) -> String {
    match (is_smb(fs_type), server.contains(':')) {
        (true, _) => format!("//{server}{path}"),
        (false, true) => format!("[{server}]:{path}"),
        (false, false) => format!("{server}:{path}"),
    }
}

/// Where the server has to take connections, with these mount options, where that is known of the filesystem.
pub fn server_port(fs_type: &str, options: &[MountOption]) -> Option<u16> {
    match fs_type {
        "nfs" => nfs_port(options),
        smb if is_smb(smb) => {
            let port = value_of(options, "port").and_then(|port| port.parse().ok());
            Some(port.unwrap_or(SMB_PORT))
        }
        _ => None,
    }
}

fn value_of<'a>(options: &'a [MountOption], name: &str) -> Option<&'a str> {
    let mut named = options.iter().filter(|(key, _)| key == name);
    named.next().and_then(|(_, value)| value.as_deref())
}

/// Version 3 finds its ports by rpcbind, version 4 has one (RFC 7530 section 3.1). None for UDP, which cannot be asked.
fn nfs_port(options: &[MountOption]) -> Option<u16> {
    let value = |name: &str| value_of(options, name);
    if value("proto").is_some_and(|proto| proto.starts_with("udp"))
        || options.iter().any(|(key, _)| key == "udp")
    {
        return None;
    }
    let port = value("port").and_then(|port| port.parse().ok());
    let version_3 = value("vers")
        .or_else(|| value("nfsvers"))
        .is_some_and(|version| version.starts_with('3'));
    Some(match (port, version_3) {
        (Some(port), _) => port,
        (None, true) => RPCBIND_PORT,
        (None, false) => NFS_PORT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_written_as_its_filesystem_writes_it() {
        assert_eq!(source_text("nfs", "filer", "/a"), "filer:/a");
        assert_eq!(source_text("nfs", "fd00::1", "/a"), "[fd00::1]:/a");
        for smb in SMB {
            assert_eq!(source_text(smb, "filer", "/share/a"), "//filer/share/a");
        }
    }

    #[test]
    fn smb_is_reached_at_its_port_or_the_one_that_is_named() {
        let port = [("port".to_owned(), Some("4450".to_owned()))];
        assert_eq!(server_port("cifs", &[]), Some(445));
        assert_eq!(server_port("smb3", &port), Some(4450));
        assert_eq!(server_port("ceph", &port), None);
    }

    #[test]
    fn a_secret_option_does_not_show_its_value() {
        let option = SecretOption {
            name: "password".into(),
            value: Body::new(b"hunter2".to_vec()),
        };
        assert!(!format!("{option:?}").contains("hunter2"));
        assert!(
            !serde_json::to_string(&option)
                .expect("text")
                .contains("hunter2")
        );
    }
}
