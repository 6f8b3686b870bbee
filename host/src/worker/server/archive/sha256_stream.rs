//! Bytes on their way, with the digest of all of them.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use crate::digest::hex;

/// A file that is read or written once, from beginning to end.
#[derive(Debug)]
pub(super) struct Sha256Stream<T> {
    inner: T,
    digest: Sha256,
}

impl<T> Sha256Stream<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            digest: Sha256::new(),
        }
    }

    /// Of what went through so far, in hexadecimal.
    pub(super) fn digest(self) -> String {
        hex(&self.digest.finalize())
    }
}

impl<T: Write> Write for Sha256Stream<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.digest.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Sha256Stream<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_and_what_is_read_have_one_digest() {
        // FIPS 180-4's example.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut written = Sha256Stream::new(Vec::new());
        written.write_all(b"a").expect("written");
        written.write_all(b"bc").expect("written");
        assert_eq!(written.digest(), expected);
        let mut read = Sha256Stream::new(&b"abc"[..]);
        io::copy(&mut read, &mut io::sink()).expect("read");
        assert_eq!(read.digest(), expected);
    }
}
