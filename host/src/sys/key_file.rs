//! Files that hold keys.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use super::directory::check_parents;
use super::{TrustError, owner};

/// Tokens of service accounts have one or two KiB.
const MAX_BYTES: u64 = 64 << 10;

/// A key's file, as it is now. It may be a link and readable by others, as in a mounted Kubernetes Secret,
/// but not writable by everyone, nor somebody else's, nor where others may exchange it: whoever writes it decides
/// whose key is used.
///
/// # Errors
/// [`TrustError`]; never with anything of what it holds.
pub fn read_key_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    check_parents(path)?;
    // A pipe would keep us waiting for whoever writes to it.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    read_open_key(options.open(path)?)
}

/// The same of an open file.
pub(super) fn read_open_key(file: File) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(TrustError::Io(io::Error::other("it is not a regular file")));
    }
    if metadata.mode() & 0o002 != 0 {
        let mode = metadata.mode() & 0o7777;
        return Err(TrustError::Untrusted(format!(
            "its mode {mode:04o} lets everyone write it; chmod o-w"
        )));
    }
    if !owner::is_trusted(metadata.uid()) {
        return Err(TrustError::Untrusted(format!(
            "it belongs to user {}, not to {}; chown it",
            metadata.uid(),
            owner::whose()
        )));
    }
    let mut content = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_BYTES {
        let reason = format!("it is larger than {MAX_BYTES} bytes, which no key is");
        return Err(TrustError::Io(io::Error::other(reason)));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_key_is_read_through_the_links_of_a_mounted_secret() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("..data");
        fs::write(&file, "key\n").expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("ours");
        let link = directory.path().join("secret");
        symlink("..data", &link).expect("linked");
        let content = read_key_file(&link).expect("readable");
        assert_eq!(content.as_slice(), b"key\n");
    }

    #[test]
    fn a_key_that_others_could_have_put_there_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("secret");
        fs::write(&file, "key").expect("written");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).expect("ours");
        let error = read_key_file(&file).expect_err("exchangeable").to_string();
        assert!(error.contains("mode 0777; chmod go-w"), "{error}");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o1777)).expect("ours");
        read_key_file(&file).expect("as in a mounted secret");
        std::os::unix::fs::chown(&file, Some(65_534), None).expect("root");
        let error = read_key_file(&file).expect_err("theirs").to_string();
        assert!(error.contains("belongs to user 65534"), "{error}");
    }

    #[test]
    fn what_everyone_can_write_or_is_no_file_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("secret");
        fs::write(&file, "key").expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o646)).expect("ours");
        let error = read_key_file(&file).expect_err("everyone's");
        assert!(error.to_string().contains("chmod o-w"), "{error}");
        assert!(read_key_file(directory.path()).is_err());
        assert!(read_key_file(&directory.path().join("none")).is_err());
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o600)).expect("made");
        assert!(read_key_file(&pipe).is_err());
        fs::write(&file, vec![b'x'; 70_000]).expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("ours");
        assert!(read_key_file(&file).is_err());
    }
}
