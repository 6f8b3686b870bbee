//! A network namespace with one emulator in it, for as long as one client needs it.
//!
//! The SDKs ask for the instance's role at an address that is fixed in them, so the emulator has to be there;
//! and what a client sends elsewhere goes nowhere. The namespace goes with its last process.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use drivebay_testbed::Emulator;

use crate::emulator;
use crate::process::command;
use crate::workspace::Workspace;

/// Where the metadata service is on every instance.
const METADATA: &str = "100.100.100.200";

/// An instance besides the one that this machine is.
const OTHER_INSTANCE: &str = "i-bp1drivebaynode00002";

/// What one client may take, in seconds; they take three.
const CLIENT_TIMEOUT: &str = "120";

/// What the emulator may take in all, which is more than the client may.
const EMULATOR_TIMEOUT: &str = "180";

/// Gives a new namespace its addresses and becomes the program.
const ENTER: &str = "ip link set lo up && ip address add \"$0/32\" dev lo && exec \"$@\"";

/// An emulator and nothing else.
pub(super) struct Network {
    emulator: Emulator,
}

impl Network {
    pub(super) fn start(workspace: &Workspace, state: &Path) -> Result<Self> {
        let mut start = command("unshare");
        start.args(["--net", "timeout", "--kill-after", "5", EMULATOR_TIMEOUT]);
        start.args(["sh", "-c", ENTER, METADATA]);
        start.arg(emulator::program(workspace));
        start.arg("--state").arg(state);
        start.args(["--metadata", &format!("{METADATA}:80")]);
        start.args(["--other-instance", OTHER_INSTANCE]);
        let emulator = Emulator::start(&mut start)
            .context("cannot start the ECS emulator in a network namespace, which needs root")?;
        Ok(Self { emulator })
    }

    /// A command in this network, told where the emulator is; its arguments are another command.
    pub(super) fn client(&self) -> Command {
        let network = format!("--net=/proc/{}/ns/net", self.emulator.id());
        let mut client = command("nsenter");
        client.args([
            &network,
            "--",
            "timeout",
            "--kill-after",
            "5",
            CLIENT_TIMEOUT,
        ]);
        // Nobody's keys or proxies.
        client
            .env_clear()
            .env("ECS_EMULATOR", self.emulator.endpoints().to_string())
            .env("ECS_OTHER_INSTANCE", OTHER_INSTANCE);
        client
    }

    /// The certificate of the authority that vouches for the emulator.
    pub(super) fn ca(&self) -> Result<&str> {
        self.emulator.endpoints().get("ca")
    }

    /// Ends the emulator and sees that it ended well.
    pub(super) fn stop(self) -> Result<()> {
        self.emulator.stop()
    }
}
