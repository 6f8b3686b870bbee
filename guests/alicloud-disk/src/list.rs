//! Disks are looked at.

use drivebay_guest::exports::volume_listing::VolumePage;
use drivebay_guest::page::{Limits, Page};
use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::disk::{Disk, read_list};
use crate::ecs::Ecs;
use crate::id::DiskId;
use crate::volume_spec;

/// Entries that ECS gives at once, of disks and of snapshots.
pub(crate) const LIMITS: Limits = Limits {
    smallest: 10,
    largest: 100,
};

/// Whether the disk exists and can be used so.
#[inline(never)]
pub(crate) fn validate_volume(
    ecs: Ecs<'_>,
    volume: &Volume,
    capabilities: &[VolumeCapability],
) -> Result<(), Error> {
    let disk = ecs.existing_disk(DiskId::of(volume)?)?;
    volume_spec::check_capabilities(disk.multi_attach, capabilities)
}

#[inline(never)]
pub(crate) fn get_volume(ecs: Ecs<'_>, id: &str) -> Result<VolumeInfo, Error> {
    ecs.existing_disk(DiskId::asked(id)?)
        .map(|disk| disk.info())
}

/// A page of the region's data disks: also those that were not made here, since volumes are made of them too.
#[inline(never)]
pub(crate) fn list_volumes(
    ecs: Ecs<'_>,
    max_entries: u32,
    starting_token: Option<&str>,
) -> Result<VolumePage, Error> {
    let (disks, next_token) = page_of_disks(ecs, "a list of disks", max_entries, starting_token)?;
    Ok(VolumePage {
        volumes: disks.iter().map(Disk::info).collect(),
        next_token,
    })
}

/// Data disks of the region, and the token of those that follow; `asked` is for messages.
#[inline(never)]
pub(crate) fn page_of_disks(
    ecs: Ecs<'_>,
    asked: &'static str,
    max_entries: u32,
    starting_token: Option<&str>,
) -> Result<(Vec<Disk>, Option<String>), Error> {
    let page = Page::from_request(LIMITS, max_entries, starting_token)?;
    let call = Call::new(Action::DescribeDisks, asked)
        .with("DiskType", "data")
        .with_number("MaxResults", page.size())
        .with_some("NextToken", page.token());
    let json = ecs
        .call_in_region(call)
        .map_err(|error| page.error(error))?;
    let mut disks = read_list(json)?;
    let (part, next_token) = page.cut(disks.len(), json.some_text("NextToken"));
    Ok((disks.drain(part).collect(), next_token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCloud, Fault};

    #[test]
    fn a_disk_is_described_with_place_and_nodes() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.attach(&id, "i-1");
        let info = get_volume(Ecs { cloud: &cloud }, &id).expect("a disk");
        assert_eq!(
            (
                info.capacity_bytes,
                info.published_node_ids.len(),
                info.accessible_topology.len()
            ),
            (20 << 30, 1, 1)
        );
        for missing in ["d-gone", "fake"] {
            assert!(matches!(
                get_volume(Ecs { cloud: &cloud }, missing),
                Err(Error::NotFound(_))
            ));
        }
    }

    #[test]
    fn all_disks_are_listed_in_pages() {
        let cloud = FakeCloud::new();
        for _ in 0..13 {
            cloud.add_disk("cloud_ssd", 20);
        }
        let ecs = Ecs { cloud: &cloud };
        let first = list_volumes(ecs, 7, None).expect("a page");
        let second = list_volumes(ecs, 7, first.next_token.as_deref()).expect("a page");
        let all = [first.volumes, second.volumes].concat();
        let mut ids: Vec<_> = all.into_iter().map(|volume| volume.id).collect();
        ids.dedup();
        assert_eq!((ids.len(), second.next_token), (13, None));
    }

    #[test]
    fn a_bad_token_is_in_progress_whoever_notices() {
        let cloud = FakeCloud::new();
        let ecs = Ecs { cloud: &cloud };
        assert!(matches!(
            list_volumes(ecs, 5, Some("bogus")),
            Err(Error::InProgress(_))
        ));
        cloud.fault(Action::DescribeDisks, Fault::Refuse("InvalidParameter"));
        assert!(matches!(
            list_volumes(ecs, 5, Some("0:old")),
            Err(Error::InProgress(_))
        ));
    }

    #[test]
    fn validation_tells_missing_from_unfit() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        let validate = |id: &str, mode: &str| {
            let volume = Volume {
                id: id.into(),
                context: Vec::new(),
                publish_context: Vec::new(),
            };
            let capability = VolumeCapability {
                mode: mode.into(),
                kind: AccessType::Block,
            };
            validate_volume(Ecs { cloud: &cloud }, &volume, &[capability])
        };
        validate(&id, "SINGLE_NODE_WRITER").expect("fit");
        assert!(matches!(
            validate(&id, "MULTI_NODE_MULTI_WRITER"),
            Err(Error::Unsupported(_))
        ));
        assert!(matches!(
            validate("fake", "SINGLE_NODE_WRITER"),
            Err(Error::NotFound(_))
        ));
    }
}
