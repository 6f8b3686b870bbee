//! `install --config-to`: the shim reads the node's files, which a pod brings there and keeps as its own are.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use drivebay_tests::{KeyPair, Node, eventually, guest, send, text};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// A node without drivers' files, and a pod that has those of `local`.
struct Pod {
    node: Node,
}

impl Pod {
    fn new() -> Self {
        let node = Node::empty();
        fs::create_dir_all(node.path("pod/drivers.d")).expect("writable");
        let pod = Self { node };
        pod.configure("local", "");
        pod
    }

    fn file(&self, driver: &str) -> PathBuf {
        self.node.path(&format!("pod/drivers.d/{driver}.toml"))
    }

    fn configure(&self, driver: &str, more: &str) {
        let grants = self.node.local_grants();
        fs::write(self.file(driver), format!("{grants}{more}")).expect("writable");
    }

    /// `drivebay install` in the pod.
    fn install(&self, arguments: &[&str]) -> Command {
        let mut command = self.node.drivebay(&["install"]);
        command
            .arg("--config-dir")
            .arg(self.node.path("pod"))
            .arg("--config-to")
            .arg(self.node.path("etc"))
            .args(arguments);
        command
    }

    /// `drivebay install --watch` in the pod, which puts shims in place.
    fn watch(&self, arguments: &[&str]) -> Watching {
        let said = fs::File::create(self.node.path("watch.log")).expect("writable");
        let plugins = self.node.path("plugins");
        let mut command = self.install(&["--watch", "--plugin-dir", text(&plugins)]);
        let command = command.args(arguments);
        command.stderr(said.try_clone().expect("open"));
        Watching(command.stdout(said).spawn().expect("drivebay runs"))
    }

    /// Waits until `install` has said it.
    #[track_caller]
    fn hears(&self, words: &str) {
        let said = || fs::read_to_string(self.node.path("watch.log")).expect("readable");
        eventually(words, || said().contains(words));
    }

    fn shim(&self) -> PathBuf {
        self.node.path("plugins/drivebay~local/local")
    }

    /// kubelet probes a shim as soon as it is there.
    #[track_caller]
    fn kubelet_finds_the_shim(&self) {
        eventually("the shim", || self.shim().exists());
        self.node.call(&["init"]).succeeds();
    }

    /// As the node has it.
    fn copy(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.node.path("etc").join(name)).ok()
    }
}

/// Ended when dropped.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_shim_goes_by_the_drivers_files_that_install_brought_to_the_node() {
    let pod = Pod::new();
    let plugins = pod.node.path("plugins");
    let component = guest("local");
    let arguments = ["--plugin-dir", text(&plugins), text(&component)];
    let output = pod.install(&arguments).output().expect("drivebay runs");
    assert!(output.status.success(), "{output:?}");
    pod.node.call(&["init"]).succeeds();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("config: drivers.d/local.toml copied"),
        "{said}"
    );
}

#[test]
fn a_file_that_the_operator_wrote_on_the_node_stays_and_install_says_so() {
    let pod = Pod::new();
    pod.node.add_driver("local", "component = \"mine\"\n");
    let output = pod.install(&[text(&guest("local"))]).output();
    let output = output.expect("drivebay runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("drivers.d/local.toml is not as `drivebay install` wrote it"),
        "{said}"
    );
    assert_eq!(
        pod.copy("drivers.d/local.toml").as_deref(),
        Some("component = \"mine\"\n")
    );
    // All else was done.
    assert!(pod.node.path("state/components/local.wasm").exists());
}

#[test]
fn a_key_beside_the_drivers_file_is_the_same_to_the_pod_and_to_the_shim() {
    let pod = Pod::new();
    let key = KeyPair::make(&pod.node.path("pod/drivers.d"), "release");
    pod.configure("local", "[require]\npublic-keys = [\"release.pem\"]\n");
    let component = pod.node.path("local.wasm");
    fs::copy(guest("local"), &component).expect("writable");
    let content = fs::read(&component).expect("readable");
    fs::write(pod.node.path("local.wasm.sig"), key.sign(&content)).expect("writable");
    let plugins = pod.node.path("plugins");
    let arguments = ["--plugin-dir", text(&plugins), text(&component)];
    let output = pod.install(&arguments).output().expect("drivebay runs");
    assert!(output.status.success(), "{output:?}");
    let copied = pod.copy("drivers.d/release.pem");
    assert_eq!(copied, fs::read_to_string(key.public()).ok());
    fs::remove_dir_all(pod.node.path("pod")).expect("ours");
    pod.node.call(&["init"]).succeeds();
}

#[test]
fn a_driver_whose_file_was_not_copied_has_no_shim() {
    let pod = Pod::new();
    pod.node.add_driver("local", "component = \"mine\"\n");
    let plugins = pod.node.path("plugins");
    let component = guest("local");
    let arguments = ["--plugin-dir", text(&plugins), text(&component)];
    let output = pod.install(&arguments).output().expect("drivebay runs");
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("driver local: its shim waits: its file in"),
        "{said}"
    );
    assert_eq!(fs::read_dir(&plugins).expect("there").count(), 0);
}

#[test]
fn a_shim_comes_when_its_drivers_file_is_accepted_and_stays_when_a_later_one_is_not() {
    let pod = Pod::new();
    fs::write(pod.file("local"), "component = 7\n").expect("writable");
    let watching = pod.watch(&[text(&guest("local"))]);
    pod.hears("driver local: its shim waits: ");
    assert!(!pod.shim().exists());
    pod.configure("local", "");
    pod.kubelet_finds_the_shim();
    fs::write(pod.file("local"), "component = \n").expect("writable");
    pod.hears("is not valid TOML");
    pod.kubelet_finds_the_shim();
    fs::remove_file(pod.file("local")).expect("there");
    eventually("the copy to go", || {
        pod.copy("drivers.d/local.toml").is_none()
    });
    assert!(pod.shim().exists());
    drop(watching);
}

#[test]
fn a_shim_waits_for_its_drivers_component() {
    let pod = Pod::new();
    let source = pod.node.path("source");
    fs::create_dir_all(&source).expect("writable");
    let watching = pod.watch(&["--components-from", text(&source)]);
    pod.hears("driver local: its shim waits: there is no component \"local\"");
    assert!(!pod.shim().exists());
    let beside = pod.node.path("local.wasm");
    fs::copy(guest("local"), &beside).expect("writable");
    fs::rename(beside, source.join("local.wasm")).expect("writable");
    pod.kubelet_finds_the_shim();
    drop(watching);
}

#[test]
fn who_stays_keeps_the_nodes_files_as_the_pods_are() {
    let pod = Pod::new();
    let log = fs::File::create(pod.node.path("watch.log")).expect("writable");
    let watching = pod.install(&["--watch"]).stderr(log).spawn();
    let mut watching = Watching(watching.expect("drivebay runs"));
    eventually("the first copy", || {
        pod.copy("drivers.d/local.toml").is_some()
    });
    pod.configure("local", "[limits]\ndeadline = \"7s\"\n");
    eventually("the copy to change", || {
        pod.copy("drivers.d/local.toml")
            .is_some_and(|it| it.contains("7s"))
    });
    fs::write(pod.node.path("etc/drivers.d/own.toml"), "theirs").expect("writable");
    fs::remove_file(pod.file("local")).expect("there");
    eventually("the copy to go", || {
        pod.copy("drivers.d/local.toml").is_none()
    });
    assert_eq!(pod.copy("drivers.d/own.toml").as_deref(), Some("theirs"));
    send(
        Pid::from_raw(watching.0.id().cast_signed()),
        Signal::SIGTERM,
    );
    assert!(watching.0.wait().expect("ours").success());
}
