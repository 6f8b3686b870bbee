//! Names of things in ECS, told apart by type. Pure.
//!
//! What a PersistentVolume says is a stranger's text until it looks like an id; only ids go into calls.

use drivebay_guest::prelude::*;

use crate::parameter_names;

drivebay_guest::id! {
    /// A disk: `d-…`.
    pub(crate) struct DiskId: "d-", "disk";
    /// An instance: `i-…`. A node of the cluster is one.
    pub(crate) struct InstanceId: "i-";
    /// A snapshot: `s-…`.
    pub(crate) struct SnapshotId: "s-", "snapshot";
    /// Snapshots that were cut together: `ssg-…`.
    pub(crate) struct GroupId: "ssg-", "group snapshot";
}

impl<'a> DiskId<'a> {
    /// The disk of a volume. The parameter `volumeId` comes first: FlexVolume's own name for a volume is that
    /// of its PersistentVolume.
    pub(crate) fn of(volume: &'a Volume) -> Result<Self, Error> {
        let id = &volume.id;
        if let Some(written) = Params(&volume.context).get(parameter_names::VOLUME_ID) {
            return Self::parse(written).ok_or_else(|| {
                error!(InvalidArgument: "volumeId \"{written}\" of volume {id} is no disk's id: write d- and the \
                    letters and digits that follow it in the ECS console")
            });
        }
        Self::parse(id).ok_or_else(|| {
            error!(NotFound: "volume {id} names no disk: ids of disks begin with d-; a PersistentVolume with another \
                name has its disk's id in the option volumeId")
        })
    }

    /// The serial number of disks made since June 2020, which ECS also tells by itself.
    pub(crate) fn serial(self) -> &'a str {
        self.0.get(2..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use drivebay_guest::fake::volume;

    use super::*;

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
