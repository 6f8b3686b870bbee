//! A program that listens on sockets.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// How long a program may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ended when dropped.
#[derive(Debug)]
pub struct Serving(Child);

impl Serving {
    /// Starts it, with its log in a file, and waits until somebody listens at each socket.
    pub fn start(mut command: Command, log: &Path, sockets: &[PathBuf]) -> Result<Self> {
        let output = File::create(log)?;
        command.stdout(Stdio::null()).stderr(output);
        let mut serving = Self(command.spawn().context("cannot start what serves")?);
        let until = Instant::now() + PATIENCE;
        while !sockets.iter().all(|path| UnixStream::connect(path).is_ok()) {
            let said = || fs::read_to_string(log).unwrap_or_default();
            ensure!(
                serving.is_alive() && Instant::now() < until,
                "it does not listen; it said:\n{}",
                said()
            );
            thread::sleep(Duration::from_millis(10));
        }
        Ok(serving)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
