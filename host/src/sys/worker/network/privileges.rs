//! Giving up everything but sockets.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

/// The kernel's and everybody's `nobody`.
const NOBODY: u32 = 65_534;

/// Pipes, a file of certificates, and a few connections.
const MAX_FILES: u64 = 64;

/// From here on this process is nobody: no files of root's, no capabilities, no way back. It reads what
/// everyone may read, and speaks to the network.
///
/// # Errors
/// From the kernel; this process must then do nothing more.
pub(super) fn give_up() -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_NOFILE, MAX_FILES, MAX_FILES)?;
    // What it writes are pipes and sockets. A core file would hold keys.
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    if geteuid().is_root() {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setgroups(&[])?;
        setresgid(group, group, group)?;
        // The kernel takes the capabilities away with it (capabilities(7)).
        setresuid(user, user, user)?;
    }
    prctl::set_no_new_privs()?;
    // Whoever else is nobody on this node cannot look into this process.
    prctl::set_dumpable(false)
}
