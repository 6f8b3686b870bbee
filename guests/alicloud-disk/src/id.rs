//! Names of things in ECS, told apart by type. Pure.
//!
//! What a PersistentVolume says is a stranger's text until it looks like an id; only ids go into calls.

use std::fmt;

use crate::bindings::drivebay::driver::types::{Error, Volume};
use crate::parameter_names;
use crate::params::Params;

/// A disk: `d-…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiskId<'a>(&'a str);

/// An instance: `i-…`. A node of the cluster is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InstanceId<'a>(&'a str);

/// A snapshot: `s-…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SnapshotId<'a>(&'a str);

/// Snapshots that were cut together: `ssg-…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupId<'a>(&'a str);

impl<'a> DiskId<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        is_id("d-", text).then_some(Self(text))
    }

    /// The disk that ECS says it made.
    pub(crate) fn made(said: &'a str) -> Result<Self, Error> {
        let nonsense = || {
            Error::Internal(format!(
                "ECS names a disk \"{said}\", which is no disk's id"
            ))
        };
        Self::parse(said).ok_or_else(nonsense)
    }

    /// The disk of a volume. The parameter `volumeId` comes first: FlexVolume's own name for a volume is that
    /// of its PersistentVolume.
    pub(crate) fn of(volume: &'a Volume) -> Result<Self, Error> {
        if let Some(written) = Params(&volume.context).get(parameter_names::VOLUME_ID) {
            return Self::parse(written).ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "volumeId \"{written}\" of volume {} is no disk's id: write d- and the letters and digits that \
                     follow it in the ECS console",
                    volume.id
                ))
            });
        }
        Self::parse(&volume.id).ok_or_else(|| {
            Error::NotFound(format!(
                "volume {} names no disk: ids of disks begin with d-; a PersistentVolume with another name has \
                 its disk's id in the option volumeId",
                volume.id
            ))
        })
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    /// The serial number of disks made since June 2020, which ECS also tells by itself.
    pub(crate) fn serial(self) -> &'a str {
        self.0.get(2..).unwrap_or_default()
    }
}

impl<'a> InstanceId<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        is_id("i-", text).then_some(Self(text))
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> SnapshotId<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        is_id("s-", text).then_some(Self(text))
    }

    /// The snapshot that ECS says it made.
    pub(crate) fn made(said: &'a str) -> Result<Self, Error> {
        let nonsense = || {
            Error::Internal(format!(
                "ECS names a snapshot \"{said}\", which is no snapshot's id"
            ))
        };
        Self::parse(said).ok_or_else(nonsense)
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> GroupId<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        is_id("ssg-", text).then_some(Self(text))
    }

    /// The group that ECS says it made.
    pub(crate) fn made(said: &'a str) -> Result<Self, Error> {
        let nonsense = || {
            Error::Internal(format!(
                "ECS names a snapshot group \"{said}\", which is no group's id"
            ))
        };
        Self::parse(said).ok_or_else(nonsense)
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for DiskId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for InstanceId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for SnapshotId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for GroupId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// ECS's ids have 22 characters; their length is not promised anywhere.
fn is_id(prefix: &str, text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.strip_prefix(prefix)
        .is_some_and(|rest| (1..=64).contains(&rest.len()) && rest.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(id: &str, context: &[(&str, &str)]) -> Volume {
        let owned = |(key, value): &(&str, &str)| ((*key).into(), (*value).into());
        Volume {
            id: id.into(),
            context: context.iter().map(owned).collect(),
            publish_context: Vec::new(),
        }
    }

    #[test]
    fn the_parameter_wins_over_the_volumes_own_name() {
        let volume_one = volume("pv-data", &[("volumeId", "d-bp1")]);
        let disk = DiskId::of(&volume_one).expect("an id");
        assert_eq!((disk.as_str(), disk.serial()), ("d-bp1", "bp1"));
        let volume_two = volume("d-bp2", &[]);
        let disk = DiskId::of(&volume_two).expect("an id");
        assert_eq!(disk.as_str(), "d-bp2");
    }

    #[test]
    fn a_volume_that_names_no_disk_does_not_exist() {
        for id in ["fake-vol-id", "pv-data", "", "d-"] {
            let volume = volume(id, &[]);
            let error = DiskId::of(&volume).expect_err(id);
            assert!(matches!(error, Error::NotFound(message) if message.contains("volumeId")));
        }
    }

    #[test]
    fn a_parameter_that_is_no_id_is_refused() {
        for written in ["bp1", "D-bp1", "d-bp1\"]", "d-../x", "i-bp1"] {
            let volume = volume("d-bp2", &[("volumeId", written)]);
            let error = DiskId::of(&volume).expect_err(written);
            assert!(matches!(error, Error::InvalidArgument(_)));
        }
    }
}
