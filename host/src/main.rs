//! `drivebay`: everything but answering kubelet's exec.

mod commands;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use drivebay::sys;

fn main() -> ExitCode {
    sys::forbid_core_dumps();
    let mut arguments = std::env::args_os();
    if arguments
        .next()
        .is_some_and(|program| sys::is_worker(&program))
    {
        let _ = sys::serve_worker(arguments.next().as_deref());
        return ExitCode::SUCCESS;
    }
    match commands::Cli::parse_from(std::env::args_os().collect::<Vec<OsString>>()).run() {
        Ok(code) => code,
        #[expect(
            clippy::print_stderr,
            reason = "this is where errors reach the person who typed the command"
        )]
        Err(error) => {
            eprintln!("drivebay: {error:#}");
            ExitCode::FAILURE
        }
    }
}
