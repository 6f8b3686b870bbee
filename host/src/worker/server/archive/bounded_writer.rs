//! A file that is written within bounds.

use std::io::{self, Write};

use crate::worker::server::work_limits::Bounds;

/// A file that is written within bounds.
#[derive(Debug)]
pub(super) struct Counted<'a, F> {
    pub(super) file: F,
    pub(super) bounds: &'a Bounds,
}

impl<F: Write> Write for Counted<'_, F> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.bounds
            .write(written as u64)
            .map_err(io::Error::other)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
