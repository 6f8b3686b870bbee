//! Logs of FlexVolume mode: a file, because stdout and stderr belong to kubelet.
//!
//! Nothing here may fail a call-out: a directory that cannot be written, or is somebody else's, or a full disk, costs
//! the line.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing_subscriber::fmt::MakeWriter;

use crate::sys;

/// Past this size the file becomes `.1`, and the `.1` before it is gone.
const ROTATE_BYTES: u64 = 8 << 20;

/// Opens the file for the first line, not before: most call-outs of a healthy node log one.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
}

impl LogFile {
    /// Sends every event of this process to the file.
    pub fn install(directory: &Path, name: &str) {
        let file = Self {
            path: directory.join(name),
        };
        let subscriber = tracing_subscriber::fmt()
            .with_writer(file)
            .with_ansi(false)
            .with_target(false)
            .finish();
        // Set once, at the start of the process.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }

    fn open(&self) -> io::Result<File> {
        let is_full = |found: fs::Metadata| found.is_file() && found.len() > ROTATE_BYTES;
        if fs::symlink_metadata(&self.path).is_ok_and(is_full) {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            // Two call-outs may both do it; the second then moves an almost empty file, and a few lines are lost.
            let _ = fs::rename(&self.path, old);
        }
        sys::open_log(&self.path)
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Box<dyn Write + 'a>;

    fn make_writer(&'a self) -> Self::Writer {
        match self.open() {
            Ok(file) => Box::new(file),
            Err(_) => Box::new(io::sink()),
        }
    }
}
