//! How volumes, and the storage behind them, are doing.
//!
//! Words for programs (severity and reason) and a sentence for people. No list says that all is well.

use super::id::{PageToken, VolumeId};

/// How a volume is doing on this node, as a guest says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Well.
    Ok,
    /// It works, with a reason to worry.
    Degraded(String),
    /// It cannot be reached from this node.
    Inaccessible(String),
}

/// How bad it is for a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It works, with a reason to worry.
    Degraded,
    /// It cannot be reached, from where that was asked.
    Inaccessible,
    /// Data are lost, or probably are.
    DataLoss,
}

impl Severity {
    /// As the contract writes them.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("degraded", Self::Degraded),
        ("inaccessible", Self::Inaccessible),
        ("data-loss", Self::DataLoss),
    ];

    /// The contract's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Degraded => "degraded",
            Self::Inaccessible => "inaccessible",
            Self::DataLoss => "data-loss",
        }
    }
}

/// Something that is wrong with a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCondition {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in one word in CamelCase; no two conditions of a volume have both this and the severity in common.
    pub reason: String,
    /// The same for people.
    pub message: String,
}

/// What is wrong with one volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeHealth {
    /// The backend's name of it.
    pub volume: VolumeId,
    /// Nothing where it is well.
    pub conditions: Vec<HealthCondition>,
}

/// Some of the volumes with which something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeHealthPage {
    /// In the backend's order.
    pub volumes: Vec<VolumeHealth>,
    /// Absent on the last page.
    pub next: Option<PageToken>,
}

/// How bad it is for what is behind all volumes of a driver, seen from this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageSeverity {
    /// A part of it is out of reach, or it works badly.
    Degraded,
    /// None of it can be reached from this node.
    Unreachable,
}

/// Something that is wrong with what is behind the volumes of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageCondition {
    /// How bad it is.
    pub severity: StorageSeverity,
    /// What it is, in one word in CamelCase.
    pub reason: &'static str,
    /// The same for people.
    pub message: String,
}
