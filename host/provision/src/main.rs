//! `drivebay-provision`: claims of StorageClasses whose provisioner is a FlexVolume driver become volumes.
//!
//! Kubernetes makes no such volumes by itself and has no sidecar that does. This program does it beside the API server: by
//! the host's library and so by the driver's one component, as `drivebay serve` makes volumes for CSI's sidecars.
//!
//! ```text
//! claims      what a claim wants is written down as an intent             claim, intent, topology, quantity: pure
//! intents     what is written down is made, or undone                     next_step, volume, verdict: pure
//! volumes     what a claim has left is deleted                            next_step: pure
//! backend     calls of the driver
//! lease       which of several processes works
//! predecessor who else answers to the same name
//! metrics     what it says of itself, with health                         backlog: pure
//! ```
//!
//! `drivebay-provision migrate` is another program in the same file, for an operator, and `drivebay-provision deliver` a
//! third one, which has kubelet look at new components at once: they ask the API server too, as no command of `drivebay` does.

mod arguments;
mod backend;
mod backlog;
mod claim;
mod claims;
mod components;
mod deliver;
mod doubts;
mod events;
mod health;
mod intent;
mod intents;
mod lease;
mod memory;
mod metrics;
mod migrate;
mod names;
mod next_step;
mod nodes;
mod predecessor;
mod provisioning;
mod quantity;
mod reflected;
mod run;
mod topology;
mod turns;
mod verdict;
mod volume;
mod volumes;

use std::alloc::System;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use drivebay::driver::SELF_TEST;
use drivebay::worker::server;
use drivebay::{store, sys};
use zeroizing_alloc::ZeroAlloc;

/// Secrets come through buffers that are nobody's here.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    sys::forbid_core_dumps();
    let mut arguments = std::env::args_os().peekable();
    if arguments
        .next()
        .is_some_and(|program| server::is_worker(&program))
    {
        return work(arguments);
    }
    let word = arguments.peek().and_then(|word| word.to_str());
    let ended = match word.map(str::to_owned).as_deref() {
        Some("migrate") => migrate::run(&migrate::Arguments::parse_from(arguments)),
        Some("deliver") => deliver::run(&deliver::Arguments::parse_from(arguments)).map(succeeded),
        _ => run::run(arguments::Arguments::parse()).map(succeeded),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            // Where nobody reads it, the code says it.
            let _ = writeln!(std::io::stderr(), "drivebay-provision: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn succeeded((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// As a worker of the host: this executable is its own, as `drivebay` is.
fn work(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let purpose = arguments.next();
    if server::is_compiler(purpose.as_deref()) {
        return match store::serve_compiler(arguments, SELF_TEST) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let _ = server::serve_worker(purpose.as_deref());
    ExitCode::SUCCESS
}
