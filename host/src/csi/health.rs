//! Whether every driver can be called, and kubelet knows it: what `/readyz` says.
//!
//! Nothing here waits for a guest, a mount or the network, so that health is told while calls hang.

use std::sync::Arc;
use std::time::Instant;

use super::plugin::Service;
use super::registration::KubeletStatus;
use super::takeover::TakeoverStatus;
use crate::driver::{Driver, Readiness};

/// Of all drivers of this process; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Health(Arc<Vec<ServedDriver>>);

#[derive(Debug)]
struct ServedDriver {
    driver: Driver,
    takeover_status: TakeoverStatus,
    kubelet_status: Option<KubeletStatus>,
}

impl Health {
    pub(super) fn of(services: &[&Service]) -> Self {
        let served = services.iter().map(|service| ServedDriver {
            driver: service.0.driver.clone(),
            takeover_status: service.0.takeover_status.clone(),
            kubelet_status: service
                .0
                .registration
                .as_ref()
                .map(|(_, kubelet_status)| kubelet_status.clone()),
        });
        Self(Arc::new(served.collect()))
    }

    /// One line for each driver with which something is wrong; none where all is well.
    pub(super) fn troubles(&self) -> Vec<String> {
        let now = Instant::now();
        self.0.iter().filter_map(|one| one.trouble(now)).collect()
    }
}

impl ServedDriver {
    fn trouble(&self, now: Instant) -> Option<String> {
        // As CSI's Probe has it: a component is loaded that may serve, and this process can do its work.
        let unready = match self.driver.readiness() {
            Readiness::Ready => None,
            Readiness::NotYet(error) | Readiness::Unable(error) => Some(error),
        };
        let unready = unready
            .map(|error| format!("not ready: {}; `drivebay check` says more", error.chain()));
        let unregistered = self
            .kubelet_status
            .as_ref()
            .and_then(|kubelet_status| kubelet_status.trouble(now));
        in_one_line(
            &self.driver.config().name.0,
            unready
                .into_iter()
                .chain(self.takeover_status.trouble())
                .chain(unregistered),
        )
    }
}

fn in_one_line(driver: &str, troubles: impl Iterator<Item = String>) -> Option<String> {
    let troubles: Vec<String> = troubles.collect();
    match troubles.as_slice() {
        [] => None,
        _ => Some(format!("{driver}: {}", troubles.join("; and "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_has_one_line_whatever_is_wrong_with_it() {
        let line = |troubles: &[&str]| {
            let troubles = troubles.iter().map(|&trouble| trouble.to_owned());
            in_one_line("nfs", troubles)
        };
        assert_eq!(line(&[]), None);
        assert_eq!(line(&["not ready"]).as_deref(), Some("nfs: not ready"));
        assert_eq!(
            line(&["not ready", "refused"]).as_deref(),
            Some("nfs: not ready; and refused")
        );
    }
}
