//! `drivebay health`: what a running `serve` says of itself, for a probe that can run a command and reach no port.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use drivebay::csi::MetricsAddress;

use super::output;

/// A process that is well answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A line for each driver.
const MAX_ANSWER: u64 = 1 << 20;

/// Print what a `serve` says of its health: exit 0 where all is well, 1 otherwise.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// What is asked
    #[arg(long, value_enum, default_value_t = Probe::Readiness)]
    probe: Probe,
    /// The --metrics-address of that `serve`: IP:PORT or unix:///path
    #[arg(long, value_name = "ADDRESS")]
    metrics_address: MetricsAddress,
}

/// By Kubernetes' names.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Probe {
    /// Whether it answers at all: what a restart mends
    Liveness,
    /// Whether every driver is ready and kubelet knows it; if not, why
    Readiness,
}

impl Probe {
    fn path(self) -> &'static str {
        match self {
            Self::Liveness => "/livez",
            Self::Readiness => "/readyz",
        }
    }
}

impl Health {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let address = &self.metrics_address;
        let answer = ask(address, self.probe.path()).with_context(|| {
            format!("cannot ask at {address}; see that `drivebay serve` runs with that --metrics-address")
        })?;
        let Some((status, body)) = read(&answer) else {
            let line = answer.lines().next().unwrap_or_default();
            bail!("what listens at {address} is no `drivebay serve`: it answered {line:?}");
        };
        output::lines(body);
        Ok(match status {
            "200" => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

fn ask(address: &MetricsAddress, path: &str) -> io::Result<String> {
    match address {
        MetricsAddress::Tcp(address) => {
            let connection = TcpStream::connect_timeout(address, TIMEOUT)?;
            connection.set_read_timeout(Some(TIMEOUT))?;
            connection.set_write_timeout(Some(TIMEOUT))?;
            exchange(connection, path)
        }
        MetricsAddress::Unix(socket) => {
            let connection = UnixStream::connect(socket)?;
            connection.set_read_timeout(Some(TIMEOUT))?;
            connection.set_write_timeout(Some(TIMEOUT))?;
            exchange(connection, path)
        }
    }
}

fn exchange(mut connection: impl Read + Write, path: &str) -> io::Result<String> {
    connection.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    connection.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Status and body.
fn read(answer: &str) -> Option<(&str, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let is_http = words.next()?.starts_with("HTTP/1.");
    is_http.then_some((words.next()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let answer =
            "HTTP/1.0 503 Service Unavailable\r\ncontent-length: 15\r\n\r\nnfs: not ready\n";
        assert_eq!(read(answer), Some(("503", "nfs: not ready\n")));
        for nonsense in ["", "HTTP/1.0 200 OK\r\n", "220 mail\r\n\r\n"] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }
}
