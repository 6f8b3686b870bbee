//! A node whose driver comes from a mounted ConfigMap, watched by `drivebay serve` or by `drivebay install --watch`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use drivebay_tests::{ConfigMap, Csi, Node, WatGuest, copy_program, digest, guest, text};
use serde_json::Value;

use crate::backend::{NAME, attaching, backend};

/// Where kubelet finds the shim.
pub(crate) const SHIM: &str = "drivebay~swap/swap";

/// The file's name in a source.
pub(crate) const FILE: &str = "swap.wasm";

/// Who watches the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watcher {
    Serve,
    Install,
}

/// What a volume of the backend needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mounted,
    Attached,
}

impl Kind {
    /// The backend of that kind in that version.
    pub(crate) fn version(self, version: &str) -> WatGuest {
        match self {
            Self::Mounted => backend(version),
            Self::Attached => attaching(version),
        }
    }
}

/// One test for both, at once: it is told who watches.
#[track_caller]
pub(crate) fn for_both(test: impl Fn(Watcher) + Sync) {
    thread::scope(|scope| {
        for watcher in [Watcher::Serve, Watcher::Install] {
            let test = &test;
            scope.spawn(move || test(watcher));
        }
    });
}

/// The node, its source and its watcher.
#[derive(Debug)]
pub(crate) struct Site {
    process: Process,
    pub(crate) source: ConfigMap,
    pub(crate) node: Node,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
enum Process {
    Serve(Box<Csi>),
    Install(Mutex<Child>),
}

/// The driver's file, with something besides at its end.
pub(crate) fn grants(node: &Node, more: &str) -> String {
    let pool = text(&node.path("pool")).to_owned();
    format!(
        "component = \"{NAME}\"\nflexvolume = \"drivebay/{NAME}\"\ncsi-name = \"{NAME}.drivebay.dev\"\n\
         [grants.mounts]\ndirectories = {{ pool = \"{pool}\" }}\n[grants.files]\naccess = \"read-write\"\n{more}"
    )
}

impl Site {
    /// Version 1.0.0 serves, from the source.
    #[track_caller]
    pub(crate) fn new(watcher: Watcher) -> Self {
        Self::granted(watcher, "")
    }

    /// The same with more in the driver's file.
    #[track_caller]
    pub(crate) fn granted(watcher: Watcher, more: &str) -> Self {
        Self::of(watcher, Kind::Mounted, more)
    }

    /// The same of that kind.
    #[track_caller]
    pub(crate) fn of(watcher: Watcher, kind: Kind, more: &str) -> Self {
        let (node, source) = prepared(more);
        source.write(&[(FILE, &kind.version("1.0.0").component())]);
        let site = Self::watched(watcher, kind, node, source, &[]);
        site.serves("1.0.0");
        site
    }

    /// A node as [`prepared`] left it, with a watcher that has these arguments besides.
    #[track_caller]
    pub(crate) fn watched(
        watcher: Watcher,
        kind: Kind,
        node: Node,
        source: ConfigMap,
        arguments: &[&str],
    ) -> Self {
        let from = ["--components-from", text(source.directory())];
        let arguments = [&from[..], arguments].concat();
        let process = match watcher {
            Watcher::Serve => Process::Serve(Box::new(node.begin_to_serve(NAME, &arguments))),
            Watcher::Install => Process::Install(Mutex::new(watch(&node, &arguments))),
        };
        Self {
            process,
            source,
            node,
            kind,
        }
    }

    /// CSI's caller, where `serve` is the watcher.
    pub(crate) fn csi(&self) -> Option<&Csi> {
        match &self.process {
            Process::Serve(csi) => Some(csi.as_ref()),
            Process::Install(_) => None,
        }
    }

    /// `kill -9` of the watcher.
    pub(crate) fn kill(&self) {
        match &self.process {
            Process::Serve(csi) => csi.kill(),
            Process::Install(child) => {
                let mut child = child.lock().expect("no test panicked meanwhile");
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    /// The watcher again, after it ended.
    #[track_caller]
    pub(crate) fn start_again(&self) {
        match &self.process {
            Process::Serve(csi) => csi.start_again(&self.node),
            Process::Install(child) => {
                let arguments = ["--components-from", text(self.source.directory())];
                *child.lock().expect("no test panicked meanwhile") = watch(&self.node, &arguments);
            }
        }
    }

    /// What the watcher logged.
    pub(crate) fn log(&self) -> String {
        match &self.process {
            Process::Serve(csi) => csi.log(),
            Process::Install(_) => {
                fs::read_to_string(self.node.path("watch.log")).unwrap_or_default()
            }
        }
    }

    /// The ConfigMap holds that component from now on.
    #[track_caller]
    pub(crate) fn show(&self, component: &[u8]) {
        self.source.write(&[(FILE, component)]);
    }

    /// The ConfigMap holds that version from now on; its digest.
    #[track_caller]
    pub(crate) fn show_version(&self, version: &str) -> String {
        let component = self.kind.version(version).component();
        self.show(&component);
        digest(&component)
    }

    /// That version is shown and serves; its digest.
    #[track_caller]
    pub(crate) fn swap_to(&self, version: &str) -> String {
        let digest = self.show_version(version);
        self.serves(version);
        digest
    }

    /// `drivebay ARGUMENTS`, which has to succeed.
    #[track_caller]
    pub(crate) fn drivebay(&self, arguments: &[&str]) -> String {
        let output = self.node.drivebay(arguments).output();
        let output = output.expect("drivebay runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }

    /// `drivebay ARGUMENTS`, which has to fail; what it says.
    #[track_caller]
    pub(crate) fn drivebay_fails(&self, arguments: &[&str]) -> String {
        let output = self.node.drivebay(arguments).output();
        let output = output.expect("drivebay runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success(), "{arguments:?}: {said}");
        said
    }

    /// Another driver's file, written as an operator's tools do: beside, and renamed.
    #[track_caller]
    pub(crate) fn rewrite_grants(&self, more: &str) {
        let file = self.node.path("etc/drivers.d").join(format!("{NAME}.toml"));
        let beside = self.node.path("etc/new.toml");
        fs::write(&beside, grants(&self.node, more)).expect("writable");
        fs::rename(beside, file).expect("writable");
    }

    /// The file that says which version is active.
    pub(crate) fn record(&self) -> PathBuf {
        record(&self.node)
    }

    /// The file that says how far others have come.
    pub(crate) fn progress(&self) -> PathBuf {
        progress(&self.node)
    }
}

/// The file that says which version of the driver is active.
pub(crate) fn record(node: &Node) -> PathBuf {
    node.path("state/versions").join(format!("{NAME}.json"))
}

/// The file that says at which step a version is that does not serve yet, and what was refused.
pub(crate) fn progress(node: &Node) -> PathBuf {
    node.path("run/versions").join(format!("{NAME}.json"))
}

/// What one of the two holds; null where there is none.
pub(crate) fn read_json(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// A node with the driver's file and the shim, without a component, and a source that is empty yet.
#[track_caller]
pub(crate) fn prepared(more: &str) -> (Node, ConfigMap) {
    let node = Node::empty();
    // The shim is put in place by way of a driver that has a component; ours has none yet.
    node.add_driver("local", &node.local_grants());
    node.install(&[&guest("local")]);
    fs::remove_file(node.path("etc/drivers.d/local.toml")).expect("just written");
    for left in ["state/components", "state/compiled"] {
        fs::remove_dir_all(node.path(left)).expect("installed");
    }
    let directory = node.path("plugins").join("drivebay~swap");
    fs::create_dir_all(&directory).expect("writable");
    copy_program(
        &node.path("plugins/drivebay~local/local"),
        &directory.join(NAME),
    );
    node.add_driver(NAME, &grants(&node, more));
    let source = ConfigMap::at(&node, "source");
    (node, source)
}

/// `drivebay install --watch`, started.
pub(crate) fn watch(node: &Node, arguments: &[&str]) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(node.path("watch.log"))
        .expect("writable");
    let mut command = node.drivebay(&["install", "--watch", "--plugin-dir"]);
    command.arg(node.path("plugins")).args(arguments);
    command
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("drivebay runs")
}

/// Lets a file be of another time, in seconds from 1970.
#[track_caller]
pub(crate) fn set_time(file: &Path, seconds: u64) {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    let opened = File::options().read(true).open(file).expect("there");
    opened.set_modified(time).expect("ours");
}
