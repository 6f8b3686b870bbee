//! Disks as ECS describes them.

use drivebay_guest::capacity::GIB;
use drivebay_guest::json::Json;
use drivebay_guest::prelude::*;
pub(crate) use drivebay_guest::volume::MultiAttach;

use crate::api_request::{Action, Call};
use crate::category::{Category, Kind, Level};
use crate::ecs::Ecs;
use crate::id::{DiskId, InstanceId};
use crate::tags;
use crate::zone;

/// What a disk is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Creating,
    Available,
    Attaching,
    InUse,
    Detaching,
    /// Being rolled back to a snapshot, or something newer than this guest.
    Other(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    pub(crate) id: DiskId<'static>,
    pub(crate) status: Status,
    /// As ECS writes it: there may be newer ones than this guest knows.
    pub(crate) category: &'static str,
    pub(crate) level: Option<Level>,
    pub(crate) gib: u64,
    pub(crate) zone: &'static str,
    pub(crate) multi_attach: MultiAttach,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: &'static str,
    pub(crate) snapshot: Option<&'static str>,
    pub(crate) resource_group: &'static str,
    pub(crate) provisioned_iops: u64,
    pub(crate) bursting: bool,
    /// Absent for disks made before June 2020.
    pub(crate) serial: Option<&'static str>,
    /// Instances it is attached to.
    pub(crate) nodes: &'static [InstanceId<'static>],
    pub(crate) tags: &'static Json,
    pub(crate) created: &'static str,
    pub(crate) history: History,
}

/// Whether a disk can hold anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    NeverAttached,
    Attached,
}

impl Status {
    fn read(text: &'static str) -> Self {
        match text {
            "Creating" => Self::Creating,
            "Available" => Self::Available,
            "Attaching" => Self::Attaching,
            "In_use" => Self::InUse,
            "Detaching" => Self::Detaching,
            _ => Self::Other(text),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Available => "Available",
            Self::Attaching => "Attaching",
            Self::InUse => "In_use",
            Self::Detaching => "Detaching",
            Self::Other(name) => name,
        }
    }
}

impl Disk {
    fn read(json: &'static Json) -> Result<Self, Error> {
        let id = DiskId::made(json.text("DiskId"))?;
        let was_used = ["AttachedTime", "DetachedTime"]
            .iter()
            .any(|time| json.some_text(time).is_some());
        let multi_attach = match json.text("MultiAttach") {
            "Enabled" => MultiAttach::Enabled,
            _ => MultiAttach::Disabled,
        };
        Ok(Self {
            status: Status::read(json.text("Status")),
            category: json.text("Category"),
            level: Level::parse_any_case(json.text("PerformanceLevel")),
            gib: json.number("Size").unwrap_or_default(),
            zone: json.text("ZoneId"),
            multi_attach,
            encrypted: json.flag("Encrypted"),
            kms_key: json.text("KMSKeyId"),
            snapshot: json.some_text("SourceSnapshotId"),
            resource_group: json.text("ResourceGroupId"),
            provisioned_iops: json.number("ProvisionedIops").unwrap_or_default(),
            bursting: json.flag("BurstingEnabled"),
            serial: json.some_text("SerialNumber"),
            nodes: nodes(json),
            tags: json,
            created: json.text("CreationTime"),
            history: if was_used {
                History::Attached
            } else {
                History::NeverAttached
            },
            id,
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        Kind {
            // One that is newer than this guest has no bounds here; ECS knows them.
            category: Category::parse(self.category).unwrap_or(Category::Auto),
            level: self.level,
        }
    }

    /// For messages: as ECS has it, also where this guest has no name for it.
    pub(crate) fn kind_name(&self) -> String {
        match self.level {
            Some(level) => format!("{} {}", self.category, level.name()),
            None => self.category.into(),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.gib.saturating_mul(GIB)
    }

    /// By which the node recognises it.
    pub(crate) fn serial(&self) -> &'static str {
        self.serial.unwrap_or(self.id.serial())
    }

    pub(crate) fn is_attached_to(&self, instance: InstanceId<'_>) -> bool {
        self.nodes
            .iter()
            .any(|node| node.as_str() == instance.as_str())
    }

    /// The nodes it is attached to, for messages.
    pub(crate) fn node_names(&self) -> String {
        let mut names = String::new();
        for node in self.nodes {
            add_word(&mut names, node.as_str());
        }
        names
    }

    /// As the contract wants it, without a context.
    pub(crate) fn info(&self) -> VolumeInfo {
        VolumeInfo {
            id: self.id.as_str().into(),
            capacity_bytes: self.bytes(),
            source: self.snapshot.map(|id| VolumeSource::Snapshot(id.into())),
            accessible_topology: self.places(),
            published_node_ids: self.nodes.iter().map(|node| node.as_str().into()).collect(),
            ..VolumeInfo::default()
        }
    }
}

impl Disk {
    /// It lives and dies with the instance that it was attached to first.
    pub(crate) fn is_ephemeral(&self) -> bool {
        Category::parse(self.category).is_some_and(Category::is_ephemeral)
    }

    /// From where it can be reached; everywhere, where ECS does not say.
    fn places(&self) -> Vec<Topology> {
        let regional = Category::parse(self.category).is_some_and(Category::is_regional);
        let (key, value) = match regional {
            true => (zone::REGION, self.tags.text("RegionId")),
            false => (zone::ZONE, self.zone),
        };
        if value.is_empty() {
            return Vec::new();
        }
        let mut place = vec![(key.into(), value.into())];
        if let (true, Some(node)) = (self.is_ephemeral(), self.nodes.first()) {
            place.push((zone::INSTANCE.into(), node.as_str().into()));
        }
        vec![place]
    }
}

/// From the list of attachments; the disk's own field is empty for disks that several nodes can attach.
fn nodes(json: &'static Json) -> &'static [InstanceId<'static>] {
    let listed = json.list("Attachments", "Attachment");
    let mut nodes: Vec<InstanceId<'_>> = Vec::new();
    for one in listed.iter().chain([json]) {
        if let Some(node) = InstanceId::parse(one.text("InstanceId"))
            && !nodes.contains(&node)
        {
            nodes.push(node);
        }
    }
    nodes.leak()
}

/// Whether a disk or a snapshot has a tag; with any value, where none is given.
pub(crate) fn has_tag(json: &Json, key: &str, value: Option<&str>) -> bool {
    tag(json, key).is_some_and(|has| value.is_none_or(|value| value == has))
}

/// The value of a tag. They are sent with `Key` and come back with `TagKey`; no key is there twice.
pub(crate) fn tag<'a>(json: &'a Json, key: &str) -> Option<&'a str> {
    let said = |tag: &'a Json, name, or| tag.some_text(name).unwrap_or_else(|| tag.text(or));
    let mut tags = json.list("Tags", "Tag").iter();
    let found = tags.find(|tag| said(tag, "TagKey", "Key") == key)?;
    Some(said(found, "TagValue", "Value"))
}

impl Ecs<'_> {
    /// One disk; `None` where there is none, which ECS answers by an empty list.
    pub(crate) fn disk(&self, id: DiskId<'_>) -> Result<Option<Disk>, Error> {
        let call = Call::new(Action::DescribeDisks, format!("disk {id}"));
        let disks = self.disks(call.with_ids("DiskIds", &[id.as_str()]))?;
        Ok(disks.into_iter().find(|disk| disk.id == id))
    }

    /// As [`Ecs::disk`], where it has to be there.
    pub(crate) fn existing_disk(&self, id: DiskId<'_>) -> Result<Disk, Error> {
        let missing = || {
            let region = self.cloud.region().unwrap_or_default();
            error!(NotFound: "disk {id} does not exist in region {region}")
        };
        self.disk(id)?.ok_or_else(missing)
    }

    /// The disks made for a name. There should be one at most, and the [first] of them counts.
    pub(crate) fn disks_named(&self, name: &str) -> Result<Vec<Disk>, Error> {
        let tag = (String::from(tags::VOLUME_NAME), String::from(name));
        let call = Call::new(Action::DescribeDisks, format!("the disk for {name}"));
        let call = call
            .with_number("MaxResults", 100)
            .with_tags(std::slice::from_ref(&tag));
        let mut disks = self.disks(call)?;
        disks.retain(|disk| has_tag(disk.tags, tags::VOLUME_NAME, Some(name)));
        Ok(disks)
    }

    fn disks(&self, call: Call) -> Result<Vec<Disk>, Error> {
        let json = self.call_in_region(call)?;
        read_list(json)
    }
}

/// Every disk of an answer.
pub(crate) fn read_list(json: &'static Json) -> Result<Vec<Disk>, Error> {
    let mut disks = Vec::new();
    for one in json.list("Disks", "Disk") {
        disks.push(Disk::read(one)?);
    }
    Ok(disks)
}

/// That of two which was made first. Seconds are all that ECS tells; the id decides between disks of one second, the
/// same way for everyone.
pub(crate) fn first<'a>(one: &'a Disk, other: &'a Disk) -> &'a Disk {
    if (other.created, other.id.as_str()) < (one.created, one.id.as_str()) {
        other
    } else {
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Disk, Error> {
        Disk::read(Json::read(text.as_bytes()).expect("JSON"))
    }

    #[test]
    fn a_disk_is_read() {
        let disk = read(
            r#"{"DiskId":"d-1","Status":"In_use","Category":"cloud_essd","PerformanceLevel":"PL2","Size":500,
            "ZoneId":"z-a","MultiAttach":"Disabled","Encrypted":true,"InstanceId":"i-1","SerialNumber":"1",
            "Attachments":{"Attachment":[{"InstanceId":"i-1"}]},"AttachedTime":"2026-01-01T00:00:00Z",
            "Tags":{"Tag":[{"TagKey":"a","TagValue":"b"}]}}"#,
        )
        .expect("a disk");
        assert_eq!(
            (disk.status, disk.gib, disk.level),
            (Status::InUse, 500, Some(Level::Pl2))
        );
        assert_eq!(disk.node_names(), "i-1");
        assert_eq!(disk.history, History::Attached);
        assert!(has_tag(disk.tags, "a", Some("b")) && has_tag(disk.tags, "a", None));
        assert!(!has_tag(disk.tags, "a", Some("c")) && !has_tag(disk.tags, "b", None));
    }

    #[test]
    fn a_disk_without_a_serial_number_is_known_by_its_id() {
        let disk = read(r#"{"DiskId":"d-abc","Status":"Available"}"#).expect("a disk");
        assert_eq!(
            (disk.serial(), disk.history),
            ("abc", History::NeverAttached)
        );
    }

    #[test]
    fn several_attachments_are_read_from_the_list_alone() {
        let list = r#"[{"InstanceId":"i-1"},{"InstanceId":"i-2"},{"InstanceId":""}]"#;
        let disk = read(&format!(
            r#"{{"DiskId":"d-1","MultiAttach":"Enabled","InstanceId":"","Attachments":{{"Attachment":{list}}}}}"#
        ));
        let disk = disk.expect("a disk");
        assert_eq!(
            (disk.node_names().as_str(), disk.multi_attach),
            ("i-1, i-2", MultiAttach::Enabled)
        );
    }

    #[test]
    fn what_is_no_disk_is_internal() {
        for text in ["{}", "[]", "3", r#"{"DiskId":"../x"}"#] {
            assert!(matches!(read(text), Err(Error::Internal(_))), "{text}");
        }
    }

    #[test]
    fn a_regional_disk_is_reachable_from_everywhere() {
        let places = |category: &str| {
            let disk = read(&format!(
                r#"{{"DiskId":"d-1","Category":"{category}","ZoneId":"z"}}"#
            ));
            disk.expect("a disk").info().accessible_topology.len()
        };
        assert_eq!(
            (places("cloud_ssd"), places("cloud_regional_disk_auto")),
            (1, 0)
        );
    }
}
