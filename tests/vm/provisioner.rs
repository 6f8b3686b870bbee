//! A share in which volumes come and go, and the calls that make them, by hand.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use nix::mount::{MntFlags, umount2};
use serde_json::Value;

use crate::lab::{self, node};

/// As many deadlines as no copy here takes.
const LONGEST: usize = 3;

pub(crate) const SERVER: &str = "127.0.0.1";

/// A directory of the server, exported with the rest of it, for one test.
pub(crate) struct Share {
    /// As clients name it.
    pub(crate) name: String,
}

impl Share {
    pub(crate) fn new(name: &str) -> Self {
        node();
        let share = Self {
            name: format!("/alpha/{name}"),
        };
        fs::create_dir_all(share.at("")).expect("writable");
        share
    }

    /// A place in it, as the server's administrator sees it.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        lab::exported(&self.name).join(path)
    }

    /// An id of a volume or a snapshot there.
    pub(crate) fn id(&self, parts: &str) -> String {
        format!("{SERVER}#{}#{parts}", self.name.trim_start_matches('/'))
    }

    /// `create-volume`, with the parameters that a class would have.
    pub(crate) fn create(&self, name: &str, more: &[&str]) -> Call {
        Call::new(&["create-volume", "--name", name, "--size", "1Gi"])
            .class(self)
            .with(more)
    }

    /// All that lies there, the driver's own files too; what is not finished as well.
    pub(crate) fn files(&self) -> Vec<String> {
        let found = lab::shell(&format!(
            "find '{}' -mindepth 1 ! -type d -printf '%P\\n'",
            self.at("").display()
        ));
        let mut found: Vec<String> = found.lines().map(String::from).collect();
        found.sort();
        found
    }

    /// Nothing is left there, neither of volumes nor of the driver's own.
    #[track_caller]
    pub(crate) fn is_empty(&self) {
        assert_eq!(
            (self.files(), self.directories()),
            (Vec::<String>::new(), Vec::new())
        );
    }

    /// Its directories, without the driver's own.
    pub(crate) fn directories(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("")).expect("readable").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name != ".drivebay").collect();
        names.sort();
        names
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.at(""));
    }
}

/// `drivebay run nfs …`
pub(crate) struct Call {
    driver: &'static str,
    arguments: Vec<String>,
}

impl Call {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self {
            driver: "nfs",
            arguments: Vec::new(),
        }
        .with(arguments)
    }

    /// By another driver than that with the shipped grants.
    pub(crate) fn of(mut self, driver: &'static str) -> Self {
        self.driver = driver;
        self
    }

    pub(crate) fn with(mut self, more: &[&str]) -> Self {
        self.arguments
            .extend(more.iter().map(|word| (*word).to_owned()));
        self
    }

    pub(crate) fn parameter(self, key: &str, value: &str) -> Self {
        self.with(&["--parameter", &format!("{key}={value}")])
    }

    pub(crate) fn class(self, share: &Share) -> Self {
        self.parameter("server", SERVER)
            .parameter("share", &share.name)
    }

    /// What a volume's PersistentVolume says.
    pub(crate) fn context(self, volume: &Value) -> Self {
        let context = volume["context"].as_object().expect("an object");
        let pairs = context
            .iter()
            .map(|(key, value)| (key, value.as_str().expect("text")));
        pairs.fold(self, |call, (key, value)| call.parameter(key, value))
    }

    #[track_caller]
    pub(crate) fn succeeds(&self) -> Value {
        self.done(&self.output())
    }

    #[track_caller]
    fn done(&self, output: &Output) -> Value {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?}: {said}", self.arguments);
        serde_json::from_slice(&output.stdout).expect("one object")
    }

    /// Repeated, as the provisioner does, while the work goes on.
    #[track_caller]
    pub(crate) fn succeeds_at_last(&self) -> Value {
        let mut output = self.output();
        for _ in 1..LONGEST {
            if !String::from_utf8_lossy(&output.stderr).contains("drivebay: in-progress: ") {
                break;
            }
            output = self.output();
        }
        self.done(&output)
    }

    /// For the reason that begins so.
    #[track_caller]
    pub(crate) fn fails(&self, condition: &str) -> String {
        self.failed(&self.output(), condition)
    }

    #[track_caller]
    fn failed(&self, output: &Output, condition: &str) -> String {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{:?}", self.arguments);
        let words = format!("drivebay: {condition}: ");
        let status = output.status;
        assert!(
            said.contains(&words),
            "{status}: {said:?} does not say {words:?}"
        );
        said
    }

    /// None where it succeeds; what it said where it fails for that reason. Called once: the next time may be another.
    #[track_caller]
    pub(crate) fn refused_as(&self, condition: &str) -> Option<String> {
        let output = self.output();
        match output.status.success() {
            true => None,
            false => Some(self.failed(&output, condition)),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.output().status.success()
    }

    fn output(&self) -> Output {
        self.command().output().expect("drivebay runs")
    }

    /// Not waited for.
    pub(crate) fn start(&self) -> Child {
        let mut command = self.command();
        command.stdout(std::process::Stdio::null()).process_group(0);
        command.spawn().expect("drivebay runs")
    }

    fn command(&self) -> Command {
        let mut command = node().drivebay(&["run", self.driver]);
        command.args(&self.arguments);
        command
    }
}

/// A volume where a pod has it.
pub(crate) struct Published {
    pub(crate) path: PathBuf,
}

impl Published {
    #[track_caller]
    pub(crate) fn of(volume: &Value) -> Self {
        let id = volume["id"].as_str().expect("text");
        Self::by(Call::new(&["publish-volume", id]).context(volume), id)
    }

    /// By a call that lacks only the path.
    #[track_caller]
    pub(crate) fn by(call: Call, name: &str) -> Self {
        let path = node().path("pods").join(name.replace(['#', '/'], "-"));
        call.with(&["--path", text(&path)]).succeeds();
        Self { path }
    }

    #[track_caller]
    pub(crate) fn unpublish(&self) {
        Call::new(&["unpublish-volume", "--path", text(&self.path)]).succeeds();
        assert!(!self.path.exists(), "the target was left");
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let _ = umount2(&self.path, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.path);
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

pub(crate) fn id(volume: &Value) -> &str {
    volume["id"].as_str().expect("text")
}
