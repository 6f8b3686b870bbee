//! `drivebay serve`: drivers on CSI sockets.

mod guest_memory;
mod sockets;
mod verbosity;

use std::num::NonZeroU32;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};
use drivebay::config::{self, DriverConfig, Paths};
use drivebay::csi::{self, MetricsAddress, MetricsConfig, Mode, Plugin};
use drivebay::driver::{self, AttachLimit, Driver};
use drivebay::log_stream;
use drivebay::volume::{DriverName, NodeId};
use guest_memory::GuestMemory;
use sockets::{Served, Sockets};
use verbosity::Verbosity;

use super::sources::Sources;

/// Serve drivers to CSI callers, each on its own Unix socket.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// A driver: the name of its file in drivers.d, or its csi-name. Repeat it for more
    #[arg(
        long = "driver",
        visible_aliases = ["drivername", "driver-name"],
        value_name = "NAME",
        required = true
    )]
    drivers: Vec<String>,
    #[command(flatten)]
    sockets: Sockets,
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
    /// How many volumes this node can have, of drivers whose backend has such a limit; by the table in the driver's file,
    /// or by the backend, if not given
    #[arg(long, env = "MAX_VOLUMES_PERNODE", value_name = "NUMBER")]
    max_volumes_per_node: Option<NonZeroU32>,
    /// Serve Prometheus metrics there: /metrics, and /livez and /readyz; plain HTTP to everybody who can reach that
    /// IP:PORT, or on a Unix socket that is root's alone, unix:///path
    #[arg(long, value_name = "ADDRESS")]
    metrics_address: Option<MetricsAddress>,
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
        log_stream::log_to_stderr(self.verbosity.level());
        paths.close()?;
        let mode: Mode = self.mode.into();
        let share = self.guest_memory.share(self.drivers.len());
        let drivers = self.drivers.iter();
        let drivers: Vec<Driver> = drivers
            .map(|name| Ok(guest_memory::within(share, find(paths, name)?)))
            .collect::<anyhow::Result<_>>()?;
        let served: Vec<Served<'_>> = drivers.iter().map(Served::of).collect();
        let places = self.sockets.places(&served, mode)?;
        self.sockets.make_directories(&places)?;
        if let Some(MetricsAddress::Unix(path)) = &self.metrics_address {
            self.sockets.make_directory_of(path)?;
        }
        let plugin = |(driver, place): (Driver, sockets::Place)| Plugin {
            driver,
            endpoint: place.endpoint,
            mode,
            node: self.node_id.clone().filter(|id| !id.is_empty()).map(NodeId),
            attach_limit: self.max_volumes_per_node.map(AttachLimit),
            register_at: place.register_at,
        };
        let plugins = drivers.into_iter().zip(places).map(plugin).collect();
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
