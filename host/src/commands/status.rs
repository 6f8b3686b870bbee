//! `drivebay status`: what every process that serves on this machine has done, for people.

mod report;
mod samples;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use drivebay::config::Paths;
use drivebay::sys;

use report::report;
use samples::Samples;

/// A process that is well answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Far more than any number of drivers has.
const MAX_ANSWER: u64 = 16 << 20;

/// Show what each `drivebay serve` on this machine has done: calls, errors, times, refusals
#[derive(Debug, Args)]
pub(crate) struct Status;

impl Status {
    /// Fails where nobody serves, or where somebody who serves does not answer.
    pub(crate) fn run(self, paths: &Paths) -> anyhow::Result<ExitCode> {
        let directory = paths.serving();
        let serving = sys::connect_all(&directory)
            .with_context(|| format!("cannot look into {}", directory.display()))?;
        if serving.is_empty() {
            bail!(
                "no process serves drivers here (none has a socket in {}); start one with `drivebay serve`",
                directory.display()
            );
        }
        let mut code = ExitCode::SUCCESS;
        for (socket, connection) in serving {
            let process = process(&socket);
            match ask(connection) {
                Ok(samples) => print!("{}", report(process, &samples)),
                Err(error) => {
                    println!("process {process} does not answer: {error}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }
}

/// The number in a socket's name: the process as its own container counts.
fn process(socket: &Path) -> &str {
    let name = socket.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.split('-').next()).unwrap_or("?")
}

fn ask(mut connection: UnixStream) -> io::Result<Samples> {
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    connection.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.take(MAX_ANSWER).read_to_string(&mut answer)?;
    let unexpected = || {
        let line = answer.lines().next().unwrap_or_default();
        io::Error::other(format!("it answered {line:?} instead of its metrics"))
    };
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(unexpected)?;
    let status = head.split(' ').nth(1);
    match status == Some("200") {
        true => Samples::parse(body).ok_or_else(unexpected),
        false => Err(unexpected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sockets_name_begins_with_its_process() {
        let socket = Path::new("/run/drivebay/serve/4711-0a1b2c3d.sock");
        assert_eq!(process(socket), "4711");
    }
}
