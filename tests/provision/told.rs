//! What a process tells of itself at a socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Where it does.
pub(crate) struct Told(PathBuf);

impl Told {
    pub(crate) fn at(socket: PathBuf) -> Self {
        Self(socket)
    }

    /// As `--metrics-address` takes it.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.0.display())
    }

    /// What is answered there, with its status; none where nobody answers.
    pub(crate) fn page(&self, path: &str) -> Option<(u16, String)> {
        let mut connection = UnixStream::connect(&self.0).ok()?;
        write!(connection, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        let (head, page) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, page.to_owned()))
    }

    /// Whether all is well, by that page.
    pub(crate) fn is_well(&self, path: &str) -> bool {
        self.page(path) == Some((200, "ok\n".to_owned()))
    }

    /// The value of a series.
    pub(crate) fn figure(&self, series: &str) -> Option<u64> {
        let (_, page) = self.page("/metrics")?;
        let mut lines = page.lines();
        lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }
}
