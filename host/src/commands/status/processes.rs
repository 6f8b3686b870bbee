//! Processes that serve on this machine, and what they tell of themselves.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use drivebay::csi::Samples;
use drivebay::sys;

/// A process that is well answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Far more than any number of drivers has.
const MAX_ANSWER: u64 = 16 << 20;

/// One that serves on this machine.
pub(super) struct Process {
    /// As its own container counts.
    pub(super) id: String,
    /// What it told, or why it did not.
    pub(super) answer: io::Result<Samples>,
}

/// Of all that answer on a socket there, or should.
pub(super) fn of_all(directory: &Path) -> anyhow::Result<Vec<Process>> {
    let serving = sys::connect_all(directory)
        .with_context(|| format!("cannot look into {}", directory.display()))?;
    let process = |(socket, connection): (PathBuf, UnixStream)| Process {
        id: id(&socket).to_owned(),
        answer: ask(connection),
    };
    Ok(serving.into_iter().map(process).collect())
}

/// The number in a socket's name: the process as its own container counts.
fn id(socket: &Path) -> &str {
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
        assert_eq!(id(socket), "4711");
    }
}
