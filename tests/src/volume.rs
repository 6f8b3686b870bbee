//! One volume of `drivebay/local` as kubelet and the controller see it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Answer, Node, options, pod_options};

/// The node that volumes are attached to.
pub const NODE_ID: &str = "node-1";

/// What `attach` answers for that node.
pub const DEVICE: &str = "drivebay:claimed-by=node-1";

/// Call-outs with the arguments in kubelet's order.
#[derive(Debug)]
pub struct Volume<'a> {
    node: &'a Node,
    name: String,
    user: Vec<(String, String)>,
}

impl<'a> Volume<'a> {
    /// The PersistentVolume's name, and its options.
    pub fn new(node: &'a Node, name: &str, user: &[(&str, &str)]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Self {
            node,
            name: name.to_owned(),
            user: user.iter().map(owned).collect(),
        }
    }

    /// What every call-out but `mount` gets.
    pub fn options(&self) -> String {
        options(&self.name, &self.pairs())
    }

    /// What `mount` gets.
    pub fn pod_options(&self) -> String {
        pod_options(&self.name, &self.pairs())
    }

    /// Where it is mounted once for the node.
    pub fn staging(&self) -> PathBuf {
        self.node.path("mounts").join(&self.name)
    }

    /// `attach`
    #[track_caller]
    pub fn attach(&self) -> Answer {
        self.node.call(&["attach", &self.options(), NODE_ID])
    }

    /// `isattached`
    #[track_caller]
    pub fn is_attached(&self) -> Answer {
        self.node.call(&["isattached", &self.options(), NODE_ID])
    }

    /// `mountdevice`, with the directory made as kubelet makes it.
    #[track_caller]
    pub fn mount_device(&self) -> Answer {
        let staging = self.staging();
        fs::create_dir_all(&staging).expect("writable");
        self.node
            .call(&["mountdevice", text(&staging), DEVICE, &self.options()])
    }

    /// `attach` and `mountdevice`, which have to succeed.
    #[track_caller]
    pub fn staged(self) -> Self {
        self.attach().succeeds();
        self.mount_device().succeeds();
        self
    }

    /// `mount`
    #[track_caller]
    pub fn mount(&self, pod: &Path) -> Answer {
        self.node.call(&["mount", text(pod), &self.pod_options()])
    }

    /// `unmount`
    #[track_caller]
    pub fn unmount(&self, pod: &Path) -> Answer {
        self.node.call(&["unmount", text(pod)])
    }

    /// `unmountdevice`
    #[track_caller]
    pub fn unmount_device(&self) -> Answer {
        self.node.call(&["unmountdevice", text(&self.staging())])
    }

    /// `detach`, by the bare name.
    #[track_caller]
    pub fn detach(&self) -> Answer {
        self.node.call(&["detach", &self.name, NODE_ID])
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.user
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect()
    }
}

/// A path as an argument; tests make no others.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
