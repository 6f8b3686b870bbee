//! Names of unfinished work, which guests can neither see nor write.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::digest::hex;

pub(super) const SUFFIX: &str = ".drivebay-partial";

/// What a name of unfinished work ends in that is being removed.
const ASIDE: &str = "-gone.drivebay-partial";

/// Whether the name is one of unfinished work.
pub(super) fn is_partial(name: &[u8]) -> bool {
    name.starts_with(b".") && name.ends_with(SUFFIX.as_bytes())
}

/// The name under which something is made that takes long.
pub(super) fn partial_name(name: &OsStr) -> OsString {
    let mut partial = OsString::from(".");
    partial.push(name);
    partial.push(SUFFIX);
    partial
}

/// The name under which is removed what had that name of unfinished work: always the same one, for the next remover to find
/// where the first was killed. Such a name is its own.
pub(super) fn aside_name(partial: &OsStr) -> OsString {
    if partial.as_bytes().ends_with(ASIDE.as_bytes()) {
        return partial.to_owned();
    }
    let head = hex(&Sha256::digest(partial.as_bytes())[..8]);
    OsString::from(format!(".{head}{ASIDE}"))
}

/// When a small file was begun, by its name of unfinished work and the clock of who made it.
pub(super) fn begun_at(partial: &[u8]) -> Option<SystemTime> {
    let name = partial
        .strip_prefix(b".")?
        .strip_suffix(SUFFIX.as_bytes())?;
    let (process, nanoseconds) = std::str::from_utf8(name).ok()?.split_once('-')?;
    process.parse::<u32>().ok()?;
    UNIX_EPOCH.checked_add(Duration::from_nanos(nanoseconds.parse().ok()?))
}
