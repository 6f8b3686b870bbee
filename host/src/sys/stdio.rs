//! Standard streams for callers that read every byte.
//!
//! kubelet takes stdout and stderr as one buffer and parses it as one JSON value: a stray byte from any
//! library, on either, breaks the call. So both are pointed at /dev/null first, and the answer goes out
//! through a private copy of stdout that no child inherits.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};

/// Where the one answer goes.
#[derive(Debug)]
pub struct Answer {
    stream: Mutex<Option<File>>,
}

/// Keeps stdout for the answer and silences all three standard streams.
///
/// # Errors
/// Where /dev/null cannot be opened.
pub fn silence_standard_streams() -> io::Result<Answer> {
    // `try_clone_to_owned` sets CLOEXEC: a child that kept the pipe open would hang kubelet for ever.
    let stdout: OwnedFd = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?;
    let answer = Answer {
        stream: Mutex::new(Some(File::from(stdout))),
    };
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(answer)
}

impl Answer {
    /// Writes the answer once; later calls do nothing, so a panic after it adds no second object.
    pub fn write(&self, line: &str) {
        let stream = self.stream.lock().map(|mut stream| stream.take());
        if let Ok(Some(mut stream)) = stream {
            // Nobody is left to tell if the caller closed its end.
            let _ = stream.write_all(line.as_bytes());
        }
    }
}
