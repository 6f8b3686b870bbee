//! Giving up everything but sockets.

use std::fs;
use std::io;

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

/// The kernel's and everybody's `nobody`.
const NOBODY: u32 = 65_534;

/// Pipes, a file of certificates, and a few connections.
const MAX_FILES: u64 = 64;

/// From here on this process is nobody: no files of root's, no capabilities, no way back. It reads what
/// everyone may read, and speaks to the network. It keeps the node's view of files: a resolver reads
/// /etc/nsswitch.conf, /etc/hosts, /etc/resolv.conf and whatever they name, and a view of its own would take a
/// copy of every mount of the node.
///
/// # Errors
/// From the kernel; this process must then do nothing more.
pub(super) fn give_up() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_NOFILE, MAX_FILES, MAX_FILES)?;
    // What it writes are pipes and sockets.
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    if geteuid().is_root() {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setgroups(&[])?;
        setresgid(group, group, group)?;
        // The kernel takes the capabilities away with it (capabilities(7)), unless it was told not to.
        setresuid(user, user, user)?;
    }
    prctl::set_no_new_privs()?;
    // Whoever else is nobody on this node cannot look into this process.
    prctl::set_dumpable(false)?;
    match is_powerless(&fs::read_to_string("/proc/self/status")?) {
        true => Ok(()),
        false => Err(io::Error::other("the kernel left some of them")),
    }
}

/// What the kernel says of a process that is not root, and cannot do what only root can.
fn is_powerless(status: &str) -> bool {
    let words = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.map(|line| line.split_whitespace().collect::<Vec<_>>())
    };
    let all = |key: &str, is_so: &dyn Fn(&str) -> bool| {
        words(key).is_some_and(|words| !words.is_empty() && words.iter().all(|word| is_so(word)))
    };
    let none = |set: &str| set.bytes().all(|digit| digit == b'0');
    all("Uid:", &|id| id != "0")
        && ["CapPrm:", "CapEff:", "CapAmb:"]
            .iter()
            .all(|set| all(set, &none))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_whoever_has_a_capability_is_not_powerless() {
        let status = |user: &str, capabilities: &str| {
            format!(
                "Name:\tx\nUid:\t{user}\nCapInh:\t0000000000000400\nCapPrm:\t{capabilities}\n\
                 CapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n"
            )
        };
        let (nobody, none) = ("65534\t65534\t65534\t65534", "0000000000000000");
        assert!(is_powerless(&status(nobody, none)));
        assert!(!is_powerless(&status("65534\t65534\t0\t65534", none)));
        assert!(!is_powerless(&status(nobody, "0000000000000400")));
        assert!(!is_powerless(""));
    }
}
