//! Trees as tar files: POSIX pax format, as GNU tar and bsdtar read and write it.

mod counted;
pub(super) mod extract;
pub(super) mod pack;
mod reader;
pub(super) mod records;
mod sha256_stream;
mod withheld;

/// Bytes kept before they are written or compressed.
const BUFFER: usize = 1 << 20;

const BLOCK: usize = 512;

/// A sparse file in more pieces is packed as if it had no holes, so that a reader can bound the map.
const MAX_EXTENTS: usize = 1 << 20;

/// Of attributes in pax records, as star and GNU tar name them.
const XATTR_PREFIX: &str = "SCHILY.xattr.";
