//! The one engine configuration. What `drivebay` compiles with it, `drivebay-shim` loads with it: a single
//! differing setting makes compiled code unloadable, so there is no other place that configures.

use std::num::NonZeroUsize;

use wasmtime::{Config, Engine};

/// Names compiled code by what made it. Wasmtime checks version, target and processor features again on
/// loading; this keeps code of another version from being tried at all.
/// `compared` tells it from code of components whose types nobody had compared with the contract.
pub(crate) const FINGERPRINT: &str = concat!(
    "drivebay-",
    env!("CARGO_PKG_VERSION"),
    "-wasmtime-48.0.8-",
    env!("DRIVEBAY_TARGET_ARCH"),
    "-compared"
);

/// Address space kept for one linear memory, as much as limits.memory has by default: a memory that outgrows
/// it is moved, and takes its size twice meanwhile. The default of 4 GiB would fail under RLIMIT_AS and buys
/// nothing here.
pub(crate) const MEMORY_RESERVATION: u64 = 64 << 20;

/// And beyond, each time that it is moved.
const MEMORY_RESERVATION_FOR_GROWTH: u64 = 16 << 20;

const MEMORY_GUARD: u64 = 64 << 10;

/// Innermost functions that a trace is made of. The name of each is copied, and a component may give it megabytes.
const MAX_FRAMES: usize = 8;

/// Makes the engine.
///
/// # Errors
/// Where the processor lacks what the configuration needs.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.epoch_interruption(true);
    config.memory_reservation(MEMORY_RESERVATION);
    config.memory_guard_size(MEMORY_GUARD);
    config.memory_reservation_for_growth(MEMORY_RESERVATION_FOR_GROWTH);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(MAX_FRAMES));
    Engine::new(&config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_names_the_wasmtime_that_is_locked() {
        let lock = include_str!("../../../Cargo.lock");
        let (_, after) = lock
            .split_once("name = \"wasmtime\"\nversion = \"")
            .expect("wasmtime is locked");
        let (version, _) = after.split_once('"').expect("a version");
        assert!(
            FINGERPRINT.contains(&format!("wasmtime-{version}-")),
            "{FINGERPRINT} does not name {version}"
        );
    }
}
