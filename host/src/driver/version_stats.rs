//! What became of the versions that were offered to a driver, in numbers.

use std::collections::BTreeMap;

use crate::config::Paths;
use crate::store::{OfferStatus, VersionProgress, VersionRecord};
use crate::volume::DriverName;

/// Of one driver on this node, whoever wrote it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionStats {
    /// What is being done with one that is on its way.
    pub pending: Option<&'static str>,
    /// How many wait for the operator, and how many may not be activated by themselves. None where the record cannot be
    /// read.
    pub decided: Option<DecidedVersions>,
    /// How many did not become versions, by the step at which they failed.
    pub refused: BTreeMap<&'static str, u64>,
    /// What the sources offer, and how far that has come.
    pub offer: OfferStatus,
}

/// What the record has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "a field is what its name says")]
pub struct DecidedVersions {
    pub held: u64,
    pub rejected: u64,
}

impl VersionStats {
    pub(super) fn read(paths: &Paths, driver: &DriverName) -> Self {
        let progress = VersionProgress::read(paths, driver);
        let mut refused = BTreeMap::new();
        for version in &progress.refused {
            *refused.entry(version.step.name()).or_default() += 1;
        }
        let record = VersionRecord::read(paths, driver).ok();
        let offer = OfferStatus::of(&progress, record.as_ref().and_then(Option::as_ref));
        Self {
            offer,
            pending: progress.pending.map(|version| version.step.name()),
            decided: record
                .map(|record| record.map_or_else(DecidedVersions::default, |it| (&it).into())),
            refused,
        }
    }
}

impl From<&VersionRecord> for DecidedVersions {
    fn from(record: &VersionRecord) -> Self {
        Self {
            held: record.held.len() as u64,
            rejected: record.rejected.len() as u64,
        }
    }
}
