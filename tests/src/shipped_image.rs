//! The image, unpacked by tar.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use drivebay_testbed::Scratch;
use serde_json::Value;

use crate::{Node, repository, text};

/// Its blobs in one directory, and its root in another. Both go with it.
#[derive(Debug)]
pub struct ShippedImage(Scratch);

/// A line of `tar --list --verbose`.
#[derive(Debug)]
pub struct Entry {
    /// As ls shows it.
    pub mode: String,
    pub owner: String,
    pub date: String,
    /// Without a slash at its end.
    pub path: String,
}

impl ShippedImage {
    /// As `cargo xtask image` has left it.
    #[track_caller]
    pub fn unpacked() -> Self {
        let tar = repository().join("target/image/drivebay.tar");
        assert!(
            tar.exists(),
            "{} is missing; run `cargo xtask image` first",
            tar.display()
        );
        let directory = tempfile::Builder::new().prefix("drivebay-image-").tempdir();
        let directory = directory.expect("a directory").keep();
        let image = Self(Scratch::at(&directory).expect("ours"));
        for directory in ["layout", "root"] {
            fs::create_dir(image.0.path().join(directory)).expect("writable");
        }
        unpack(&tar, &image.0.path().join("layout"));
        for layer in image.layers() {
            unpack(&layer, &image.root());
        }
        image
    }

    /// Where its files are.
    pub fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }

    /// The one image of the index.
    #[track_caller]
    pub fn index(&self) -> Value {
        let index = json(&self.0.path().join("layout/index.json"));
        let images = index["manifests"].as_array().expect("images");
        assert_eq!(images.len(), 1);
        images[0].clone()
    }

    /// What it consists of.
    #[track_caller]
    pub fn manifest(&self) -> Value {
        json(&self.blob(&self.index()))
    }

    /// How its program is run.
    #[track_caller]
    pub fn config(&self) -> Value {
        json(&self.blob(&self.manifest()["config"]))
    }

    /// The layers' archives, from the lowest.
    #[track_caller]
    pub fn layers(&self) -> Vec<PathBuf> {
        let manifest = self.manifest();
        let layers = manifest["layers"].as_array().expect("layers");
        layers.iter().map(|layer| self.blob(layer)).collect()
    }

    /// All files of all layers.
    #[track_caller]
    pub fn entries(&self) -> Vec<Entry> {
        self.layers().iter().flat_map(|it| entries(it)).collect()
    }

    /// The paths that are in a directory of it, without those of directories beneath.
    #[track_caller]
    pub fn names_in(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root().join(directory)).expect("there");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    /// Runs a program with the image for its root, and nothing of this machine's files but the kernel's own.
    #[track_caller]
    pub fn run(&self, command: &[&str]) -> Output {
        let root = self.root();
        // In a namespace of its own, with which the mount goes.
        let enter = "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";
        let clean = ["--ignore-environment", "PATH=/usr/sbin:/usr/bin"];
        let alone = ["unshare", "--mount", "sh", "-c", enter, text(&root)];
        Node::run("env", &[&clean[..], &alone, command].concat())
    }

    /// Shows it the kernel's filesystems and a node's directory, where what one of them mounts the other sees, as a pod's
    /// `Bidirectional` does.
    #[track_caller]
    pub fn lend(&self, node: &Node) {
        let (root, directory) = (self.root(), node.path(""));
        // Its devices one by one: a mount of all of /dev would take the node's along when it goes.
        let line = "set -e
            mount --bind \"$1\" \"$1\"; mount --make-shared \"$1\"
            mkdir -p \"$0/$1\"; mount --bind \"$1\" \"$0/$1\"
            mount -t proc proc \"$0/proc\"; mount -t sysfs sysfs \"$0/sys\"
            for device in null zero random urandom; do
                : > \"$0/dev/$device\"; mount --bind \"/dev/$device\" \"$0/dev/$device\"
            done";
        let output = Node::run("sh", &["-c", line, text(&root), text(&directory)]);
        assert!(output.status.success(), "{output:?}");
    }

    /// A program of it with it for its root, for a node that it was lent.
    pub fn program(&self, node: &Node, words: &[&str]) -> Command {
        let mut chroot = node.command(Path::new("/usr/sbin/chroot"));
        chroot.arg(self.root()).args(words);
        chroot
    }

    fn blob(&self, descriptor: &Value) -> PathBuf {
        let digest = descriptor["digest"].as_str().expect("a digest");
        let name = digest.replace(':', "/");
        self.0.path().join("layout/blobs").join(name)
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON")
}

#[track_caller]
fn unpack(tar: &Path, directory: &Path) {
    let output = Node::run("tar", &["-xf", text(tar), "-C", text(directory)]);
    assert!(output.status.success(), "{output:?}");
}

#[track_caller]
fn entries(layer: &Path) -> Vec<Entry> {
    let how = ["--list", "--verbose", "--numeric-owner", "--full-time"];
    let how = [
        &how[..],
        &["--utc", "--quoting-style=literal", "--file", text(layer)],
    ]
    .concat();
    let output = Node::run("tar", &how);
    assert!(output.status.success(), "{output:?}");
    let list = String::from_utf8(output.stdout).expect("text");
    list.lines().map(entry).collect()
}

/// `-rwxr-xr-x 0/0 10 1970-01-01 00:00:00 usr/bin/x`, and ` -> target` where it is a link.
fn entry(line: &str) -> Entry {
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut next = || words.next().expect("a column");
    let (mode, owner, _size) = (next(), next(), next());
    let date = format!("{} {}", next(), next());
    Entry {
        mode,
        owner,
        date,
        path: next().trim_end_matches('/').to_owned(),
    }
}
