//! One disk of `alicloud/disk` as kubelet and the controller see it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cloud::{Cloud, NODE_NAME, serial};
use crate::{Answer, Node, guest, options, pod_options, text};

/// Where the shim lies for `alicloud/disk`.
pub const DISK: &str = "alicloud~disk/disk";

/// One GiB, the unit of the cloud's sizes.
pub const GIB: u64 = 1 << 30;

impl Node {
    /// With the shipped driver `alicloud/disk` on that cloud, and the permanent key in files.
    pub fn with_disks(cloud: &Cloud) -> Self {
        Self::with_disk_grants(&cloud.grants(&cloud.key_in_files()))
    }

    /// With the shipped driver `alicloud/disk`, and these grants.
    pub fn with_disk_grants(grants: &str) -> Self {
        let node = Self::empty();
        node.add_driver("alicloud-disk", grants);
        node.install(&[&guest("alicloud-disk")]);
        node
    }

    /// `drivebay run alicloud-disk …`, which has to succeed.
    #[track_caller]
    pub fn run_disk(&self, arguments: &[&str]) -> Value {
        let output = self.run_disk_command(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("one JSON object")
    }

    /// The same, which has to fail; what it says.
    #[track_caller]
    pub fn run_disk_fails(&self, arguments: &[&str]) -> String {
        let output = self.run_disk_command(arguments);
        assert!(
            !output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn run_disk_command(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.drivebay(&["run", "alicloud-disk"]);
        command.args(arguments).output().expect("drivebay runs")
    }

    /// Makes a disk of that many GiB, and returns its id.
    #[track_caller]
    pub fn create_disk(&self, name: &str, gib: u64) -> String {
        let size = format!("{gib}Gi");
        let made = self.run_disk(&[
            "create-volume",
            "--name",
            name,
            "--size",
            &size,
            "--parameter",
            "type=cloud_essd",
        ]);
        made["id"].as_str().expect("an id").to_owned()
    }
}

/// Call-outs with the arguments in kubelet's order. The PersistentVolume is named as the disk.
#[derive(Debug)]
pub struct Disk<'a> {
    node: &'a Node,
    /// The disk's id.
    pub id: String,
    user: Vec<(String, String)>,
}

impl<'a> Disk<'a> {
    /// A disk that exists.
    pub fn new(node: &'a Node, id: &str) -> Self {
        Self::with_options(node, id, &[])
    }

    /// The same with options in the PersistentVolume.
    pub fn with_options(node: &'a Node, id: &str, user: &[(&str, &str)]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Self {
            node,
            id: id.to_owned(),
            user: user.iter().map(owned).collect(),
        }
    }

    /// A disk that is made for the test, of 20 GiB.
    #[track_caller]
    pub fn made(node: &'a Node, name: &str) -> Self {
        Self::new(node, &node.create_disk(name, 20))
    }

    /// Where it is mounted once for the node.
    pub fn staging(&self) -> PathBuf {
        self.node.path("mounts").join(&self.id)
    }

    /// What every call-out but `mount` gets.
    pub fn options(&self) -> String {
        options(&self.id, &self.pairs())
    }

    /// `attach`, as kubelet does it on the node itself.
    #[track_caller]
    pub fn attach(&self) -> Answer {
        self.attach_to(NODE_NAME)
    }

    /// `attach` to a node of that name.
    #[track_caller]
    pub fn attach_to(&self, node: &str) -> Answer {
        self.call(&["attach", &self.options(), node])
    }

    /// `isattached`
    #[track_caller]
    pub fn is_attached(&self) -> Answer {
        self.call(&["isattached", &self.options(), NODE_NAME])
    }

    /// `waitforattach` with what `attach` answered.
    #[track_caller]
    pub fn wait_for_attach(&self, device: &str) -> Answer {
        self.call(&["waitforattach", device, &self.options()])
    }

    /// `mountdevice`, with the directory made as kubelet makes it.
    #[track_caller]
    pub fn mount_device(&self, device: &str) -> Answer {
        let staging = self.staging();
        fs::create_dir_all(&staging).expect("writable");
        self.call(&["mountdevice", text(&staging), device, &self.options()])
    }

    /// `attach`, `waitforattach` and `mountdevice`, which have to succeed.
    #[track_caller]
    pub fn staged(self) -> Self {
        let attached = self.attach().succeeds();
        let device = device(&attached);
        let waited = self.wait_for_attach(&device).succeeds();
        assert_eq!(self::device(&waited), device);
        self.mount_device(&device).succeeds();
        self
    }

    /// `mount`
    #[track_caller]
    pub fn mount(&self, pod: &Path) -> Answer {
        let options = pod_options(&self.id, &self.pairs());
        self.call(&["mount", text(pod), &options])
    }

    /// `unmount`
    #[track_caller]
    pub fn unmount(&self, pod: &Path) -> Answer {
        self.call(&["unmount", text(pod)])
    }

    /// `unmountdevice`
    #[track_caller]
    pub fn unmount_device(&self) -> Answer {
        self.call(&["unmountdevice", text(&self.staging())])
    }

    /// `detach`, by the bare name.
    #[track_caller]
    pub fn detach(&self) -> Answer {
        self.call(&["detach", &self.id, NODE_NAME])
    }

    /// `unmount` from its only pod, `unmountdevice` and `detach`, which have to succeed.
    #[track_caller]
    pub fn release(&self, pod: &Path) {
        self.unmount(pod).succeeds();
        self.unmount_device().succeeds();
        self.detach().succeeds();
    }

    /// `expandvolume` and `expandfs` with the arguments in kubelet's order.
    #[track_caller]
    pub fn expand(&self, gib: u64) -> (Answer, Answer) {
        let (new, old) = ((gib * GIB).to_string(), (20 * GIB).to_string());
        let volume = self.call(&[
            "expandvolume",
            &self.options(),
            &self.device_path(),
            &new,
            &old,
        ]);
        (volume, self.expand_fs(gib))
    }

    /// `expandfs` alone, which is all that Kubernetes calls.
    #[track_caller]
    pub fn expand_fs(&self, gib: u64) -> Answer {
        let (new, old) = ((gib * GIB).to_string(), (20 * GIB).to_string());
        let staging = self.staging();
        self.call(&[
            "expandfs",
            &self.options(),
            &self.device_path(),
            text(&staging),
            &new,
            &old,
        ])
    }

    /// A path relative to nothing, as kube-controller-manager has it.
    fn device_path(&self) -> String {
        format!("alicloud/disk/mounts/{}", self.id)
    }

    /// Where udev would put its link.
    pub fn link(&self) -> PathBuf {
        Path::new("/dev/disk/by-id").join(format!("virtio-{}", serial(&self.id)))
    }

    #[track_caller]
    fn call(&self, arguments: &[&str]) -> Answer {
        self.node.call_driver(DISK, arguments)
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.user
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect()
    }
}

/// What `attach` answered for `mountdevice`.
#[track_caller]
pub fn device(answer: &Answer) -> String {
    answer.json["device"].as_str().expect("a device").to_owned()
}
