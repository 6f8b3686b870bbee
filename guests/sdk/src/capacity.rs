//! Sizes: bytes between two bounds, and what backends make of them.
//!
//! ```
//! use drivebay_guest::capacity::GIB;
//! use drivebay_guest::types::CapacityRange;
//!
//! let range = CapacityRange { required_bytes: Some(GIB + 1), limit_bytes: Some(3 * GIB) };
//! assert_eq!(range.size(), Ok(GIB + 1));
//! assert_eq!(range.required_gib(), 2);
//! assert!(range.refuse_gib_beyond_limit(3).is_ok() && range.refuse_gib_beyond_limit(4).is_err());
//! assert_eq!(range.grown(2 * GIB, "music"), Ok(2 * GIB));
//! ```

use crate::bindings::types::{CapacityRange, Error};

/// Bytes of a gibibyte.
pub const GIB: u64 = 1 << 30;

impl CapacityRange {
    /// Whether a size in bytes lies between the bounds.
    pub fn holds(&self, bytes: u64) -> bool {
        let is_enough = |required| required <= bytes;
        self.required_bytes.is_none_or(is_enough)
            && self.limit_bytes.is_none_or(|limit| bytes <= limit)
    }

    /// The smallest size between the bounds, in bytes; 0 where nothing is asked for. `out-of-range` for bounds between
    /// which nothing lies.
    pub fn size(&self) -> Result<u64, Error> {
        let size = self.required_bytes.unwrap_or_default();
        ensure!(self.holds(size), OutOfRange: "at least {size} bytes are required, which is more than the limit");
        Ok(size)
    }

    /// What a volume that has so many bytes now has to have; `out-of-range` where that is more than the limit.
    pub fn grown(&self, now_bytes: u64, volume: &str) -> Result<u64, Error> {
        let larger = now_bytes.max(self.required_bytes.unwrap_or_default());
        ensure!(self.holds(larger), OutOfRange: "volume {volume} has {larger} bytes already, which is more than the \
            limit");
        Ok(larger)
    }

    /// What is required, in whole GiB: rounded up, 0 where nothing is.
    pub fn required_gib(&self) -> u64 {
        self.required_bytes.unwrap_or_default().div_ceil(GIB)
    }

    /// Whether a volume of so many GiB is what is asked for.
    pub fn holds_gib(&self, gib: u64) -> bool {
        self.required_gib() <= gib && self.refuse_gib_beyond_limit(gib).is_ok()
    }

    /// `out-of-range` for a size that is rounded up beyond the limit. A limit of 0 is none, as in CSI.
    pub fn refuse_gib_beyond_limit(&self, gib: u64) -> Result<(), Error> {
        match self.limit_bytes {
            Some(limit) if limit > 0 && limit / GIB < gib => {
                Err(error!(OutOfRange: "disks have whole GiB: {gib} \
                would be needed, which is more than the limit of {limit} bytes"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(required: Option<u64>, limit: Option<u64>) -> CapacityRange {
        CapacityRange {
            required_bytes: required,
            limit_bytes: limit,
        }
    }

    #[test]
    fn the_smallest_size_in_the_range_is_promised() {
        assert_eq!(between(Some(5), Some(10)).size(), Ok(5));
        assert_eq!(between(None, None).size(), Ok(0));
        assert_eq!(between(None, Some(10)).size(), Ok(0));
    }

    #[test]
    fn an_empty_range_is_out_of_range() {
        let refused = between(Some(10), Some(5)).size();
        assert!(matches!(refused, Err(Error::OutOfRange(_))), "{refused:?}");
    }

    #[test]
    fn a_volume_never_shrinks_and_grows_within_the_limit() {
        assert_eq!(between(Some(20), None).grown(10, "v"), Ok(20));
        assert_eq!(between(Some(5), None).grown(10, "v"), Ok(10));
        let refused = between(Some(5), Some(7)).grown(10, "v");
        assert!(
            matches!(refused, Err(Error::OutOfRange(text)) if text.contains("volume v has 10 bytes"))
        );
    }

    #[test]
    fn bytes_become_whole_gib_and_the_limit_counts_after_that() {
        for (bytes, gib) in [(0, 0), (1, 1), (GIB, 1), (GIB + 1, 2), (u64::MAX, 1 << 34)] {
            assert_eq!(between(Some(bytes), None).required_gib(), gib);
        }
        let range = between(Some(GIB + 1), Some(2 * GIB - 1));
        assert!(!range.holds_gib(1) && !range.holds_gib(2));
        assert!(between(Some(GIB + 1), Some(2 * GIB)).holds_gib(2));
        assert!(between(None, Some(0)).refuse_gib_beyond_limit(1).is_ok());
    }
}
