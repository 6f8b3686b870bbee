//! Signatures of what is not ours to touch.
//!
//! blkid knows hundreds; these few are known here because what they mark may look like a filesystem, or
//! like nothing, to whoever reads only a superblock, and because blkid need not be installed.

use super::blank::Ends;

/// Where a signature lies, from the beginning.
const SIGNATURES: [(usize, &[u8], &str); 14] = [
    (0, b"LUKS\xba\xbe", "crypto_LUKS"),
    (0x200, b"EFI PART", "gpt"),
    (0x1000, b"EFI PART", "gpt"),
    (0, b"LABELONE", "LVM2_member"),
    (0x200, b"LABELONE", "LVM2_member"),
    (0x400, b"LABELONE", "LVM2_member"),
    (0x600, b"LABELONE", "LVM2_member"),
    (0, MD_MAGIC, "linux_raid_member"),
    (0x1000, MD_MAGIC, "linux_raid_member"),
    (0xff6, b"SWAPSPACE2", "swap"),
    (0xff6, b"SWAP-SPACE", "swap"),
    (0x8001, b"CD001", "iso9660"),
    (0x10040, b"_BHRfS_M", "btrfs"),
    (0x3, b"-FVE-FS-", "BitLocker"),
];

/// 0xa92b4efc, little-endian (md(4)).
const MD_MAGIC: &[u8] = b"\xfc\x4e\x2b\xa9";

/// What the device belongs to, if that is no filesystem of ours. Asked before any superblock: half of a
/// RAID mirror has a perfect ext4 superblock, and must not be mounted.
pub(super) fn foreign(ends: &Ends) -> Option<&'static str> {
    let at_start = SIGNATURES
        .into_iter()
        .find(|(at, magic, _)| begins_with(&ends.first, *at, magic))
        .map(|(_, _, name)| name);
    at_start.or_else(|| md_at_end(ends))
}

/// Versions 0.90 and 1.0 of the RAID superblock lie before the end.
fn md_at_end(ends: &Ends) -> Option<&'static str> {
    let sectors = ends.size / 512;
    let version_1_0 = ((sectors - 16) & !7) * 512;
    let version_0_90 = (ends.size & !0xffff) - 0x1_0000;
    [version_1_0, version_0_90].into_iter().find_map(|at| {
        let at = usize::try_from(at.checked_sub(ends.last_at)?).ok()?;
        begins_with(&ends.last, at, MD_MAGIC).then_some("linux_raid_member")
    })
}

/// A boot sector with at least one entry that could be a partition, and none that could not.
pub(super) fn has_mbr(first: &[u8]) -> bool {
    let entries = first.get(446..510).unwrap_or_default().chunks_exact(16);
    let plausible = |entry: &[u8]| matches!(entry[0], 0 | 0x80);
    let used = |entry: &[u8]| entry[4] != 0;
    begins_with(first, 510, &[0x55, 0xaa])
        && entries.clone().all(plausible)
        && entries.clone().any(used)
}

fn begins_with(bytes: &[u8], at: usize, magic: &[u8]) -> bool {
    bytes.get(at..at + magic.len()) == Some(magic)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 16 << 20;

    fn ends() -> Ends {
        Ends {
            first: vec![0; 1 << 20],
            last: vec![0; 1 << 20],
            last_at: SIZE - (1 << 20),
            size: SIZE,
        }
    }

    #[test]
    fn each_signature_is_recognised_where_it_belongs() {
        for (at, magic, name) in SIGNATURES {
            let mut ends = ends();
            assert_eq!(foreign(&ends), None);
            ends.first[at..at + magic.len()].copy_from_slice(magic);
            assert_eq!(foreign(&ends), Some(name));
        }
    }

    #[test]
    fn a_raid_superblock_at_the_end_is_recognised() {
        for from_end in [64 << 10, 8 << 10] {
            let mut ends = ends();
            let at = ends.last.len() - from_end;
            ends.last[at..at + 4].copy_from_slice(MD_MAGIC);
            assert_eq!(foreign(&ends), Some("linux_raid_member"));
        }
    }

    #[test]
    fn a_boot_sector_without_partitions_is_no_partition_table() {
        let mut first = vec![0; 512];
        first[510..].copy_from_slice(&[0x55, 0xaa]);
        assert!(!has_mbr(&first));
        first[446 + 4] = 0x83;
        assert!(has_mbr(&first));
        first[446 + 16] = 0x17;
        assert!(!has_mbr(&first), "code of a boot loader");
    }
}
