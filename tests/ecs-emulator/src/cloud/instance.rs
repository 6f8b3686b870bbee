//! Instances and the types they are of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::category::Category;
use crate::words::{InstanceId, InstanceTypeId, ZoneId};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) zone: ZoneId,
    pub(crate) instance_type: InstanceTypeId,
    /// `Running`, `Stopped` or any other of the API's words.
    pub(crate) status: String,
    /// Why the instance is locked, such as `security`.
    pub(crate) locks: Vec<String>,
    pub(crate) created: Timestamp,
    /// What befell it.
    #[serde(default)]
    pub(crate) events: Vec<Event>,
}

/// Something that the cloud did to an instance, or has planned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) sequence: u64,
    /// Such as `SystemMaintenance.Reboot`.
    pub(crate) event_type: String,
    pub(crate) status: Cycle,
    pub(crate) reason: String,
    pub(crate) published: Timestamp,
}

/// Where an event stands. Named as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cycle {
    Scheduled,
    Avoided,
    Executing,
    Executed,
    Canceled,
    Failed,
    Inquiring,
}

impl Cycle {
    pub(crate) const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Avoided,
        Self::Executing,
        Self::Executed,
        Self::Canceled,
        Self::Failed,
        Self::Inquiring,
    ];

    /// What comes to nothing more.
    pub(crate) const OVER: [Self; 4] =
        [Self::Avoided, Self::Executed, Self::Canceled, Self::Failed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Avoided => "Avoided",
            Self::Executing => "Executing",
            Self::Executed => "Executed",
            Self::Canceled => "Canceled",
            Self::Failed => "Failed",
            Self::Inquiring => "Inquiring",
        }
    }
}

impl Instance {
    pub(crate) fn new(id: &InstanceId, zone: &ZoneId, now: Timestamp) -> Self {
        Self {
            id: id.clone(),
            zone: zone.clone(),
            instance_type: InstanceTypeId::from(DEFAULT_TYPE),
            status: "Running".to_owned(),
            locks: Vec::new(),
            created: now,
            events: Vec::new(),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status == "Running"
    }
}

/// The type of instances that nobody gave another.
const DEFAULT_TYPE: &str = "ecs.g7.xlarge";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InstanceType {
    /// How many disks can be attached, the system disk included.
    pub(crate) disk_quantity: usize,
    /// The same for instances that were started in high density mode, where there is one.
    pub(crate) dense_disk_quantity: Option<usize>,
    pub(crate) nvme: Nvme,
    /// Categories whose disks cannot be attached.
    pub(crate) lacks: Vec<Category>,
}

/// Whether disks can be NVMe devices, without which none can be shared. Named as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Nvme {
    Supported,
    Unsupported,
}

impl Nvme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Unsupported => "unsupported",
        }
    }
}

/// One type that takes nearly everything, one without ESSD, and one that is small.
pub(crate) fn types() -> BTreeMap<InstanceTypeId, InstanceType> {
    let general = InstanceType {
        disk_quantity: 17,
        dense_disk_quantity: Some(33),
        nvme: Nvme::Supported,
        lacks: vec![Category::Cloud],
    };
    let old = InstanceType {
        dense_disk_quantity: None,
        nvme: Nvme::Unsupported,
        lacks: vec![
            Category::CloudEssd,
            Category::CloudAuto,
            Category::CloudEssdEntry,
            Category::CloudRegionalDiskAuto,
            Category::ElasticEphemeralDiskStandard,
            Category::ElasticEphemeralDiskPremium,
            Category::CloudEssdXc0,
            Category::CloudEssdXc1,
            Category::CloudPperf,
            Category::CloudSperf,
        ],
        ..general.clone()
    };
    let small = InstanceType {
        disk_quantity: 5,
        dense_disk_quantity: None,
        nvme: Nvme::Unsupported,
        ..general.clone()
    };
    BTreeMap::from([
        (InstanceTypeId::from(DEFAULT_TYPE), general),
        (InstanceTypeId::from("ecs.sn1.large"), old),
        (InstanceTypeId::from("ecs.t6-c1m1.large"), small),
    ])
}
