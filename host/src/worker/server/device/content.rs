//! What is on a disk, and where on it the filesystem is.

use super::blank::{Ends, is_blank};
use super::block::Block;
use super::direct_io::Direct;
use super::find::Disk;
use super::foreign_signature::{foreign, has_mbr};
use super::partition::{self, Partition};
use super::superblock::{FsType, State, Superblock};
use super::tools::BLKID;
use crate::worker::{Fault, FaultKind};

/// blkid(8): nothing was found.
const BLKID_NOTHING: i32 = 2;

/// What a look at the content found.
#[derive(Debug)]
pub(super) enum Content {
    /// Proven to be empty.
    Blank,
    /// A filesystem of ours, whole.
    Filesystem(Held),
    /// What mkfs left that was killed.
    Unfinished(FsType),
    /// Not empty, and neither we nor blkid recognise anything.
    Unknown,
    /// Something else, by name.
    Other(String),
}

/// A filesystem, and where it is.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) superblock: Superblock,
    /// None where the whole disk holds it.
    partition: Option<(Partition, Block)>,
}

impl Held {
    /// The disk itself, or its only partition.
    pub(super) fn block<'a>(&'a self, disk: &'a Disk) -> &'a Block {
        self.partition
            .as_ref()
            .map_or(&disk.block, |(_, block)| block)
    }

    pub(super) fn partition(&self) -> Option<&Partition> {
        self.partition.as_ref().map(|(partition, _)| partition)
    }
}

impl Content {
    /// For messages: `it holds …`.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Blank => "nothing".to_owned(),
            Self::Filesystem(held) => held.superblock.fs_type.name().to_owned(),
            Self::Unfinished(fs_type) => format!("an unfinished {} filesystem", fs_type.name()),
            Self::Unknown => "data of an unknown kind".to_owned(),
            Self::Other(name) => name.clone(),
        }
    }
}

/// Looks at the disk, and at its partition where there is exactly one. The kernel's partitions count, not
/// only what a table says: a disk with partitions is never blank, whatever its first bytes are.
pub(super) fn of(disk: &Disk) -> Result<Content, Fault> {
    let mut partitions = partition::of(&disk.block)?;
    match (partitions.pop(), partitions.len()) {
        (None, _) => whole(&disk.block),
        (Some(only), 0) => in_partition(disk, only),
        (Some(_), others) => Ok(Content::Other(format!(
            "a partition table with {} partitions; a volume is the whole disk or its only partition",
            others + 1
        ))),
    }
}

fn in_partition(disk: &Disk, partition: Partition) -> Result<Content, Fault> {
    if let Content::Filesystem(held) = whole(&disk.block)? {
        return Ok(Content::Other(format!(
            "both {} and a partition; which one counts cannot be told",
            held.superblock.fs_type.name()
        )));
    }
    let block = partition.open()?;
    match whole(&block)? {
        Content::Filesystem(held) => Ok(Content::Filesystem(Held {
            superblock: held.superblock,
            partition: Some((partition, block)),
        })),
        other
        @ (Content::Blank | Content::Unfinished(_) | Content::Unknown | Content::Other(_)) => {
            Ok(Content::Other(format!(
                "a partition table, and on its only partition {}",
                other.in_words()
            )))
        }
    }
}

/// Looks at a disk or partition as one thing.
pub(super) fn whole(block: &Block) -> Result<Content, Fault> {
    let device = Direct::open(block)?;
    let ends = Ends::read(&device)?;
    if let Some(name) = foreign(&ends) {
        return Ok(Content::Other(name.to_owned()));
    }
    if let Some(superblock) = Superblock::read(&ends.first) {
        return Ok(match superblock.state {
            State::Complete => Content::Filesystem(Held {
                superblock,
                partition: None,
            }),
            State::InProgress => Content::Unfinished(superblock.fs_type),
        });
    }
    if has_mbr(&ends.first) {
        return Ok(Content::Other("dos".to_owned()));
    }
    if is_blank(&device, &ends)? {
        return Ok(Content::Blank);
    }
    Ok(named(block))
}

/// blkid's word is for the message alone, except that its silence is needed before a format that was
/// interrupted is redone.
fn named(block: &Block) -> Content {
    let path = block.path_for_others();
    let path = path.to_string_lossy();
    let arguments = ["-p", "-o", "value", "-s", "TYPE", "-s", "PTTYPE", &path];
    match BLKID.run(&arguments) {
        Ok(outcome) if outcome.code() == Some(BLKID_NOTHING) => Content::Unknown,
        Ok(outcome) if outcome.is_success() && !outcome.answer().is_empty() => {
            Content::Other(outcome.answer().replace('\n', " and "))
        }
        _ => Content::Other("data that blkid could not name".to_owned()),
    }
}

/// The filesystem on a disk that is expected to have one.
pub(super) fn filesystem(disk: &Disk) -> Result<Held, Fault> {
    match of(disk)? {
        Content::Filesystem(held) => Ok(held),
        other
        @ (Content::Blank | Content::Unfinished(_) | Content::Unknown | Content::Other(_)) => {
            Err(Fault::new(
                FaultKind::Precondition,
                format!(
                    "{} has no filesystem that this host mounts: it holds {}",
                    disk.in_words(),
                    other.in_words()
                ),
            ))
        }
    }
}
