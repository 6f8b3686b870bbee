//! Logs of FlexVolume mode: a file, because stdout and stderr belong to kubelet.
//!
//! Nothing here may fail a call-out: a directory that cannot be written, or a full disk, costs the line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tracing_subscriber::fmt::MakeWriter;

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
        if fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > ROTATE_BYTES) {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            // Two call-outs may both do it; the second then moves an almost empty file, and a few lines are lost.
            let _ = fs::rename(&self.path, old);
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        options.open(&self.path).or_else(|_| {
            fs::create_dir_all(self.path.parent().unwrap_or(Path::new("/")))?;
            options.open(&self.path)
        })
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
