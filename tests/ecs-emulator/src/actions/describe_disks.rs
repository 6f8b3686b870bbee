//! DescribeDisks. What does not exist is not an error but missing from the list.

use std::collections::BTreeMap;

use crate::actions::list::{Limits, Page};
use crate::actions::{Outcome, View, Work, show};
use crate::cloud::disk::{Disk, Noticed, Usage};
use crate::error::Refusal;
use crate::wire::parameters::Parameters;
use crate::words::DiskId;

const LIMITS: Limits = Limits {
    least_results: 10,
    most_results: 500,
    most_per_page: 100,
};

/// Ids one request may name.
const MOST_IDS: usize = 100;

pub(crate) fn perform(work: &mut Work<'_>) -> Outcome {
    check_region(work)?;
    let ids = ids(work.parameters)?;
    let flags = Flags::read(work.parameters)?;
    work.check_dry_run()?;
    let tags = work.parameters.tags();
    let is_asked_for = |disk: &&Disk| {
        let named = ids.as_ref().is_none_or(|ids| ids.contains(&disk.id));
        let tagged = named && disk.tags.contain(&tags);
        tagged && flags.allow(disk) && matches_texts(disk, work.parameters)
    };
    let disks = visible(work).filter(is_asked_for).cloned().collect();
    let page = Page::cut(disks, |disk| disk.sequence, work.parameters, LIMITS)?;
    let cloud = &work.cloud;
    let answer = page.shown("Disks", "Disk", |disk| show::disk(cloud, disk));
    if work.view == View::Current {
        notice(work, &page.entries);
    }
    Ok(answer)
}

/// This action's page has codes of its own, one of them misspelt.
fn check_region(work: &Work<'_>) -> Result<(), Refusal> {
    let Some(region) = work.parameters.text("RegionId") else {
        let message = "The specified RegionId should not be null.";
        return Err(Refusal::bad("MissingParamter.RegionId", message));
    };
    if region != work.cloud.region.as_str() {
        let message = "The specified RegionId does not exist.";
        return Err(Refusal::bad("InvalidRegion.NotFound", message));
    }
    Ok(())
}

fn ids(parameters: &Parameters) -> Result<Option<Vec<DiskId>>, Refusal> {
    let ids = parameters.array("DiskIds").map_err(|_| {
        let message = "The specified parameter DiskIds is not valid.";
        Refusal::bad("InvalidParameter.DiskIds", message)
    })?;
    if ids.as_ref().is_some_and(|ids| ids.len() > MOST_IDS) {
        let message = "The amount of specified disk Ids exceeds the limit.";
        return Err(Refusal::denied("InvalidDiskIds.Malformed", message));
    }
    Ok(ids.map(|ids| ids.into_iter().map(DiskId::from).collect()))
}

/// All disks, as they are or as they were.
fn visible<'a>(work: &'a Work<'_>) -> impl Iterator<Item = &'a Disk> {
    let earlier = match work.view {
        View::Current => None,
        View::Stale => Some(&work.cloud.earlier_disks),
    };
    let is_as_it_was = move |id: &DiskId| earlier.is_none_or(|earlier| !earlier.contains_key(id));
    let same = work
        .cloud
        .disks
        .iter()
        .filter(move |(id, _)| is_as_it_was(id));
    let other = earlier.into_iter().flat_map(BTreeMap::values).flatten();
    same.map(|(_, disk)| disk).chain(other)
}

/// Filters that are true or false.
struct Flags {
    encrypted: Option<bool>,
    portable: Option<bool>,
    delete_with_instance: Option<bool>,
}

impl Flags {
    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self {
            encrypted: parameters.flag("Encrypted")?,
            portable: parameters.flag("Portable")?,
            delete_with_instance: parameters.flag("DeleteWithInstance")?,
        })
    }

    fn allow(&self, disk: &Disk) -> bool {
        [
            (self.encrypted, disk.encrypted),
            (self.portable, disk.usage == Usage::Data),
            (self.delete_with_instance, disk.delete_with_instance),
        ]
        .into_iter()
        .all(|(wanted, own)| wanted.is_none_or(|wanted| wanted == own))
    }
}

/// Whether the disk passes all filters that are text.
fn matches_texts(disk: &Disk, parameters: &Parameters) -> bool {
    let usage = match disk.usage {
        Usage::System => "system",
        Usage::Data => "data",
    };
    let attached = |wanted: &str| {
        let mut attachments = disk.attachments.iter();
        attachments.any(|attachment| attachment.instance.as_str() == wanted)
    };
    let source = disk.source.as_ref().map(|source| source.as_str());
    let zone = disk.zone.as_ref().map(|zone| zone.as_str());
    let is = |name: &str, accept: &dyn Fn(&str) -> bool| parameters.text(name).is_none_or(accept);
    let or_all = |wanted: &str, own: &str| wanted.eq_ignore_ascii_case("all") || wanted == own;
    is("DiskName", &|wanted| wanted == disk.name)
        && is("DiskType", &|wanted| or_all(wanted, usage))
        && is("Category", &|wanted| or_all(wanted, disk.category.name()))
        && is("Status", &|wanted| {
            or_all(wanted, disk.shown_status().name())
        })
        && is("InstanceId", &attached)
        && is("SnapshotId", &|wanted| source == Some(wanted))
        && is("ZoneId", &|wanted| zone == Some(wanted))
        && is("MultiAttach", &|wanted| wanted == disk.sharing.name())
        && is("DiskChargeType", &|wanted| wanted == "PostPaid")
        && is("ResourceGroupId", &|wanted| wanted == disk.resource_group)
}

/// From now on, what was requested shows as Attaching.
fn notice(work: &mut Work<'_>, shown: &[Disk]) {
    for disk in shown {
        let disk = work.cloud.disks.get_mut(&disk.id);
        // Whether anything changed matters to nobody: it is written down with the next change.
        let _: Option<Noticed> = disk.map(Disk::notice);
    }
}
