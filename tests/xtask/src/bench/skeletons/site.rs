//! A node with a driver in each language, and a workplace where they are built.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use drivebay_testbed::{Layout, Node, Scratch, Serving};
use serde_json::{Value, json};

use super::VOLUME;
use crate::golang;
use crate::process::{self, Echo, answer, command};
use crate::workspace::Workspace;

/// What there is in every language.
pub(super) const KIND: &str = "directory";

/// On a tmpfs, as /run is on nodes: locks are there.
const RUN: &str = "/dev/shm/drivebay-bench-skeletons";

/// A driver that is called as its language is.
pub(super) struct Skeleton {
    pub(super) language: String,
    pub(super) component: PathBuf,
    grants: String,
}

/// Everything beneath one directory, which goes with it.
pub(super) struct Site {
    node: Node,
    binaries: PathBuf,
    /// With the Go that is new enough.
    search_path: OsString,
    _directories: [Scratch; 2],
}

impl Site {
    pub(super) fn new(workspace: &Workspace) -> Result<Self> {
        let root = Scratch::at(&workspace.target().join("bench-skeletons"))?;
        let layout = Layout {
            run: RUN,
            ..Layout::SHORT
        };
        let site = Self {
            node: Node::new(root.path(), layout, &workspace.binaries())?,
            binaries: workspace.binaries(),
            search_path: golang::search_path(workspace)?,
            _directories: [root, Scratch::at(Path::new(RUN))?],
        };
        for directory in ["work", "sockets", "pods"] {
            fs::create_dir_all(site.node.path(directory))?;
        }
        Ok(site)
    }

    /// Makes one and builds it, by the two commands of an author.
    pub(super) fn build(&self, language: &str) -> Result<Skeleton> {
        let work = self.node.path("work");
        let mut new = self.node.drivebay(&["new", language, "--kind", KIND]);
        new.args(["--language", language]).current_dir(&work);
        process::run(&mut new, Echo::Silent)?;
        let folder = work.join(language);
        let mut build = command("sh");
        build.arg("./build.sh").current_dir(&folder);
        build.env("PATH", &self.search_path);
        process::run(&mut build, Echo::Live)?;
        let grants = fs::read_to_string(folder.join(language).with_extension("toml"))?;
        Ok(Skeleton {
            language: language.to_owned(),
            component: folder.join(language).with_extension("wasm"),
            grants,
        })
    }

    /// How many interfaces of WASI it asks for.
    pub(super) fn wasi_imports(&self, skeleton: &Skeleton) -> Result<u64> {
        let mut inspect = self.node.drivebay(&["inspect"]);
        let said = answer(inspect.arg(&skeleton.component))?;
        let line = said.lines().find_map(|line| line.strip_prefix("wasi "));
        let names = line.context("`drivebay inspect` says nothing of WASI")?;
        let names = names.split_whitespace();
        Ok(u64::try_from(
            names.filter(|name| name.starts_with("wasi:")).count(),
        )?)
    }

    /// A node where nothing was compiled, with the driver's file.
    pub(super) fn another_node(&self, skeleton: &Skeleton) -> Result<Node> {
        let root = self.node.path("another");
        let _ = fs::remove_dir_all(&root);
        let node = Node::new(&root, Layout::SHORT, &self.binaries)?;
        grant(&node, skeleton)?;
        Ok(node)
    }

    pub(super) fn install(&self, skeleton: &Skeleton) -> Result<()> {
        grant(&self.node, skeleton)?;
        let mut install = self.node.install(&[&skeleton.component]);
        process::run(&mut install, Echo::Silent).map(drop)
    }

    /// `drivebay serve` for all of them, listening.
    pub(super) fn serve(&self, skeletons: &[Skeleton]) -> Result<Serving> {
        let mut serve = self.node.drivebay(&["serve", "--node-id", "bench"]);
        let sockets: Vec<PathBuf> = skeletons.iter().map(|it| self.socket(it)).collect();
        for (skeleton, socket) in skeletons.iter().zip(&sockets) {
            let endpoint = format!("unix://{}", socket.display());
            serve.args(["--driver", &skeleton.language, "--endpoint", &endpoint]);
        }
        Serving::start(serve, &self.node.path("serve.log"), &sockets)
    }

    /// The call of that name.
    pub(super) fn call(&self, skeleton: &Skeleton, rpc: &str) -> Value {
        json!({ "socket": self.socket(skeleton), "rpc": rpc, "volume": VOLUME })
    }

    /// What every measured program gets.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        self.node.environment()
    }

    /// As kubelet calls it.
    pub(super) fn mount(&self, skeleton: &Skeleton) -> Vec<String> {
        let kubelet = json!({
            "kubernetes.io/fsType": "",
            "kubernetes.io/pvOrVolumeName": VOLUME,
            "kubernetes.io/readwrite": "rw",
        });
        self.callout(
            skeleton,
            &["mount", &self.pod(skeleton), &kubelet.to_string()],
        )
    }

    pub(super) fn unmount(&self, skeleton: &Skeleton) -> Vec<String> {
        self.callout(skeleton, &["unmount", &self.pod(skeleton)])
    }

    fn callout(&self, skeleton: &Skeleton, arguments: &[&str]) -> Vec<String> {
        let language = &skeleton.language;
        let executable = format!("plugins/example.com~{language}/{language}");
        let executable = self.node.path(&executable).to_string_lossy().into_owned();
        let arguments = arguments.iter().map(|it| (*it).to_owned());
        std::iter::once(executable).chain(arguments).collect()
    }

    fn pod(&self, skeleton: &Skeleton) -> String {
        let pod = self.node.path("pods").join(&skeleton.language);
        pod.to_string_lossy().into_owned()
    }

    fn socket(&self, skeleton: &Skeleton) -> PathBuf {
        let name = format!("sockets/{}.sock", skeleton.language);
        self.node.path(&name)
    }
}

/// As the skeleton's own file says, with a pool on that node.
fn grant(node: &Node, skeleton: &Skeleton) -> Result<()> {
    let language = &skeleton.language;
    let pool = node.path("pools").join(language);
    fs::create_dir_all(&pool)?;
    let example = format!("/srv/{language}");
    let grants = skeleton.grants.replace(&example, &pool.to_string_lossy());
    node.grant(language, &grants)
}

/// What `install` made of a component, and what is loaded in its place.
pub(super) fn compiled_bytes(node: &Node) -> Result<u64> {
    let directory = node.path(Layout::SHORT.state).join("compiled");
    let mut bytes = 0;
    for entry in fs::read_dir(&directory)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
