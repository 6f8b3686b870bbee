//! A block device over a file.

use std::path::Path;

use crate::{Node, text};

/// A loop device, detached when dropped.
#[derive(Debug)]
pub struct LoopDevice(String);

impl LoopDevice {
    /// Its serial number is the file's name.
    #[track_caller]
    pub fn over(file: &Path) -> Self {
        let output = Node::run("losetup", &["--find", "--show", text(file)]);
        assert!(output.status.success(), "{output:?}");
        let device = String::from_utf8(output.stdout).expect("UTF-8");
        Self(device.trim().to_owned())
    }

    /// Its device node.
    pub fn node(&self) -> &str {
        &self.0
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        Node::run("losetup", &["--detach", &self.0]);
    }
}
