//! A pod's directory for a volume, and kubelet's calls for it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use drivebay_tests::Answer;
use nix::mount::{MntFlags, umount2};
use serde_json::{Map, Value};

use crate::lab::{self, NFS, node};

/// Whether kubelet asks for a volume to be written to.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

/// One pod's directory; taken away again also after a failure.
pub(crate) struct Pod {
    driver: &'static str,
    pub(crate) directory: PathBuf,
}

impl Pod {
    /// Of a volume of the driver with the shipped grants.
    pub(crate) fn new(name: &str) -> Self {
        Self::of(NFS, name)
    }

    pub(crate) fn of(driver: &'static str, name: &str) -> Self {
        Self {
            driver,
            directory: node().pod(name),
        }
    }

    #[track_caller]
    pub(crate) fn mount(&self, options: &[(&str, &str)]) -> Answer {
        self.mount_for(Access::ReadWrite, options)
    }

    #[track_caller]
    pub(crate) fn mount_for(&self, access: Access, options: &[(&str, &str)]) -> Answer {
        node().call_driver(
            self.driver,
            &["mount", self.path(), &request(access, options)],
        )
    }

    /// The same, not waited for; in a process group of its own.
    pub(crate) fn start_mount(&self, options: &[(&str, &str)]) -> Child {
        let request = request(Access::ReadWrite, options);
        let mut callout: Command = node().callout(self.driver, &["mount", self.path(), &request]);
        callout.process_group(0).spawn().expect("the shim runs")
    }

    #[track_caller]
    pub(crate) fn unmount(&self) -> Answer {
        node().call_driver(self.driver, &["unmount", self.path()])
    }

    /// A file in the volume, as the pod sees it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The mounts on the pod's directory, the first one lowest.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        Mount::at(&self.directory)
    }

    /// The only mount there.
    #[track_caller]
    pub(crate) fn mounted(&self) -> Mount {
        let mut mounts = self.mounts();
        assert_eq!(mounts.len(), 1, "{mounts:?}");
        mounts.remove(0)
    }

    fn path(&self) -> &str {
        self.directory.to_str().expect("text")
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        for _ in self.mounts() {
            let _ = umount2(&self.directory, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH);
        }
        let _ = fs::remove_dir(&self.directory);
    }
}

/// One line of the kernel's table.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) fs_type: String,
    pub(crate) source: String,
    /// Of the mount and of the filesystem, separated by commas.
    options: String,
}

impl Mount {
    fn at(path: &Path) -> Vec<Self> {
        let table = fs::read_to_string("/proc/self/mountinfo").expect("readable");
        let fields = table
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let here = fields.filter(|fields| Path::new(fields[4]) == path);
        here.map(|fields| {
            let rest = fields
                .iter()
                .position(|field| *field == "-")
                .expect("proc(5)");
            Self {
                fs_type: fields[rest + 1].to_owned(),
                source: fields[rest + 2].replace("\\040", " "),
                options: format!("{},{}", fields[5], fields[rest + 3]),
            }
        })
        .collect()
    }

    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|word| word == option)
    }
}

/// kubelet's own argument for `mount`.
fn request(access: Access, options: &[(&str, &str)]) -> String {
    let readwrite = match access {
        Access::ReadOnly => "ro",
        Access::ReadWrite => "rw",
    };
    let kubelets = [
        ("kubernetes.io/fsType", ""),
        ("kubernetes.io/pod.name", "pod-1"),
        ("kubernetes.io/pod.namespace", "default"),
        (
            "kubernetes.io/pod.uid",
            "fa7da3a4-20d8-455a-a24f-77e5fb1326ba",
        ),
        ("kubernetes.io/pvOrVolumeName", "data"),
        ("kubernetes.io/readwrite", readwrite),
        ("kubernetes.io/serviceAccount.name", "default"),
    ];
    let pairs = kubelets.iter().chain(options);
    let object: Map<String, Value> = pairs
        .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
        .collect();
    Value::Object(object).to_string()
}

/// Mounts a share there as an administrator would.
#[track_caller]
pub(crate) fn mount_by_hand(source: &str, directory: &Path) {
    lab::shell(&format!(
        "mount -t nfs -o vers=4.2 '{source}' '{}'",
        directory.display()
    ));
}

/// What a pod of a test wrote, and the server has.
#[track_caller]
pub(crate) fn expect_shared(pod: &Pod, directory: &str) {
    let name = format!(
        "written by {}",
        pod.directory
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
    );
    fs::write(pod.file(&name), "hello").expect("writable");
    let server = lab::exported(directory).join(name);
    assert_eq!(
        fs::read_to_string(server).expect("the server has it"),
        "hello"
    );
}

/// Neither the kernel nor the journal knows the pod's directory any more.
#[track_caller]
pub(crate) fn expect_nothing_left(pod: &Pod) {
    assert!(pod.mounts().is_empty(), "{:?}", pod.mounts());
    let note = pod.path();
    let noted = node()
        .journal()
        .into_iter()
        .any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(note)));
    assert!(!noted, "the journal still speaks of {note}");
}
