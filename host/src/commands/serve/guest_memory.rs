//! How much memory the guests of a process may take together.

use clap::Args;
use drivebay::config;
use drivebay::driver::Driver;
use drivebay::sys::{MemoryLimit, memory_limit};

/// Where there is a control group, half of its memory is for the host itself, its threads and its workers, which
/// the group counts too.
const OF_GROUP: u64 = 2;

/// Of a whole machine, which is others' as well.
const OF_MACHINE: u64 = 8;

/// Where the kernel does not tell.
const OTHERWISE: u64 = 256 << 20;

#[derive(Debug, Args)]
pub(super) struct GuestMemory {
    /// Memory for all guests at once, such as 256Mi, in equal shares for the drivers; half of the control group's
    /// limit if not given, or an eighth of the machine's where there is none
    #[arg(long = "guest-memory", value_name = "SIZE", value_parser = config::size)]
    bytes: Option<u64>,
}

impl GuestMemory {
    /// Of each driver: whatever the guests of one take, none of another waits for it.
    pub(super) fn share(&self, drivers: usize) -> usize {
        let bytes = self.bytes.unwrap_or_else(|| match memory_limit() {
            Some(MemoryLimit::Group(bytes)) => bytes / OF_GROUP,
            Some(MemoryLimit::Machine(bytes)) => bytes / OF_MACHINE,
            None => OTHERWISE,
        });
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        bytes / drivers.max(1)
    }
}

/// The driver, whose guests take no more than that.
pub(super) fn within(share: usize, driver: Driver) -> Driver {
    let (config, mib) = (driver.config(), share >> 20);
    tracing::info!(driver.name = config.name.0, mib, "memory for its guests");
    if config.limits.memory_bytes > share {
        tracing::warn!(
            driver.name = config.name.0,
            mib,
            "one guest may take more by limits.memory than there is for all; give more by --guest-memory"
        );
    }
    driver.with_guests_within(share)
}
