//! The command line of `drivebay-provision deliver`.

use clap::Parser;
use drivebay::csi::MetricsAddress;

/// Has kubelet look at once at ConfigMaps with components and drivers' files that change, by an annotation of the pods that
/// mount them: one pod first, then the others, until one of them says that it refuses what came. Finds the API server as
/// kubectl does, or in its pod.
#[derive(Debug, Parser)]
#[command(
    name = "drivebay-provision deliver",
    bin_name = "drivebay-provision deliver",
    version
)]
pub(crate) struct Arguments {
    /// Where the pods and their ConfigMaps are
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub(super) namespace: String,
    /// How many pods are annotated in a second, after the first one
    #[arg(long, default_value_t = 100, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) pods_per_second: u16,
    /// Serve /metrics for Prometheus, /livez and /readyz there, as plain HTTP and without asking who is there: IP:PORT, or
    /// unix:///path of a socket
    #[arg(long, value_name = "ADDRESS")]
    pub(super) metrics_address: Option<MetricsAddress>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
        let parsed = Arguments::try_parse_from(["deliver", "--namespace", "drivebay"]);
        assert_eq!(parsed.expect("it is enough").pods_per_second, 100);
    }
}
