//! `drivebay serve`: drivers on CSI sockets.

mod guest_memory;
mod verbosity;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};
use drivebay::config::{self, DriverConfig, Paths};
use drivebay::csi::{self, Endpoint, MetricsConfig, Mode, Plugin};
use drivebay::driver::{self, Driver};
use drivebay::log_stream;
use drivebay::volume::{DriverName, NodeId};
use guest_memory::GuestMemory;
use verbosity::Verbosity;

use super::sources::Sources;

/// Serve drivers to CSI callers, each on its own Unix socket.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// A driver: the name of its file in drivers.d, or its csi-name. Repeat it, with an endpoint each
    #[arg(
        long = "driver",
        visible_aliases = ["drivername", "driver-name"],
        value_name = "NAME",
        required = true
    )]
    drivers: Vec<String>,
    /// The driver's socket, unix:///path/csi.sock; in the order of the drivers
    #[arg(
        long = "endpoint",
        env = "CSI_ENDPOINT",
        value_name = "URL",
        required = true,
        value_parser = Endpoint::parse
    )]
    endpoints: Vec<Endpoint>,
    /// Which of CSI's services to offer
    #[arg(long, value_enum, default_value_t = Services::All)]
    mode: Services,
    /// The cluster's name of this node, for backends that have none of their own
    #[arg(
        long,
        visible_aliases = ["nodeid", "nodeID"],
        env = "NODE_ID",
        value_name = "NAME"
    )]
    node_id: Option<String>,
    /// Serve Prometheus metrics at this address: /metrics, and /healthz; plain HTTP to everybody who can reach it
    #[arg(long, value_name = "IP:PORT")]
    metrics_address: Option<SocketAddr>,
    #[command(flatten)]
    updates: Sources,
    #[command(flatten)]
    guest_memory: GuestMemory,
    #[command(flatten)]
    verbosity: Verbosity,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Services {
    /// Beside the cluster's controllers
    Controller,
    /// On a node
    Node,
    /// Both
    All,
}

impl From<Services> for Mode {
    fn from(services: Services) -> Self {
        match services {
            Services::Controller => Self::Controller,
            Services::Node => Self::Node,
            Services::All => Self::All,
        }
    }
}

impl Serve {
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        if self.drivers.len() != self.endpoints.len() {
            bail!(
                "{} drivers and {} endpoints were given; each driver needs one of its own",
                self.drivers.len(),
                self.endpoints.len()
            );
        }
        if let Some(endpoint) = given_twice(&self.endpoints) {
            bail!("endpoint {endpoint} was given twice; each driver needs one of its own");
        }
        log_stream::log_to_stderr(self.verbosity.level());
        paths.close()?;
        let mode: Mode = self.mode.into();
        let share = self.guest_memory.share(self.drivers.len());
        let plugins = self
            .drivers
            .iter()
            .zip(self.endpoints)
            .map(|(name, endpoint)| {
                Ok(Plugin {
                    driver: guest_memory::within(share, find(paths, name)?),
                    endpoint,
                    mode,
                    node: self.node_id.clone().filter(|id| !id.is_empty()).map(NodeId),
                })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let metrics_config = MetricsConfig {
            directory: paths.serving(),
            address: self.metrics_address,
        };
        let following = self
            .updates
            .is_given()
            .then(|| self.updates.follow(paths, self.node_id.as_deref()))
            .transpose()?;
        let served = csi::serve(plugins, &metrics_config);
        drop(following);
        served?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The later one would take over from the earlier one.
fn given_twice(endpoints: &[Endpoint]) -> Option<&Endpoint> {
    let mut later = endpoints.iter().enumerate();
    later
        .find(|(index, endpoint)| endpoints[..*index].contains(endpoint))
        .map(|(_, endpoint)| endpoint)
}

fn find(paths: &Paths, name: &str) -> anyhow::Result<Driver> {
    let found = config::find_driver(paths, &DriverName(name.to_owned()));
    let by_file = driver::or_activated(found, paths, |driver| driver.name.0 == name)?;
    let config = match by_file {
        Some(config) => config,
        None => by_csi_name(paths, name)?,
    };
    Ok(Driver::new(config, paths.clone()))
}

fn by_csi_name(paths: &Paths, name: &str) -> anyhow::Result<DriverConfig> {
    let mut configs = config::load_drivers(paths)?;
    let found = configs
        .iter()
        .position(|config| config.csi_name.as_deref() == Some(name));
    if let Some(index) = found {
        return Ok(configs.swap_remove(index));
    }
    let known: Vec<String> = configs.iter().map(in_words).collect();
    bail!(
        "no driver {name:?} in {}; the drivers there are: {}",
        paths.drivers().display(),
        match known.is_empty() {
            true => "none".to_owned(),
            false => known.join(", "),
        }
    )
}

fn in_words(config: &DriverConfig) -> String {
    match &config.csi_name {
        Some(csi_name) => format!("{} ({csi_name})", config.name),
        None => config.name.to_string(),
    }
}
