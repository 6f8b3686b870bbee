//! `drivebay-shim`: what kubelet execs. No compiler, no server, no command line of its own: argv is
//! kubelet's.

use std::alloc::System;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use drivebay::config::{self, DriverConfig, FlexVolumeName, Paths};
use drivebay::driver::{self, Driver, Session};
use drivebay::error::DriverError;
use drivebay::flexvolume::{self, DriverPath, Reply};
use drivebay::log_file::LogFile;
use drivebay::sys;
use drivebay::worker::server;
use zeroizing_alloc::ZeroAlloc;

/// Secrets come through buffers that are nobody's here.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    sys::forbid_core_dumps();
    let mut arguments = std::env::args_os();
    let program = PathBuf::from(arguments.next().unwrap_or_default());
    let arguments: Vec<OsString> = arguments.collect();
    if server::is_worker(program.as_os_str()) {
        // A worker's parent reads the end of its replies as failure; the code says nothing more.
        let _ = server::serve_worker(arguments.first().map(OsString::as_os_str));
        return ExitCode::SUCCESS;
    }
    let answer = match sys::silence_standard_streams() {
        Ok(answer) => answer,
        Err(error) => {
            let error = DriverError::exhausted("cannot begin to work").caused_by(error);
            // Nobody is left to tell if that fails too.
            let _ = std::io::stdout().write_all(Reply::failure(&error).to_line().as_bytes());
            return ExitCode::SUCCESS;
        }
    };
    let answer = Arc::new(answer);
    answer_panics(Arc::clone(&answer));
    let paths = Paths::from_environment();
    LogFile::install(&paths.log, "flexvolume.log");
    let reply = flexvolume::answer(&arguments, &program, |name| open(&paths, name, &program));
    answer.write(&reply.to_line());
    ExitCode::SUCCESS
}

/// A panic is a bug, and kubelet still gets one object and exit code 0.
fn answer_panics(answer: Arc<sys::Answer>) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(%place, panic = %panic, "panicked");
        answer.write(&Reply::panicked(&place).to_line());
        #[expect(
            clippy::exit,
            reason = "unwinding or aborting would end with another code than 0"
        )]
        std::process::exit(0);
    }));
}

fn open(paths: &Paths, name: &DriverPath, program: &Path) -> Result<Session, DriverError> {
    let wanted = FlexVolumeName {
        vendor: name.vendor.clone(),
        driver: name.driver.clone(),
    };
    let found = config::find_flexvolume_driver(paths, &wanted);
    let is_wanted = |driver: &DriverConfig| driver.flexvolume.as_ref() == Some(&wanted);
    let found = driver::or_activated(found, paths, is_wanted).map_err(|error| {
        DriverError::failed_precondition("cannot read the drivers' configuration").caused_by(error)
    })?;
    let config = found.ok_or_else(|| {
        DriverError::not_found(format!(
            "no file in {} serves flexvolume = \"{}/{}\", as which {} was called",
            paths.drivers().display(),
            name.vendor,
            name.driver,
            program.display()
        ))
    })?;
    paths.check_state().map_err(|error| {
        DriverError::failed_precondition("cannot use what the host keeps on this node")
            .caused_by(error)
    })?;
    Ok(Driver::new(config, paths.clone()).session())
}
