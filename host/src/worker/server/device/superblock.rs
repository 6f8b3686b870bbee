//! Superblocks of the filesystems we make: which one it is, and how much it covers.

use crate::worker::{Fault, FaultKind};

/// A filesystem that can be made, checked, grown and mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FsType {
    Ext2,
    Ext3,
    Ext4,
    Xfs,
}

/// How a filesystem is cared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ext,
    Xfs,
}

impl FsType {
    const ALL: [Self; 4] = [Self::Ext2, Self::Ext3, Self::Ext4, Self::Xfs];

    /// The kernel's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    pub(super) fn from_name(name: &str) -> Result<Self, Fault> {
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Fault::new(
                FaultKind::Unsupported,
                format!("this host makes no {name:?} filesystems; it knows {names}"),
            )
        })
    }

    /// As what the kernel mounts it, of those names: as itself, or as ext4, whose driver mounts ext2 and ext3 as they
    /// are (Linux, Documentation/admin-guide/ext4.rst).
    pub(super) fn mounted_as(self, names: &[String]) -> Option<Self> {
        let may_be = |fs_type: &Self| names.iter().any(|name| name == fs_type.name());
        let ways = match self {
            Self::Ext2 | Self::Ext3 => [self, Self::Ext4],
            Self::Ext4 | Self::Xfs => [self, self],
        };
        ways.into_iter().find(may_be)
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::Ext2 | Self::Ext3 | Self::Ext4 => Family::Ext,
            Self::Xfs => Family::Xfs,
        }
    }
}

/// What a superblock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) fs_type: FsType,
    pub(super) state: State,
    pub(super) block_bytes: u64,
    pub(super) blocks: u64,
}

/// Whether mkfs came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Complete,
    /// mkfs.xfs writes the superblock first and clears `sb_inprogress` last. mke2fs writes it last.
    InProgress,
}

impl Superblock {
    /// From the beginning of a device.
    pub(super) fn read(first: &[u8]) -> Option<Self> {
        ext(first).or_else(|| xfs(first))
    }

    /// How much of the device it covers.
    pub(super) fn bytes(&self) -> u64 {
        self.blocks.saturating_mul(self.block_bytes)
    }
}

/// Of `struct ext2_super_block` (e2fsprogs, lib/ext2fs/ext2_fs.h); it begins at byte 1024.
mod ext_field {
    pub(super) const AT: usize = 1024;
    pub(super) const BLOCKS_LOW: usize = AT + 0x4;
    pub(super) const LOG_BLOCK_SIZE: usize = AT + 0x18;
    pub(super) const MAGIC: usize = AT + 0x38;
    pub(super) const COMPATIBLE: usize = AT + 0x5c;
    pub(super) const INCOMPATIBLE: usize = AT + 0x60;
    pub(super) const READ_ONLY: usize = AT + 0x64;
    pub(super) const BLOCKS_HIGH: usize = AT + 0x150;
}

const EXT_MAGIC: u16 = 0xef53;
const HAS_JOURNAL: u32 = 0x4;
const JOURNAL_DEVICE: u32 = 0x8;
const SIXTY_FOUR_BIT: u32 = 0x80;
/// filetype, meta_bg.
const EXT2_INCOMPATIBLE: u32 = 0x2 | 0x10;
/// Those, and recover.
const EXT3_INCOMPATIBLE: u32 = EXT2_INCOMPATIBLE | 0x4;
/// sparse_super, large_file, btree_dir.
const EXT3_READ_ONLY: u32 = 0x1 | 0x2 | 0x4;
/// 64 KiB.
const MAX_LOG_BLOCK_SIZE: u32 = 6;

fn ext(first: &[u8]) -> Option<Superblock> {
    let word = |at| Some(u32::from_le_bytes(bytes(first, at)?));
    if u16::from_le_bytes(bytes(first, ext_field::MAGIC)?) != EXT_MAGIC {
        return None;
    }
    let incompatible = word(ext_field::INCOMPATIBLE)?;
    let log_block_size = word(ext_field::LOG_BLOCK_SIZE)?;
    // Another filesystem's journal is not one.
    if incompatible & JOURNAL_DEVICE != 0 || log_block_size > MAX_LOG_BLOCK_SIZE {
        return None;
    }
    let high = match incompatible & SIXTY_FOUR_BIT {
        0 => 0,
        _ => u64::from(word(ext_field::BLOCKS_HIGH)?) << 32,
    };
    Some(Superblock {
        fs_type: ext_type(
            word(ext_field::COMPATIBLE)?,
            incompatible,
            word(ext_field::READ_ONLY)?,
        ),
        state: State::Complete,
        block_bytes: 1024 << log_block_size,
        blocks: high | u64::from(word(ext_field::BLOCKS_LOW)?),
    })
}

/// By what the kernel's ext2 and ext3 could have read, as blkid does it.
fn ext_type(compatible: u32, incompatible: u32, read_only: u32) -> FsType {
    let within = |known: u32| incompatible & !known == 0 && read_only & !EXT3_READ_ONLY == 0;
    match compatible & HAS_JOURNAL {
        0 if within(EXT2_INCOMPATIBLE) => FsType::Ext2,
        0 => FsType::Ext4,
        _ if within(EXT3_INCOMPATIBLE) => FsType::Ext3,
        _ => FsType::Ext4,
    }
}

/// Of `struct xfs_dsb` (Linux, fs/xfs/libxfs/xfs_format.h); big-endian.
fn xfs(first: &[u8]) -> Option<Superblock> {
    if first.get(..4)? != b"XFSB" {
        return None;
    }
    let block_bytes = u32::from_be_bytes(bytes(first, 4)?);
    if !block_bytes.is_power_of_two() || !(512..=65536).contains(&block_bytes) {
        return None;
    }
    Some(Superblock {
        fs_type: FsType::Xfs,
        state: match first.get(126)? {
            0 => State::Complete,
            _ => State::InProgress,
        },
        block_bytes: u64::from(block_bytes),
        blocks: u64::from_be_bytes(bytes(first, 8)?),
    })
}

fn bytes<const N: usize>(from: &[u8], at: usize) -> Option<[u8; N]> {
    from.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::server::device::tests::alone;
    use crate::worker::server::device::tools::Program;

    /// The beginning of a real filesystem in a file.
    fn made(fs_type: FsType, options: &[&str], size: u64) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        file.as_file().set_len(size).expect("grown");
        let name = match fs_type {
            FsType::Ext2 => "mkfs.ext2",
            FsType::Ext3 => "mkfs.ext3",
            FsType::Ext4 => "mkfs.ext4",
            FsType::Xfs => "mkfs.xfs",
        };
        let program = Program {
            name,
            package: "e2fsprogs or xfsprogs",
        };
        let path = file.path().to_str().expect("a name");
        let _alone = alone();
        let outcome = program
            .run(&[&["-q"], options, &[path]].concat())
            .expect("run");
        assert!(outcome.is_success(), "{}", outcome.said());
        std::fs::read(file.path()).expect("read")[..1 << 20].to_vec()
    }

    #[test]
    fn real_filesystems_are_told_apart() {
        for (fs_type, options) in [
            (FsType::Ext2, &[][..]),
            (FsType::Ext3, &[]),
            (FsType::Ext4, &[]),
            (FsType::Ext4, &["-O", "^has_journal"]),
            (FsType::Ext4, &["-b", "1024"]),
        ] {
            let found = Superblock::read(&made(fs_type, options, 64 << 20)).expect("a superblock");
            assert_eq!(found.fs_type, fs_type, "{options:?}");
            assert_eq!(found.bytes(), 64 << 20);
            assert_eq!(found.state, State::Complete);
        }
        let found = Superblock::read(&made(FsType::Xfs, &[], 320 << 20)).expect("a superblock");
        assert_eq!((found.fs_type, found.bytes()), (FsType::Xfs, 320 << 20));
    }

    #[test]
    fn an_unfinished_xfs_is_seen_as_that() {
        let mut first = made(FsType::Xfs, &[], 320 << 20);
        first[126] = 1;
        let found = Superblock::read(&first).expect("a superblock");
        assert_eq!(found.state, State::InProgress);
    }

    #[test]
    fn the_journal_of_another_filesystem_is_no_filesystem() {
        let first = made(FsType::Ext4, &["-O", "journal_dev"], 64 << 20);
        assert_eq!(Superblock::read(&first), None);
    }

    #[test]
    fn noise_is_no_superblock() {
        assert_eq!(Superblock::read(&[]), None);
        assert_eq!(Superblock::read(&[0; 4096]), None);
        assert_eq!(Superblock::read(b"XFSB"), None);
        assert_eq!(Superblock::read(&[0xff; 4096]), None);
    }

    #[test]
    fn ext4_mounts_its_ancestors_and_nothing_else_mounts_another() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        for (held, granted, mounted) in [
            (FsType::Ext3, &["ext4"][..], Some(FsType::Ext4)),
            (FsType::Ext2, &["xfs", "ext4"], Some(FsType::Ext4)),
            (FsType::Ext3, &["ext4", "ext3"], Some(FsType::Ext3)),
            (FsType::Ext4, &["ext3", "ext2"], None),
            (FsType::Ext2, &["ext3"], None),
            (FsType::Xfs, &["ext4"], None),
            (FsType::Xfs, &["ext4", "xfs"], Some(FsType::Xfs)),
        ] {
            assert_eq!(held.mounted_as(&names(granted)), mounted, "{held:?}");
        }
    }

    #[test]
    fn unknown_filesystems_are_named_with_those_that_are_known() {
        let fault = FsType::from_name("ntfs").expect_err("unknown");
        assert!(
            fault.message.contains("ext2, ext3, ext4, xfs"),
            "{}",
            fault.message
        );
    }
}
