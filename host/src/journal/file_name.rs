//! File names made of keys, paths and parameters.

use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::volume::Parameters;

/// Keys and paths have characters and lengths that file names cannot have.
pub(crate) fn file_stem(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..20])
}

/// The same for what is said of a volume, however it is spelled and in whatever order.
pub(crate) fn content_stem(context: &Parameters) -> String {
    let mut pairs: Vec<String> = context
        .pairs()
        .iter()
        // With lengths, because a value may hold whatever would separate it from the next.
        .map(|(key, value)| {
            let key = key.to_ascii_lowercase();
            format!("{} {key}{} {value}", key.len(), value.len())
        })
        .collect();
    pairs.sort();
    file_stem(pairs.concat().as_bytes())
}
