//! `drivebay`: everything but answering kubelet's exec.

mod commands;

use std::alloc::System;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use drivebay::sys;
use drivebay::worker::server;
use zeroizing_alloc::ZeroAlloc;

/// Secrets come through buffers that are nobody's here.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    sys::forbid_core_dumps();
    let mut arguments = std::env::args_os();
    if arguments
        .next()
        .is_some_and(|program| server::is_worker(&program))
    {
        return work(arguments);
    }
    match commands::Cli::parse_from(std::env::args_os().collect::<Vec<OsString>>()).run() {
        Ok(code) => code,
        Err(error) => {
            // Where nobody reads it, the code says it.
            let _ = writeln!(std::io::stderr(), "drivebay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// As a worker. Its parent reads the end of its replies as failure; the code says no more, except of a compiler.
fn work(mut arguments: std::env::ArgsOs) -> ExitCode {
    let purpose = arguments.next();
    if server::is_compiler(purpose.as_deref()) {
        return commands::serve_compiler(arguments);
    }
    let _ = server::serve_worker(purpose.as_deref());
    ExitCode::SUCCESS
}
