//! Where things lie on this machine.

use std::io;
use std::path::{Path, PathBuf};

use crate::sys;
use crate::volume::DriverName;

/// The four roots. Each has an environment variable, so that several hosts, and tests, run beside each
/// other; kubelet hands its environment down to the shim.
#[derive(Debug, Clone)]
pub struct Paths {
    /// `DRIVEBAY_CONFIG_DIR`, `/etc/drivebay`: the operator's files.
    pub config: PathBuf,
    /// `DRIVEBAY_STATE_DIR`, `/var/lib/drivebay`: components, compiled code, journal. Root only.
    pub state: PathBuf,
    /// `DRIVEBAY_RUN_DIR`, `/run/drivebay`: locks and staging; gone after a reboot, as they should be.
    pub run: PathBuf,
    /// `DRIVEBAY_LOG_DIR`, `/var/log/drivebay`: what FlexVolume mode logs.
    pub log: PathBuf,
}

impl Paths {
    /// From the environment, else the defaults.
    pub fn from_environment() -> Self {
        let root = |variable: &str, default: &str| {
            std::env::var_os(variable)
                .filter(|value| !value.is_empty())
                .map_or_else(|| default.into(), PathBuf::from)
        };
        Self {
            config: root("DRIVEBAY_CONFIG_DIR", "/etc/drivebay"),
            state: root("DRIVEBAY_STATE_DIR", "/var/lib/drivebay"),
            run: root("DRIVEBAY_RUN_DIR", "/run/drivebay"),
            log: root("DRIVEBAY_LOG_DIR", "/var/log/drivebay"),
        }
    }

    /// Sees to it that nobody else may write in the roots of what the host itself keeps, as [`sys::close_directory`]
    /// does: one that kubelet made for a pod (emptyDir) is everybody's to write. Where they are missing they are made
    /// closed.
    pub fn close_roots(&self) -> io::Result<()> {
        sys::close_directory(&self.state)?;
        sys::close_directory(&self.run)
    }

    /// The same as environment variables, for a child that has to agree.
    pub fn to_environment(&self) -> [(&'static str, &Path); 4] {
        [
            ("DRIVEBAY_CONFIG_DIR", &self.config),
            ("DRIVEBAY_STATE_DIR", &self.state),
            ("DRIVEBAY_RUN_DIR", &self.run),
            ("DRIVEBAY_LOG_DIR", &self.log),
        ]
    }

    /// One grants file for each driver.
    pub fn drivers(&self) -> PathBuf {
        self.config.join("drivers.d")
    }

    /// That driver's.
    pub fn driver_file(&self, driver: &DriverName) -> PathBuf {
        self.drivers().join(format!("{driver}.toml"))
    }

    /// Components by name, and by digest beneath `sha256/`.
    pub fn components(&self) -> PathBuf {
        self.state.join("components")
    }

    /// Where versions are kept by their digests: in the store, and beside it where the store is read-only, as an image's is.
    /// Each is looked for in this order.
    pub fn retained(&self) -> [PathBuf; 2] {
        [
            self.components().join("sha256"),
            self.state.join("retained"),
        ]
    }

    /// Native code we made, with its manifests.
    pub fn compiled(&self) -> PathBuf {
        self.state.join("compiled")
    }

    /// Which version of its component serves each driver, and which did and do not: one file a driver.
    pub fn versions(&self) -> PathBuf {
        self.state.join("versions")
    }

    /// What was mounted and attached, and what undoes it.
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal")
    }

    /// What was detached lately, for callers that ask once more.
    pub fn detached(&self) -> PathBuf {
        self.state.join("detached")
    }

    /// Notes and results of bulk work.
    pub fn jobs(&self) -> PathBuf {
        self.state.join("jobs")
    }

    /// Directories beneath `state` and `run` in which the host keeps what it has to rely on for that driver, the outer
    /// ones first. Some may be missing. That of compiled code is not among them: it is looked at whenever code is
    /// loaded.
    pub fn trusted(&self, driver: &DriverName) -> Vec<PathBuf> {
        let name = &driver.0;
        let journal = self.journal().join(name);
        let [in_store, beside_store] = self.retained();
        vec![
            self.state.join("bin"),
            self.components(),
            in_store,
            beside_store,
            self.versions(),
            self.journal(),
            journal.clone(),
            journal.join("paths"),
            journal.join("unfinished"),
            self.detached(),
            self.detached().join(name),
            self.jobs(),
            self.jobs().join(name),
            self.progress(),
            self.calls(),
            self.calls().join(name),
            self.locks(),
            self.locks().join(name),
            self.staging(),
            self.staging().join(name),
        ]
    }

    /// `drivebay` itself, where the shim finds it to ask for a compile.
    pub fn compiler(&self) -> PathBuf {
        self.state.join("bin/drivebay")
    }

    /// One lock file for each volume in use.
    pub fn locks(&self) -> PathBuf {
        self.run.join("locks")
    }

    /// Locked while components are put into the store, or removed from it.
    pub fn store_lock(&self) -> PathBuf {
        self.run.join("store.lock")
    }

    /// How far new versions have come; gone after a reboot, when they are looked at anew.
    pub fn progress(&self) -> PathBuf {
        self.run.join("versions")
    }

    /// How the last calls of each version of each driver ended, counted over all processes.
    pub fn calls(&self) -> PathBuf {
        self.run.join("calls")
    }

    /// Locked by the process that watches for new versions on this node, if any does.
    pub fn watcher(&self) -> PathBuf {
        self.run.join("watch.lock")
    }

    /// The node's file of locks for processes that are counted, and for bulk work.
    pub fn slots(&self) -> PathBuf {
        self.run.join("slots")
    }

    /// One socket for each process that serves, for `drivebay status`.
    pub fn serving(&self) -> PathBuf {
        self.run.join("serve")
    }

    /// Where volumes are mounted for the node when no caller names a path; gone after a reboot, as the
    /// mounts are.
    pub fn staging(&self) -> PathBuf {
        self.run.join("staging")
    }
}

#[cfg(test)]
impl Paths {
    /// The four roots beneath a directory of a test.
    pub(crate) fn beneath(root: &Path) -> Self {
        Self {
            config: root.join("config"),
            state: root.join("state"),
            run: root.join("run"),
            log: root.join("log"),
        }
    }
}

/// A name that can stand in a path: what Kubernetes accepts in a driver's name, and no leading dot.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn roots_that_everybody_may_write_are_closed_and_missing_ones_are_none_of_theirs() {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::beneath(root.path());
        paths.close_roots().expect("missing");
        for open in [&paths.state, &paths.run] {
            fs::create_dir(open).expect("made");
            fs::set_permissions(open, Permissions::from_mode(0o777)).expect("ours");
        }
        sys::create_root_only_directory(&paths.compiled()).expect_err("everybody's");
        paths.close_roots().expect("ours");
        for beneath in [paths.compiled(), paths.serving()] {
            sys::create_root_only_directory(&beneath).expect("closed");
        }
    }
}
