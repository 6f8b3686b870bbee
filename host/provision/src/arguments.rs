//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use drivebay::config::{self, Paths};
use drivebay::csi::MetricsAddress;

use crate::claim::NamedSnapshots;
use crate::predecessor::DeploymentName;

/// Makes volumes for claims of StorageClasses whose provisioner is a FlexVolume driver's name, such as alicloud/disk, and
/// deletes them when they are released. Finds the API server as kubectl does, or in its pod.
#[derive(Debug, Parser)]
#[command(
    name = "drivebay-provision",
    version,
    after_help = "drivebay-provision migrate turns FlexVolume PersistentVolumes into those of CSI, and drivebay-provision \
                  deliver has kubelet look at new components at once: see their --help."
)]
pub(crate) struct Arguments {
    /// The driver: the name of its file in drivers.d; its `flexvolume` is the name that StorageClasses have as provisioner
    #[arg(long, value_name = "NAME")]
    pub(crate) driver: String,
    /// Where it writes down what it is going to make, and the lease of who works
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) namespace: String,
    /// A directory with NAME.wasm, NAME.wasm.zst or NAME.wasm.gz, and NAME.wasm.sig beside it where a signature is
    /// required: a mounted ConfigMap. Repeat it for more
    #[arg(long, value_name = "DIR")]
    pub(crate) components_from: Vec<PathBuf>,
    /// How many volumes are made and deleted at once
    #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) at_once: u16,
    /// How long whoever works may be silent before another process takes over
    #[arg(long, default_value = "15s", value_name = "TIME", value_parser = lease_duration)]
    pub(crate) lease_duration: Duration,
    /// What becomes of claims that name a snapshot by the old controller's annotation
    /// provider.disksnapshot.aliyuncs.com/disk-snapshot-id or by csi.alibabacloud.com/disk-snapshot-id. Whoever may write
    /// claims can then read every snapshot that the key may use
    #[arg(long, value_enum, default_value_t = NamedSnapshots::Refuse, value_name = "WHAT")]
    pub(crate) named_snapshots: NamedSnapshots,
    /// A Deployment of another controller that answers to the driver's name: while it runs, this one does not. Repeat it for
    /// more
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) not_beside: Vec<DeploymentName>,
    /// Serve /metrics for Prometheus, /livez and /readyz there, as plain HTTP and without asking who is there: IP:PORT, or
    /// unix:///path of a socket
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_address: Option<MetricsAddress>,
    #[command(flatten)]
    roots: Roots,
}

/// Where things lie, as for `drivebay`.
#[derive(Debug, clap::Args)]
struct Roots {
    /// The operator's files
    #[arg(long, env = "DRIVEBAY_CONFIG_DIR", default_value = "/etc/drivebay")]
    config_dir: PathBuf,
    /// Components, compiled code, journal
    #[arg(long, env = "DRIVEBAY_STATE_DIR", default_value = "/var/lib/drivebay")]
    state_dir: PathBuf,
    /// Locks
    #[arg(long, env = "DRIVEBAY_RUN_DIR", default_value = "/run/drivebay")]
    run_dir: PathBuf,
    /// Logs of call-outs
    #[arg(long, env = "DRIVEBAY_LOG_DIR", default_value = "/var/log/drivebay")]
    log_dir: PathBuf,
}

impl Arguments {
    pub(crate) fn paths(&self) -> Paths {
        Paths {
            config: self.roots.config_dir.clone(),
            state: self.roots.state_dir.clone(),
            run: self.roots.run_dir.clone(),
            log: self.roots.log_dir.clone(),
        }
    }
}

/// Leases count in whole seconds, of which a renewal takes a part.
fn lease_duration(text: &str) -> Result<Duration, String> {
    let duration = config::duration(text)?;
    match duration.as_secs() >= 2 && duration.subsec_nanos() == 0 {
        true => Ok(duration),
        false => Err("it has to be whole seconds, and two at least".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
        assert_eq!(lease_duration("15s"), Ok(Duration::from_secs(15)));
        assert!(lease_duration("1s").is_err() && lease_duration("2500ms").is_err());
    }
}
