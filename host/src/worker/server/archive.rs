//! Trees as tar files: POSIX pax format, as GNU tar and bsdtar read and write it.

mod bounded_writer;
pub(super) mod extract;
pub(super) mod own_archives;
pub(super) mod pack;
mod privileged_attributes;
mod reader;
mod sha256_stream;

/// Bytes kept before they are written or compressed.
const BUFFER: usize = 1 << 20;

const BLOCK: usize = 512;

/// A sparse file in more pieces is packed as if it had no holes, so that a reader can bound the map.
const MAX_EXTENTS: usize = 1 << 20;

/// Of attributes in pax records, as star and GNU tar name them.
const XATTR_PREFIX: &str = "SCHILY.xattr.";
