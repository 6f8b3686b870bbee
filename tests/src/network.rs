//! Workers of the host that speak to the network, seen from outside.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::unistd::Pid;

use crate::Node;

/// Whom the kernel and everybody else call nobody.
pub const NOBODY: u32 = 65_534;

impl Node {
    /// Those that run a program of this node's own: its copy of `drivebay`, or its shim.
    pub fn network_workers(&self) -> Vec<Pid> {
        let root = self.path("");
        let entries = fs::read_dir("/proc").expect("mounted").flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let ours = |id: &i32| {
            fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe.starts_with(&root))
                && fs::read(format!("/proc/{id}/cmdline"))
                    .is_ok_and(|line| line.starts_with(b"drivebay-worker\0network\0"))
        };
        ids.filter(ours).map(Pid::from_raw).collect()
    }
}

/// That a process has no privilege, cannot get any, and gives nothing away.
#[track_caller]
pub fn is_nobody(process: Pid) {
    let path = |file: &str| format!("/proc/{process}/{file}");
    let status = fs::read_to_string(path("status")).expect("it runs");
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let words = line.unwrap_or("missing").split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    };
    for key in ["Uid:", "Gid:"] {
        assert_eq!(value(key), "65534 65534 65534 65534", "{status}");
    }
    assert_eq!(value("Groups:"), "", "{status}");
    for key in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(value(key), "0000000000000000", "{status}");
    }
    assert_eq!(value("NoNewPrivs:"), "1", "{status}");
    assert_eq!(fs::read(path("environ")).expect("it runs"), b"");
    let link = |file: &str| fs::read_link(path(file)).expect("it runs");
    assert_eq!(link("cwd").to_string_lossy(), "/");
    assert_eq!(link("fd/2").to_string_lossy(), "/dev/null");
    // A process owns its files here; those of one that nobody may look into, nor dump, are root's.
    assert_eq!(fs::metadata(path("environ")).expect("it runs").uid(), 0);
}

/// Whose the sockets are that have that remote port and are in that state, from a table of the kernel's: `tcp` or `udp`,
/// of the network that this thread is in.
pub fn owners(table: &str, is_meant: impl Fn(&Socket) -> bool) -> Vec<u32> {
    let table = fs::read_to_string(format!("/proc/thread-self/net/{table}")).expect("mounted");
    let sockets = table.lines().filter_map(Socket::parse);
    sockets
        .filter(is_meant)
        .map(|socket| socket.owner)
        .collect()
}

/// One socket of this machine.
#[derive(Debug)]
pub struct Socket {
    /// Its own port.
    pub local: u16,
    /// The other side's.
    pub remote: u16,
    /// The kernel's number of it.
    pub state: u8,
    owner: u32,
}

/// A socket that has asked for a connection and got no answer yet (TCP_SYN_SENT).
pub const CONNECTING: u8 = 2;

impl Socket {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let port = |at: usize| {
            let (_, port) = words.get(at)?.split_once(':')?;
            u16::from_str_radix(port, 16).ok()
        };
        Some(Self {
            local: port(1)?,
            remote: port(2)?,
            state: u8::from_str_radix(words.get(3)?, 16).ok()?,
            owner: words.get(7)?.parse().ok()?,
        })
    }
}
