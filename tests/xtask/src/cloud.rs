//! A cloud to show and to measure with: the ECS emulator, with loop devices for disks.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::emulator::{self, Running};
use crate::process::command;
use crate::workspace::Workspace;

/// A running emulator, and where it keeps what it has.
pub(crate) struct Cloud {
    emulator: Running,
    state: PathBuf,
}

impl Cloud {
    pub(crate) fn start(workspace: &Workspace, state: &Path) -> Result<Self> {
        fs::create_dir_all(state)?;
        let mut command = command(emulator::program(workspace));
        command.args(["--devices", "loop", "--state"]).arg(state);
        Ok(Self {
            emulator: Running::start(&mut command)?,
            state: state.to_owned(),
        })
    }

    /// `ecs`, `metadata`, `access_key_id`, …
    pub(crate) fn endpoint(&self, name: &str) -> Result<&str> {
        self.emulator.endpoint(name)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// What `alicloud-disk` needs to speak to this cloud and to see its disks.
    pub(crate) fn grants(&self) -> Result<String> {
        let id = self.file("access-key-id");
        fs::write(&id, self.endpoint("access_key_id")?)?;
        let (ca, secret) = (self.file("ca.pem"), self.file("secret"));
        let text = format!(
            r#"component = "alicloud-disk"
flexvolume = "alicloud/disk"

[grants.mounts]

[grants.block-devices]
devices = ["virtio-*", "loop-*"]
filesystems = ["ext4", "xfs"]
mount-options = ["nouuid"]

[grants.https.ecs]
origin = "{ecs}"
region = "cn-hangzhou"
methods = ["POST"]
paths = ["/"]
addresses = ["127.0.0.1"]
ca = "{ca}"

[grants.https.metadata]
origin = "{metadata}"
methods = ["GET", "PUT"]
paths = ["/latest/api/token", "/latest/dynamic/instance-identity/document"]
addresses = ["127.0.0.1"]

[grants.signing.access-key]
source = "file"
id-file = "{id}"
secret-file = "{secret}"
"#,
            ecs = self.endpoint("ecs")?,
            metadata = self.endpoint("metadata")?,
            ca = ca.display(),
            id = id.display(),
            secret = secret.display(),
        );
        Ok(text)
    }

    /// No data disk and no snapshot is left.
    pub(crate) fn expect_nothing_left(&self) -> Result<()> {
        let state = self.state()?;
        let disks = state["disks"].as_object().context("a cloud has disks")?;
        let data = disks.values().filter(|disk| disk["usage"] == "Data");
        ensure!(data.count() == 0, "a disk is left in the cloud");
        let snapshots = state["snapshots"].as_object();
        ensure!(
            snapshots.is_none_or(serde_json::Map::is_empty),
            "a snapshot is left in the cloud"
        );
        Ok(())
    }

    fn state(&self) -> Result<Value> {
        let address = self.endpoint("control")?.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "GET /state HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer
            .split_once("\r\n\r\n")
            .context("the emulator did not answer")?;
        Ok(serde_json::from_str(body)?)
    }
}
