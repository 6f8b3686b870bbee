//! A server to which root is nobody, as it is unless told otherwise.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::unistd::{Uid, chown};

use crate::lab::shell;
use crate::provisioner::{Call, Share, id};

/// A share to which root is nobody, on a filesystem of its own.
struct Squashed(Share);

impl Squashed {
    fn export() -> Self {
        crate::lab::node();
        let share = Share {
            name: "/squash".to_owned(),
        };
        shell(&format!(
            "mkdir '{0}'; mount -t tmpfs -o mode=777 tmpfs '{0}'; \
             exportfs -o rw,root_squash,no_subtree_check,insecure,fsid=77 '*:/squash'",
            share.at("").display()
        ));
        Self(share)
    }
}

impl Drop for Squashed {
    fn drop(&mut self) {
        shell(&format!(
            "exportfs -u '*:/squash'; exportfs -f; umount -l '{}'",
            self.0.at("").display()
        ));
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn that_root_is_squashed_by_the_server_is_said() {
    let squashed = Squashed::export();
    let share = &squashed.0;
    let volume = share.create("pvc-1", &[]).succeeds();
    let said_by = |call: Call| {
        let said = call.fails("denied");
        assert!(
            said.contains("root is squashed by the server (no_root_squash)"),
            "{said}"
        );
    };
    let file = share.at("pvc-1/file");
    fs::write(&file, "x").expect("writable");
    chown(&file, Some(Uid::from_raw(999)), None).expect("root");
    let snapshot = Call::new(&["create-snapshot", "--name", "snap", "--source", id(&volume)]);
    let snapshot = snapshot.succeeds();
    said_by(share.create("pvc-2", &["--from-snapshot", id(&snapshot)]));
    said_by(share.create("pvc-3", &["--from-volume", id(&volume)]));
    let closed = share.at("pvc-1/closed");
    fs::create_dir(&closed).expect("writable");
    fs::write(closed.join("file"), "x").expect("writable");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("ours");
    chown(&closed, Some(Uid::from_raw(999)), None).expect("root");
    let cut = ["create-snapshot", "--name", "late", "--source", id(&volume)];
    said_by(Call::new(&cut));
    said_by(Call::new(&["delete-volume", id(&volume)]));
}
