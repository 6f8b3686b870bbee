//! Servers to which root is nobody.
//!
//! That is what exports(5) does unless told otherwise, and the kernel's word for what follows is the same as for any other
//! refusal. What root may do to files of its own is enough for volumes until they hold those of others.

use cap_std::fs::Dir;
use nix::errno::Errno;
use nix::unistd::{Uid, geteuid};
use rustix::fs::{AtFlags, NFS_SUPER_MAGIC, fstat, fstatfs, unlinkat};

use super::atomic_create::new_file_in;
use crate::worker::{Fault, FaultKind};

/// The fault, with its cause where the server squashes root.
pub(super) fn explained(dir: &Dir, fault: Fault) -> Fault {
    if !(is_of_kernel(&fault) && geteuid() == Uid::from_raw(0) && is_nfs(dir) && squashes(dir)) {
        return fault;
    }
    Fault::new(
        fault.kind,
        format!(
            "{}; root is squashed by the server (no_root_squash): export the share with that option",
            fault.message
        ),
    )
}

/// Our own refusals end in other words.
fn is_of_kernel(fault: &Fault) -> bool {
    let said = |errno: Errno| fault.message.ends_with(errno.desc());
    fault.kind == FaultKind::Denied && (said(Errno::EPERM) || said(Errno::EACCES))
}

fn is_nfs(dir: &Dir) -> bool {
    fstatfs(dir).is_ok_and(|found| found.f_type == NFS_SUPER_MAGIC)
}

/// Whose a new file is there; root may not even make one where it is nobody and the directory its own.
fn squashes(dir: &Dir) -> bool {
    let Ok((name, file)) = new_file_in(dir) else {
        return true;
    };
    let owner = fstat(&file).map(|stat| stat.st_uid);
    // Best effort: nobody sees such names.
    let _ = unlinkat(dir, &name, AtFlags::empty());
    owner.is_ok_and(|owner| owner != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_kernel_refused_on_nfs_is_put_down_to_squashing() {
        let scratch = tempfile::tempdir().expect("a directory");
        let open = std::fs::File::open(scratch.path()).expect("open");
        let dir = Dir::from_std_file(open);
        let refused = Fault::new(FaultKind::Denied, "cannot x: Operation not permitted");
        assert!(is_of_kernel(&refused));
        assert_eq!(explained(&dir, refused.clone()), refused);
        let ours = Fault::new(FaultKind::Denied, "path \"..\" is refused: it leads out");
        assert!(!is_of_kernel(&ours));
    }
}
