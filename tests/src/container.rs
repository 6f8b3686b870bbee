//! The host as it runs in a pod: as another user, and with no capability but those that its `securityContext` leaves.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};

use crate::{Csi, Node, copy_program, dist};

/// A container's `securityContext`, where no privilege can be regained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityContext {
    /// `runAsUser`
    pub user: u32,
    /// `capabilities.add` after `drop: [ALL]`, as setpriv(1) spells it: `+setuid,+setgid`.
    pub add: &'static str,
}

impl SecurityContext {
    /// What Pod Security `restricted` asks for.
    pub const RESTRICTED: Self = Self {
        user: 65_532,
        add: "",
    };

    /// `drop: [ALL]`, and nothing said of the user.
    pub const POWERLESS_ROOT: Self = Self { user: 0, add: "" };
}

impl Node {
    /// `drivebay ARGUMENTS` in such a container, whose image is everybody's to read.
    pub fn drivebay_in(&self, context: SecurityContext, arguments: &[&str]) -> Command {
        let program = self.path("usr/bin/drivebay");
        if !program.exists() {
            fs::create_dir_all(program.parent().expect("one")).expect("writable");
            copy_program(&dist("drivebay"), &program);
            open(&self.path(""), 0o755);
        }
        let mut command = self.command(Path::new("/usr/bin/setpriv"));
        let user = context.user.to_string();
        let kept = match context.add {
            "" => "-all".to_owned(),
            add => format!("-all,{add}"),
        };
        command
            .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
            .args(["--inh-caps", "-all", "--bounding-set", &kept])
            .arg("--no-new-privs")
            .arg(program)
            .args(arguments);
        command
    }

    /// `drivebay serve` for that driver in such a container, not waited for.
    #[track_caller]
    pub fn begin_to_serve_in(
        &self,
        context: SecurityContext,
        driver: &str,
        arguments: &[&str],
    ) -> Csi {
        let command = self.drivebay_in(context, &["serve", "--driver", driver]);
        self.begin_to_serve_by(command, driver, arguments)
    }

    /// Volumes as kubelet makes them for a pod (emptyDir): root's, and everybody's to write.
    #[track_caller]
    pub fn with_empty_dirs(self, relative: &[&str]) -> Self {
        for directory in relative.iter().map(|relative| self.path(relative)) {
            fs::create_dir_all(&directory).expect("writable");
            let none: Option<&str> = None;
            let options = Some("mode=0777,size=256m");
            mount(none, &directory, Some("tmpfs"), MsFlags::empty(), options).expect("root");
        }
        self
    }

    /// The directory as a read-only mount of itself, as a ConfigMap or an image is in a pod.
    #[track_caller]
    pub fn make_read_only(&self, relative: &str) -> PathBuf {
        let directory = self.path(relative);
        let none: Option<&str> = None;
        mount(Some(&directory), &directory, none, MsFlags::MS_BIND, none).expect("root");
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, &directory, none, flags, none).expect("root");
        directory
    }
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}
