//! What helps where the kernel does not take the label that a mount was to have.
//!
//! A kernel without SELinux, or whose SELinux has no policy yet, answers EINVAL as it does to any word that it does not
//! know. Kubernetes sends labels to drivers whose CSIDriver says `seLinuxMount`, and there only to nodes with SELinux.

use std::path::Path;

use crate::worker::mount_flags::takes_label;
use crate::worker::{FaultKind, MountOptions};

/// There as long as SELinux runs, with a policy or without.
const STATUS: &str = "/sys/fs/selinux/status";

/// There once a policy has been loaded: every policy has this class.
const POLICY: &str = "/sys/fs/selinux/class/process";

/// What to add to the error of a mount with a label.
pub(super) fn advice(options: &MountOptions, refused: FaultKind) -> Option<&'static str> {
    let is_labelled = options.own().iter().any(|(name, _)| takes_label(name));
    let is_about_options = matches!(refused, FaultKind::Invalid | FaultKind::Busy);
    (is_labelled && is_about_options).then(|| told(Path::new(STATUS), Path::new(POLICY)))
}

fn told(status: &Path, policy: &Path) -> &'static str {
    match (status.exists(), policy.exists()) {
        (false, _) => {
            "this node has no SELinux that could take the context= among the mount options; leave it out, or enable SELinux"
        }
        (true, false) => {
            "SELinux on this node has loaded no policy, and takes no context= before it has"
        }
        (true, true) => {
            "SELinux's policy on this node may not know the label of context=, or what is mounted already has another one"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Access;

    fn options(list: &str) -> MountOptions {
        MountOptions::written(Access::ReadWrite, &[list.to_owned()])
    }

    #[test]
    fn only_a_label_that_the_kernel_did_not_take_is_spoken_of() {
        let labelled = options("context=\"system_u:object_r:t:s0:c1,c2\"");
        assert!(advice(&labelled, FaultKind::Invalid).is_some());
        assert_eq!(advice(&labelled, FaultKind::NotFound), None);
        assert_eq!(advice(&options("noatime"), FaultKind::Invalid), None);
    }

    #[test]
    fn without_selinux_without_a_policy_and_with_one_are_told_apart() {
        let (here, nowhere) = (Path::new("/"), Path::new("/nonexistent"));
        assert!(told(nowhere, nowhere).contains("no SELinux"));
        assert!(told(here, nowhere).contains("no policy"));
        assert!(told(here, here).contains("may not know the label"));
    }
}
