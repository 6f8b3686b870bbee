//! Files that are read to be copied elsewhere: of one directory, and nothing that links lead to out of it.

use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::directory::check_parents;
use super::durable::check_trusted;
use super::key_file::read_open_key;
use super::{OpenDirectory, TrustError};

/// A file by its path beneath a directory, of so many bytes at most. It has to be ours or root's, and nobody else's to
/// write or to exchange.
///
/// # Errors
/// [`TrustError`].
pub fn read_trusted_beneath(
    directory: &Path,
    place: &Path,
    most: u64,
) -> Result<Vec<u8>, TrustError> {
    check_parents(&directory.join(place))?;
    let file = OpenDirectory::open(directory)?.open_file(place.as_os_str())?;
    check_trusted(&file)?;
    let mut content = Vec::new();
    file.take(most + 1).read_to_end(&mut content)?;
    match content.len() as u64 > most {
        true => {
            let reason = format!("it is larger than the {most} bytes that are copied at most");
            Err(TrustError::Io(io::Error::other(reason)))
        }
        false => Ok(content),
    }
}

/// The same of a key's file, as [`super::read_key_file`] believes it.
///
/// # Errors
/// [`TrustError`]; never with anything of what it holds.
pub fn read_key_beneath(directory: &Path, place: &Path) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    check_parents(&directory.join(place))?;
    read_open_key(OpenDirectory::open(directory)?.open_file(place.as_os_str())?)
}
