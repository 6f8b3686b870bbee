//! The command line: starts an emulator, says where it is, and serves until it is told to stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

use ecs_emulator::settings::{ANY_PORT, Backing, DeviceKind, OnStop};
use ecs_emulator::words::{AccessKeyId, InstanceId, RegionId, Secret, ZoneId};
use ecs_emulator::{Emulator, Settings};

/// Where a secret from outside is read from.
const SECRET_VARIABLE: &str = "ECS_EMULATOR_SECRET";

/// Alibaba Cloud's ECS disk API on this machine, for tests
#[derive(Parser)]
struct Cli {
    /// Where everything is kept over restarts
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Where the API listens, with TLS
    #[arg(long, default_value_t = ANY_PORT)]
    listen: SocketAddr,
    /// Where the metadata service listens
    #[arg(long, default_value_t = ANY_PORT)]
    metadata: SocketAddr,
    /// Where tests control the emulator
    #[arg(long, default_value_t = ANY_PORT)]
    control: SocketAddr,
    /// The one region there is
    #[arg(long, default_value = "cn-hangzhou")]
    region: RegionId,
    /// The zone of all instances
    #[arg(long, default_value = "cn-hangzhou-g")]
    zone: ZoneId,
    /// The instance that this machine is
    #[arg(long, default_value = "i-bp1drivebaynode00001")]
    instance: InstanceId,
    /// Another instance that exists; may be given more than once
    #[arg(long = "other-instance", default_values = ["i-bp1drivebaynode00002", "i-bp1drivebaynode00003"])]
    other_instances: Vec<InstanceId>,
    /// What devices are made of
    #[arg(long, default_value = "none")]
    devices: Devices,
    /// Where links to loop devices are made
    #[arg(long, default_value = "/dev/disk/by-id")]
    links: PathBuf,
    /// QEMU's monitor, as a port of the virtual machine
    #[arg(long, default_value = "/dev/virtio-ports/qmp")]
    qmp: PathBuf,
    /// Where QEMU on its host sees a directory of this machine
    #[arg(long, value_name = "GUESTPATH=HOSTPATH", value_parser = backing)]
    backing: Option<Backing>,
    /// How long each asynchronous transition takes [default: as before, or 50]
    #[arg(long, value_name = "N")]
    delay_ms: Option<u64>,
    /// The access key's id; its secret comes from ECS_EMULATOR_SECRET or from DIR/secret
    #[arg(long, default_value = "testid")]
    access_key_id: AccessKeyId,
    /// Leave devices and links behind for the next run
    #[arg(long)]
    keep_devices: bool,
    /// Stop when standard input ends
    #[arg(long)]
    until_stdin_closes: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Devices {
    None,
    Loop,
    Qemu,
}

fn backing(text: &str) -> Result<Backing, String> {
    let (here, there) = text.split_once('=').ok_or("GUESTPATH=HOSTPATH is wanted")?;
    Ok(Backing {
        here: PathBuf::from(here),
        there: PathBuf::from(there),
    })
}

impl Cli {
    fn settings(self) -> Result<Settings> {
        let devices = match self.devices {
            Devices::None => DeviceKind::None,
            Devices::Loop => DeviceKind::Loop { links: self.links },
            Devices::Qemu => DeviceKind::Qemu {
                port: self.qmp,
                backing: self.backing.context("--devices qemu needs --backing")?,
            },
        };
        let secret = std::env::var(SECRET_VARIABLE).ok();
        Ok(Settings {
            listen: self.listen,
            metadata: self.metadata,
            control: self.control,
            region: self.region,
            zone: self.zone,
            instance: self.instance,
            other_instances: self.other_instances,
            devices,
            delay: self.delay_ms.map(Duration::from_millis),
            access_key_id: self.access_key_id,
            secret: secret.filter(|text| !text.is_empty()).map(Secret::from),
            ..Settings::new(self.state)
        })
    }
}

fn main() -> ExitCode {
    match serve(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "ecs-emulator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(run(cli));
    // Standard input may still be read by a thread that nothing ends.
    runtime.shutdown_background();
    result
}

async fn run(cli: Cli) -> Result<()> {
    let on_stop = if cli.keep_devices {
        OnStop::KeepDevices
    } else {
        OnStop::RemoveDevices
    };
    let until_stdin_closes = cli.until_stdin_closes;
    // Before anyone is told that we run, so that whoever stops us at once stops us well.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let emulator = Emulator::start(cli.settings()?).await?;
    announce(&serde_json::to_string(emulator.endpoints())?)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = end_of_stdin(), if until_stdin_closes => {}
    }
    emulator.stop(on_stop).await
}

fn announce(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush())?;
    Ok(())
}

async fn end_of_stdin() {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 512];
    while let Ok(1..) = stdin.read(&mut ignored).await {}
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
