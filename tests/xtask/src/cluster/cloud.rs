//! The cloud: the ECS emulator, beside the pods in the node's network, where the node's disks are devices of this machine.

use std::time::Duration;

use anyhow::Result;

use super::namespaces::{Namespaces, wait_for};
use super::places::{CLOUD_ADDRESS, METADATA_ADDRESS, Places};
use crate::emulator;
use crate::process::{self, Echo, command};
use crate::workspace::Workspace;

const NAME: &str = "ecs-emulator";

/// Where tests speak to the emulator itself.
const CONTROL_PORT: u16 = 7003;

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts it where clients look for the real one: the API by its name's address, the metadata at its own.
pub(super) fn start(workspace: &Workspace, places: &Places, namespaces: &Namespaces) -> Result<()> {
    let mut emulator = command(emulator::program(workspace));
    emulator.arg("--state").arg(places.running("cloud"));
    emulator.args(["--devices", "loop", "--links", "/run/by-id"]);
    emulator.args(["--listen", &format!("{CLOUD_ADDRESS}:443")]);
    emulator.args(["--metadata", &format!("{METADATA_ADDRESS}:80")]);
    let control = format!("{CLOUD_ADDRESS}:{CONTROL_PORT}");
    emulator.args(["--control", &control]);
    let mut emulator = namespaces.start(NAME, &emulator)?;
    let state = format!("http://{control}/state");
    emulator.wait_for("the emulator", PATIENCE, || {
        namespaces.succeeds(&["busybox", "wget", "-q", "-O", "/dev/null", &state])
    })
}

/// Lets what runs on the node itself find it and trust it, as pods are told by their manifests: FlexVolume's driver does.
pub(super) fn make_known(places: &Places, namespaces: &Namespaces) -> Result<()> {
    let mut shell = namespaces.command("sh");
    shell.args([
        "-ec",
        "mkdir -p /etc/drivebay/ca; cp \"$0\" /etc/drivebay/ca/; echo \"$1\" >> /etc/hosts",
    ]);
    shell.arg(places.running("cloud/ca.pem"));
    shell.arg(format!("{CLOUD_ADDRESS} ecs.cn-hangzhou.aliyuncs.com"));
    process::run(&mut shell, Echo::Silent).map(drop)
}

/// Ends it, so that it takes its devices away. One that has ended already, or never ran, is as well.
pub(super) fn end(places: &Places, namespaces: &Namespaces) {
    let Ok(id) = std::fs::read_to_string(places.running(&format!("{NAME}.pid"))) else {
        return;
    };
    let id = id.trim();
    namespaces.succeeds(&["kill", "-TERM", id]);
    // Devices that hang are taken away with all others later.
    let _ = wait_for("the emulator to end", PATIENCE, || {
        !namespaces.succeeds(&["kill", "-0", id])
    });
}
