//! A cloud: the ECS emulator, what it keeps, and what is said to it besides the API.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::command;
use crate::{Emulator, Endpoints};

/// The name that this machine has as a node: what ACK calls its nodes.
pub const NODE_NAME: &str = "cn-hangzhou.i-bp1drivebaynode00001";

/// An emulator, running unless it was ended, and where it keeps what it has.
#[derive(Debug)]
pub struct Cloud {
    emulator: Option<Emulator>,
    endpoints: Endpoints,
    program: PathBuf,
    state: PathBuf,
}

impl Cloud {
    /// Runs the emulator's program with these arguments.
    pub fn start(program: &Path, state: &Path, arguments: &[&str]) -> Result<Self> {
        fs::create_dir_all(state)?;
        let mut cloud = Self {
            emulator: None,
            endpoints: Endpoints::default(),
            program: program.to_owned(),
            state: state.to_owned(),
        };
        cloud.run(arguments)?;
        Ok(cloud)
    }

    /// Ends the emulator and starts it again on the same ports, with these arguments and everything it kept.
    pub fn restart(&mut self, arguments: &[&str]) -> Result<()> {
        let mut all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        for (flag, name) in [
            ("--listen", "ecs"),
            ("--metadata", "metadata"),
            ("--control", "control"),
        ] {
            let (_, port) = self.endpoint(name)?.rsplit_once('/').unwrap_or_default();
            all.extend([flag.to_owned(), port.to_owned()]);
        }
        self.end();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.run(&all)
    }

    fn run(&mut self, arguments: &[&str]) -> Result<()> {
        let mut command = command(&self.program);
        command.args(arguments).arg("--state").arg(&self.state);
        let emulator = Emulator::start(&mut command)?;
        self.endpoints = emulator.endpoints().clone();
        self.emulator = Some(emulator);
        Ok(())
    }

    /// Ends the emulator; what it kept stays.
    pub fn end(&mut self) {
        self.emulator = None;
    }

    /// `ecs`, `metadata`, `access_key_id`, …
    pub fn endpoint(&self, name: &str) -> Result<&str> {
        self.endpoints.get(name)
    }

    /// A file of the emulator's.
    pub fn file(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// What `alicloud-disk` needs to speak to this cloud, and to see its disks. `key` is the table
    /// `[grants.signing.access-key]`, without its head.
    pub fn grants(&self, key: &str) -> Result<String> {
        let (ecs, metadata) = (self.endpoint("ecs")?, self.endpoint("metadata")?);
        let ca = self.file("ca.pem");
        Ok(format!(
            r#"
component = "alicloud-disk"
flexvolume = "alicloud/disk"
csi-name = "diskplugin.csi.alibabacloud.com"
[grants.mounts]
[grants.block-devices]
devices = ["virtio-*", "loop-*"]
filesystems = ["ext4", "xfs"]
mount-options = ["noatime", "nouuid", "discard"]
[grants.https.ecs]
origin = "{ecs}"
region = "cn-hangzhou"
methods = ["POST"]
paths = ["/"]
addresses = ["127.0.0.1"]
ca = "{ca}"
rate = 60000
[grants.https.metadata]
origin = "{metadata}"
methods = ["GET", "PUT"]
paths = ["/latest/api/token", "/latest/dynamic/instance-identity/document", "/latest/meta-data/hostname"]
addresses = ["127.0.0.1"]
[grants.signing.access-key]
{key}
"#,
            ca = ca.display()
        ))
    }

    /// The permanent key, from files.
    pub fn key_in_files(&self) -> Result<String> {
        let id = self.file("access-key-id");
        fs::write(&id, self.endpoint("access_key_id")?)?;
        Ok(format!(
            "source = \"file\"\nid-file = \"{}\"\nsecret-file = \"{}\"",
            id.display(),
            self.file("secret").display()
        ))
    }

    /// The data disks there are.
    pub fn disks(&self) -> Result<Vec<Value>> {
        let disks = self.resources("disks")?.into_iter();
        Ok(disks.filter(|disk| disk["usage"] == "Data").collect())
    }

    /// All of a kind: `disks`, `snapshots`, `snapshot_groups`.
    pub fn resources(&self, name: &str) -> Result<Vec<Value>> {
        let state = self.control("GET", "/state", "")?;
        let resources = state[name].as_object();
        let resources = resources.with_context(|| format!("the emulator keeps no {name}"))?;
        Ok(resources.values().cloned().collect())
    }

    /// Asks the emulator itself, past the API.
    pub fn control(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let address = self.endpoint("control")?.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, said) = answer
            .split_once("\r\n\r\n")
            .context("the emulator did not answer")?;
        ensure!(
            head.starts_with("HTTP/1.1 200"),
            "{method} {path} {body}: {answer}"
        );
        Ok(serde_json::from_str(said)?)
    }
}
