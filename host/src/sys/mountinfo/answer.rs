//! What statmount(2) answers, as bytes: where things lie in them, and what they mean.

use std::path::PathBuf;

use super::entry::{MountEntry, ToldBy};

// What can be asked for, and which of it was answered.
const SB_BASIC: u64 = 0x1;
const MNT_BASIC: u64 = 0x2;
const MNT_ROOT: u64 = 0x8;
const FS_TYPE: u64 = 0x20;
const FS_SUBTYPE: u64 = 0x100;
const SB_SOURCE: u64 = 0x200;

/// Whether a mount can be written to; without texts, which cost the kernel twice as much as all else.
pub(super) const FLAGS: u64 = SB_BASIC | MNT_BASIC;

/// Without these an entry is not whole.
const NEEDED: u64 = FLAGS | MNT_ROOT | FS_TYPE | SB_SOURCE;

/// All of which something is made here. Bits that a kernel does not know it passes over.
pub(super) const WHOLE: u64 = NEEDED | FS_SUBTYPE;

const SB_RDONLY: u32 = 1;
const MOUNT_ATTR_RDONLY: u64 = 1;

/// Where things lie in the answer, `struct statmount`; texts come after it, each by its offset from there.
mod at {
    pub(super) const MASK: usize = 8;
    pub(super) const SB_DEV_MAJOR: usize = 16;
    pub(super) const SB_DEV_MINOR: usize = 20;
    pub(super) const SB_FLAGS: usize = 32;
    pub(super) const FS_TYPE: usize = 36;
    pub(super) const MNT_ATTR: usize = 64;
    pub(super) const MNT_ROOT: usize = 104;
    pub(super) const FS_SUBTYPE: usize = 120;
    pub(super) const SB_SOURCE: usize = 124;
}

/// Without texts.
pub(super) const STRUCT_SIZE: usize = 512;

/// None where something is missing.
pub(super) fn entry(answer: &[u8]) -> Option<MountEntry> {
    let mask = long(answer, at::MASK)?;
    if mask & NEEDED != NEEDED {
        return None;
    }
    let mut fs_type = text(answer, at::FS_TYPE)?;
    if mask & FS_SUBTYPE != 0 {
        fs_type = format!("{fs_type}.{}", text(answer, at::FS_SUBTYPE)?);
    }
    let major = number(answer, at::SB_DEV_MAJOR)?;
    let minor = number(answer, at::SB_DEV_MINOR)?;
    Some(MountEntry {
        fs_type,
        source: text(answer, at::SB_SOURCE)?,
        root: PathBuf::from(text(answer, at::MNT_ROOT)?),
        device: format!("{major}:{minor}"),
        read_only: is_read_only(answer)?,
        told_by: ToldBy::Mount,
    })
}

/// Of the mount or of its filesystem. None where that was not told.
pub(super) fn is_read_only(answer: &[u8]) -> Option<bool> {
    let is_told = long(answer, at::MASK)? & FLAGS == FLAGS;
    let is_filesystem = number(answer, at::SB_FLAGS)? & SB_RDONLY != 0;
    let is_mount = long(answer, at::MNT_ATTR)? & MOUNT_ATTR_RDONLY != 0;
    is_told.then_some(is_filesystem || is_mount)
}

fn number(answer: &[u8], at: usize) -> Option<u32> {
    answer
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_ne_bytes)
}

fn long(answer: &[u8], at: usize) -> Option<u64> {
    answer
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u64::from_ne_bytes)
}

/// The text whose offset lies there.
fn text(answer: &[u8], offset_at: usize) -> Option<String> {
    let begins = STRUCT_SIZE + usize::try_from(number(answer, offset_at)?).ok()?;
    let rest = answer.get(begins..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an ext4 filesystem on 254:0, as the kernel lays it out.
    fn answer(mask: u64, filesystem_flags: u32, mount_attributes: u64) -> Vec<u8> {
        let mut answer = vec![0; STRUCT_SIZE];
        let mut put = |at: usize, bytes: &[u8]| answer[at..at + bytes.len()].copy_from_slice(bytes);
        put(at::MASK, &mask.to_ne_bytes());
        put(at::SB_DEV_MAJOR, &254_u32.to_ne_bytes());
        put(at::SB_FLAGS, &filesystem_flags.to_ne_bytes());
        put(at::MNT_ATTR, &mount_attributes.to_ne_bytes());
        put(at::FS_TYPE, &0_u32.to_ne_bytes());
        put(at::MNT_ROOT, &5_u32.to_ne_bytes());
        put(at::SB_SOURCE, &8_u32.to_ne_bytes());
        answer.extend(b"ext4\0/a\0/dev/vdb\0");
        answer
    }

    #[test]
    fn an_answer_is_read_as_the_kernel_lays_it_out() {
        let entry = entry(&answer(NEEDED, 0, 0)).expect("whole");
        assert_eq!(entry.fs_type, "ext4");
        assert_eq!(entry.source, "/dev/vdb");
        assert_eq!(entry.root, PathBuf::from("/a"));
        assert_eq!(entry.device, "254:0");
        assert!(!entry.read_only);
    }

    #[test]
    fn a_mount_refuses_writes_where_it_or_its_filesystem_does() {
        let is_read_only = |filesystem, mount| is_read_only(&answer(FLAGS, filesystem, mount));
        assert_eq!(is_read_only(0, 0), Some(false));
        assert_eq!(is_read_only(SB_RDONLY, 0), Some(true));
        assert_eq!(is_read_only(0, MOUNT_ATTR_RDONLY), Some(true));
        assert_eq!(is_read_only(!SB_RDONLY, !MOUNT_ATTR_RDONLY), Some(false));
    }

    #[test]
    fn what_was_not_answered_is_not_made_up() {
        assert_eq!(entry(&answer(NEEDED & !SB_SOURCE, 0, 0)), None);
        assert_eq!(is_read_only(&answer(SB_BASIC, 0, 0)), None);
        assert_eq!(entry(&[0; 40]), None);
        assert_eq!(is_read_only(&[]), None);
    }
}
