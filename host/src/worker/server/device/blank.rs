//! The proof that a device is blank.
//!
//! What formatting tools leave behind lies at the beginning or at the end, so those are read whole. Data
//! without any signature could lie anywhere: places all over the device are looked at as well. That is a
//! sample; reading everything would take hours.

use super::direct_io::{ALIGNMENT, Direct};
use crate::worker::{Fault, FaultKind};

/// At either end.
pub(super) const MARGIN: u64 = 1 << 20;
const MARGIN_LENGTH: usize = 1 << 20;

/// Evenly spaced places in between.
const SAMPLES: u64 = 64;

/// Where known formats keep copies of what lies at the beginning: ext's first backup superblock with
/// blocks of 1 KiB and of 4 KiB, btrfs' two mirrors.
const COPIES: [u64; 4] = [8 << 20, 128 << 20, 64 << 20, 256 << 30];

/// What was read to judge a device, kept for those who look for signatures in it.
pub(super) struct Ends {
    pub(super) first: Vec<u8>,
    pub(super) last: Vec<u8>,
    /// Where `last` begins.
    pub(super) last_at: u64,
    pub(super) size: u64,
}

impl Ends {
    pub(super) fn read(device: &Direct<'_>) -> Result<Self, Fault> {
        if device.size <= 2 * MARGIN {
            return Err(Fault::new(
                FaultKind::Precondition,
                format!(
                    "the device has only {} bytes, and nothing of use fits",
                    device.size
                ),
            ));
        }
        let first = device.read(0, MARGIN_LENGTH)?;
        let (last_at, last) = device.read_end(MARGIN)?;
        Ok(Self {
            first,
            last,
            last_at,
            size: device.size,
        })
    }

    fn are_zero(&self) -> bool {
        is_zero(&self.first) && is_zero(&self.last)
    }
}

/// Whether nothing is on the device. Every place is read even after one was not empty: an unreadable place
/// is an error, whatever the others hold.
pub(super) fn is_blank(device: &Direct<'_>, ends: &Ends) -> Result<bool, Fault> {
    let mut blank = ends.are_zero();
    for at in sample_offsets(device.size) {
        blank &= is_zero(&device.read(at, ALIGNMENT)?);
    }
    Ok(blank)
}

fn sample_offsets(size: u64) -> Vec<u64> {
    let samples = (0..SAMPLES).map(|index| size / SAMPLES * index);
    let aligned = samples.chain(COPIES).map(|at| at / LENGTH * LENGTH);
    aligned.filter(|at| at + LENGTH <= size).collect()
}

const LENGTH: u64 = 4096;

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_on_the_device_and_can_be_read_directly() {
        for size in [(2 << 20) + 512, 20 << 30, (1 << 40) + 512] {
            let sample_offsets = sample_offsets(size);
            assert!(sample_offsets.len() >= 64);
            assert!(
                sample_offsets
                    .iter()
                    .all(|at| at % LENGTH == 0 && at + LENGTH <= size)
            );
        }
        assert!(sample_offsets(1 << 40).contains(&(64 << 20)));
        assert!(sample_offsets(1 << 40).contains(&(128 << 20)));
        assert!(!sample_offsets(100 << 20).contains(&(128 << 20)));
    }
}
