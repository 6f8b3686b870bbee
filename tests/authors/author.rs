//! An author at a machine of their own: a folder to work in, the shipped `drivebay` on PATH, and a node to try it on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use drivebay_tests::{Node, dist, pod_options, read, repository, text};
use serde_json::Value;

/// Lines of a failed command's output that are shown.
const TAIL: usize = 60;

/// The name that the guide gives a driver.
const SHELF: &str = "shelf";

pub(crate) struct Author {
    node: Node,
    /// What their driver is called.
    name: &'static str,
    /// Where cargo has what it built for another project of theirs.
    built: Option<PathBuf>,
}

impl Author {
    pub(crate) fn new() -> Self {
        Self::of(SHELF)
    }

    /// With a driver of that name.
    pub(crate) fn of(name: &'static str) -> Self {
        let node = Node::empty();
        fs::create_dir(node.path("work")).expect("writable");
        Self {
            node,
            name,
            built: None,
        }
    }

    /// The same person with another project, on a machine that has compiled the first one's crates.
    pub(crate) fn with_another_project(&self) -> Self {
        Self {
            built: Some(self.project().join("target")),
            ..Self::new()
        }
    }

    /// Where skeletons are made.
    pub(crate) fn work(&self) -> PathBuf {
        self.node.path("work")
    }

    /// Where what they made is tried.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    fn project(&self) -> PathBuf {
        self.work().join(self.name)
    }

    /// Types those commands; each has to succeed.
    #[track_caller]
    pub(crate) fn types(&self, commands: &str) {
        let log = self.node.path("work.log");
        let output = fs::File::create(&log).expect("writable");
        let mut shell = shell(commands);
        shell
            .current_dir(self.work())
            .stdout(output.try_clone().expect("a file"))
            .stderr(output);
        // The checkout that the examples' own documents name.
        shell.env("DRIVEBAY", repository());
        if let Some(built) = &self.built {
            shell.env("CARGO_TARGET_DIR", built);
        }
        let status = shell.status().expect("a shell");
        let said = read(&log);
        let lines: Vec<&str> = said.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        assert!(status.success(), "{status} after\n{tail}");
    }

    /// What `drivebay inspect` prints of the component after that word.
    #[track_caller]
    pub(crate) fn inspected(&self, word: &str) -> String {
        let component = self.component();
        let inspect = self.node.drivebay(&["inspect", text(&component)]).output();
        let output = inspect.expect("drivebay runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        let said = String::from_utf8(output.stdout).expect("text");
        let line = said.lines().find_map(|line| line.strip_prefix(word));
        line.expect("such a line").trim().to_owned()
    }

    /// Nothing that Kubernetes may ask of the component is answered otherwise than promised.
    #[track_caller]
    pub(crate) fn conforms(&self, arguments: &[&str]) {
        let component = self.component();
        let mut conform = self.node.drivebay(&["conform", text(&component)]);
        let output = conform.args(arguments).output().expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}{error}");
    }

    pub(crate) fn component(&self) -> PathBuf {
        self.project().join(self.name).with_extension("wasm")
    }

    /// Hands the component and its file to an operator, who has a pool on the node and changes what else there is.
    #[track_caller]
    pub(crate) fn delivers(&self, changed: impl FnOnce(String) -> String) {
        let grants = read(&self.project().join(self.name).with_extension("toml"));
        let pool = format!("{:?}", text(&self.pool()));
        let grants = grants.replace(&format!("\"/srv/{}\"", self.name), &pool);
        self.node.add_driver(self.name, &changed(grants));
        self.node.install(&[&self.component()]);
    }

    /// The directory that the operator granted.
    pub(crate) fn pool(&self) -> PathBuf {
        self.node.path("pool")
    }

    /// Where a pod has its volume.
    pub(crate) fn pod(&self) -> PathBuf {
        self.node.pod("web")
    }

    /// A volume's life: made by an operator, mounted by kubelet, and gone.
    #[track_caller]
    pub(crate) fn volumes_live(&self) {
        let volume = self.node.path("pool/music");
        let create = ["create-volume", "--name", "music", "--size", "1Gi"];
        for _ in 0..2 {
            let made = self.run(&[&create[..], &["--parameter", "mode=0750"]].concat());
            assert_eq!(made["id"], "music");
        }
        assert_eq!(mode(&volume), 0o750);
        assert_eq!(self.run(&["get-volume", "music"])["id"], "music");
        self.run(&["validate-volume", "music"]);
        assert_eq!(self.run(&["get-health", "music"])["health"], "ok");

        let pod = self.pod();
        let mount = |volume: &str| {
            let options = pod_options(volume, &[]);
            self.kubelet(&["mount", text(&pod), &options])
        };
        self.kubelet(&["init"]).succeeds();
        mount("jazz").fails_with("jazz");
        mount("../etc").fails_with("../etc");
        for _ in 0..2 {
            mount("music").succeeds();
        }
        fs::write(pod.join("greeting"), "hello").expect("writable");
        assert_eq!(read(&volume.join("greeting")), "hello");
        for _ in 0..2 {
            self.kubelet(&["unmount", text(&pod)]).succeeds();
        }

        for _ in 0..2 {
            self.run(&["delete-volume", "music"]);
        }
        assert!(!volume.exists());
        self.refuses(&["get-volume", "music"], "not-found: ");
        self.node.is_clean();
    }

    /// What people get wrong is told by its condition, and by words that help.
    #[track_caller]
    pub(crate) fn mistakes_are_explained(&self) {
        let create = ["create-volume", "--name", "music"];
        let with = |arguments: &[&'static str]| [&create[..], arguments].concat();
        self.refuses(
            &with(&["--parameter", "mode=rwx"]),
            "invalid-argument: mode \"rwx\"",
        );
        self.refuses(&with(&["--block"]), "unsupported: ");
        let outside = ["--name", "../../outside"];
        let made = self.run(&[&["create-volume"], &outside[..]].concat());
        let id = made["id"].as_str().expect("an id");
        assert!(self.node.path("pool").join(id).is_dir(), "{id}");
        self.refuses(&["get-volume", "a/b"], "invalid-argument: ");
        self.run(&["delete-volume", "a/b"]);
        // It may begin with a dash.
        self.run(&["delete-volume", "--", id]);
        fs::remove_dir(self.node.path("pool")).expect("empty");
        self.refuses(&create, "not-found: ");
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Value {
        let output = self.run_output(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        serde_json::from_slice(&output.stdout).expect("one object")
    }

    /// An operation has to fail, for a reason that has these words.
    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &[&str], words: &str) {
        let output = self.run_output(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }

    fn run_output(&self, arguments: &[&str]) -> std::process::Output {
        let mut run = self.node.drivebay(&["run", self.name]);
        run.args(arguments).output().expect("drivebay runs")
    }

    #[track_caller]
    pub(crate) fn kubelet(&self, arguments: &[&str]) -> drivebay_tests::Answer {
        let driver = format!("example.com~{0}/{0}", self.name);
        self.node.call_driver(&driver, arguments)
    }
}

/// Typed as it stands: what a command needs of this machine is in the environment, such as where registries are.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are the callers from outside"
)]
fn shell(commands: &str) -> Command {
    let drivebay = dist("drivebay");
    let binaries = drivebay.parent().expect("it lies in a directory");
    let mut path = binaries.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell
        .args(["-eux", "-c", commands])
        .env("PATH", path)
        .stdin(Stdio::null());
    shell
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::metadata(path).expect("there");
    found.permissions().mode() & 0o7777
}
