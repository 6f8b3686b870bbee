//! A disk, what it is attached to, and the status that follows from both.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chance;
use crate::cloud::category::{Category, Level};
use crate::cloud::tags::Tags;
use crate::words::{DiskId, Gib, InstanceId, SnapshotId, ZoneId};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Disk {
    pub(crate) id: DiskId,
    pub(crate) sequence: u64,
    pub(crate) name: String,
    pub(crate) description: String,
    /// None for regional disks.
    pub(crate) zone: Option<ZoneId>,
    pub(crate) category: Category,
    pub(crate) level: Option<Level>,
    pub(crate) size: Gib,
    pub(crate) usage: Usage,
    pub(crate) making: Making,
    pub(crate) sharing: Sharing,
    pub(crate) attachments: Vec<Attachment>,
    /// Sizes and times of resizing that was ordered and has not happened yet.
    pub(crate) resizing: Option<Resizing>,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<String>,
    pub(crate) source: Option<SnapshotId>,
    pub(crate) tags: Tags,
    pub(crate) resource_group: String,
    pub(crate) provisioned_iops: Option<u64>,
    pub(crate) bursting: bool,
    pub(crate) delete_with_instance: bool,
    pub(crate) created: Timestamp,
    pub(crate) attached: Option<Timestamp>,
    pub(crate) detached: Option<Timestamp>,
    /// Ephemeral disks return to the instance they were first attached to, and to no other.
    pub(crate) first_instance: Option<InstanceId>,
    /// Why nobody may change it.
    pub(crate) locks: Vec<String>,
}

/// What a disk is to its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Usage {
    System,
    Data,
}

/// Whether a disk can be used yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Making {
    Underway,
    Done,
}

/// How many instances may have the disk at once. Named as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sharing {
    Disabled,
    Enabled,
}

impl Sharing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Enabled => "Enabled",
        }
    }
}

/// A size that was ordered.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Resizing {
    pub(crate) size: Gib,
    pub(crate) manner: Manner,
}

/// Whether devices grow, or only the disk behind them until it is attached anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Manner {
    Online,
    Offline,
}

/// A disk's tie to one instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) instance: InstanceId,
    pub(crate) phase: Phase,
    /// Such as `/dev/xvdb`: what the API says, which is seldom what the node has.
    pub(crate) device: String,
    pub(crate) since: Timestamp,
    /// The size that the device on the instance has, which lags behind after resizing offline.
    pub(crate) visible: Gib,
    pub(crate) quirks: Quirks,
}

/// Where an attachment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// AttachDisk has answered, and describing the disk still says Available, for the first time.
    Requested,
    Attaching,
    Attached,
    Detaching,
}

/// What is odd about an attachment, on demand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quirks {
    /// The attachment never gets beyond Attaching.
    pub(crate) held: bool,
    pub(crate) late: Late,
    /// The device has this size instead of the disk's.
    pub(crate) bytes: Option<u64>,
    pub(crate) link: Link,
}

/// How much later than In_use the device appears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Late {
    #[default]
    Not,
    Millis(u64),
    /// Until faults are cleared.
    Held,
}

/// What the device's link is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Link {
    /// `virtio-` and the serial.
    #[default]
    Serial,
    /// Something else.
    Other(String),
    /// No link at all.
    None,
}

/// What describing a disk says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Creating,
    Available,
    Attaching,
    InUse,
    Detaching,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Available => "Available",
            Self::Attaching => "Attaching",
            Self::InUse => "In_use",
            Self::Detaching => "Detaching",
        }
    }
}

impl Disk {
    /// The disk that an instance boots from. It takes one of the instance's places and is never ours to touch.
    pub(crate) fn of_system(
        instance: &InstanceId,
        zone: &ZoneId,
        sequence: u64,
        now: Timestamp,
    ) -> Self {
        let mut disk = Self::new(Category::CloudEssd, Gib(40), sequence, now);
        disk.usage = Usage::System;
        disk.level = Some(Level::Pl1);
        disk.zone = Some(zone.clone());
        disk.making = Making::Done;
        disk.delete_with_instance = true;
        disk.first_instance = Some(instance.clone());
        disk.attached = Some(now);
        disk.attachments.push(Attachment {
            instance: instance.clone(),
            phase: Phase::Attached,
            device: "/dev/xvda".to_owned(),
            since: now,
            visible: disk.size,
            quirks: Quirks::default(),
        });
        disk
    }

    /// A data disk that is being made; the rest is up to the caller.
    pub(crate) fn new(category: Category, size: Gib, sequence: u64, now: Timestamp) -> Self {
        Self {
            id: DiskId::from(chance::id("d")),
            sequence,
            name: String::new(),
            description: String::new(),
            zone: None,
            category,
            level: None,
            size,
            usage: Usage::Data,
            making: Making::Underway,
            sharing: Sharing::Disabled,
            attachments: Vec::new(),
            resizing: None,
            encrypted: false,
            kms_key: None,
            source: None,
            tags: Tags::default(),
            resource_group: String::new(),
            provisioned_iops: None,
            bursting: false,
            delete_with_instance: false,
            created: now,
            attached: None,
            detached: None,
            first_instance: None,
            locks: Vec::new(),
        }
    }

    pub(crate) fn attachment(&self, instance: &InstanceId) -> Option<&Attachment> {
        let same = |attachment: &&Attachment| attachment.instance == *instance;
        self.attachments.iter().find(same)
    }

    pub(crate) fn attachment_mut(&mut self, instance: &InstanceId) -> Option<&mut Attachment> {
        let same = |attachment: &&mut Attachment| attachment.instance == *instance;
        self.attachments.iter_mut().find(same)
    }

    /// The status the disk really has; right after AttachDisk, describing it shows an older one.
    pub(crate) fn status(&self) -> Status {
        let any = |wanted: &[Phase]| {
            let mut attachments = self.attachments.iter();
            attachments.any(|attachment| wanted.contains(&attachment.phase))
        };
        if self.making == Making::Underway {
            Status::Creating
        } else if any(&[Phase::Attached]) {
            Status::InUse
        } else if any(&[Phase::Requested, Phase::Attaching]) {
            Status::Attaching
        } else if any(&[Phase::Detaching]) {
            Status::Detaching
        } else {
            Status::Available
        }
    }

    /// The status that describing the disk says now.
    pub(crate) fn shown_status(&self) -> Status {
        let mut phases = self.attachments.iter().map(|attachment| attachment.phase);
        let unnoticed = phases.all(|phase| phase == Phase::Requested);
        let status = self.status();
        if status == Status::Attaching && unnoticed {
            return Status::Available;
        }
        status
    }

    /// What having been described once changes: a requested attachment shows from now on.
    pub(crate) fn notice(&mut self) -> Noticed {
        let mut noticed = Noticed::Nothing;
        for attachment in &mut self.attachments {
            if attachment.phase == Phase::Requested {
                attachment.phase = Phase::Attaching;
                noticed = Noticed::Attaching;
            }
        }
        noticed
    }
}

/// Whether describing a disk changed what the next description says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noticed {
    Attaching,
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(phase: Option<Phase>) -> Disk {
        let now = Timestamp::UNIX_EPOCH;
        let instance = InstanceId::from("i-1");
        let mut disk = Disk::of_system(&instance, &ZoneId::from("z"), 1, now);
        match phase {
            Some(phase) => disk.attachments[0].phase = phase,
            None => disk.attachments.clear(),
        }
        disk
    }

    #[test]
    fn requested_attachment_is_described_as_available_once() {
        let mut disk = disk(Some(Phase::Requested));
        assert_eq!(disk.shown_status(), Status::Available);
        assert_eq!(disk.status(), Status::Attaching);
        assert_eq!(disk.notice(), Noticed::Attaching);
        assert_eq!(disk.shown_status(), Status::Attaching);
        assert_eq!(disk.notice(), Noticed::Nothing);
    }

    #[test]
    fn status_follows_from_what_the_disk_is_attached_to() {
        assert_eq!(disk(None).status(), Status::Available);
        assert_eq!(disk(Some(Phase::Attached)).status(), Status::InUse);
        assert_eq!(disk(Some(Phase::Detaching)).status(), Status::Detaching);
        let new = Disk::new(Category::CloudAuto, Gib(1), 1, Timestamp::UNIX_EPOCH);
        assert_eq!(new.status(), Status::Creating);
    }
}
