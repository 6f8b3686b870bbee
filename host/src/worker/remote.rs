//! A remote file system, and the server that it is mounted from.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::mount_flags::MountOption;

const NFS_PORT: u16 = 2049;
const RPCBIND_PORT: u16 = 111;

/// A remote file system, resolved and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// The kernel's name: `nfs`.
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
    /// `server:/path`, IPv6 in brackets: what mountinfo shows.
    pub fn source_text(&self) -> String {
        source_text(&self.server, &self.path)
    }
}

/// `server:/path`, IPv6 in brackets: what mountinfo shows.
pub fn source_text(server: &str, path: &str) -> String {
    if server.contains(':') {
        format!("[{server}]:{path}")
    } else {
        format!("{server}:{path}")
    }
}

/// Where a server of NFS takes connections, with these mount options. Version 3 finds its ports by rpcbind,
/// version 4 has one (RFC 7530 section 3.1). None for UDP, which cannot be asked.
pub fn nfs_port(options: &[MountOption]) -> Option<u16> {
    let value = |name: &str| {
        options
            .iter()
            .find(|(key, _)| key == name)
            .and_then(|(_, value)| value.as_deref())
    };
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
