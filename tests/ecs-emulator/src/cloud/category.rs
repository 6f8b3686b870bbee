//! Disk categories, their performance levels and their sizes.
//!
//! Sizes are those of CreateDisk's API page; where the official CSI driver allows more, the page wins, because
//! a client that respects the page is right in both worlds.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// What a disk is made of. Named as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Category {
    Cloud,
    CloudEfficiency,
    CloudSsd,
    CloudEssd,
    CloudAuto,
    CloudEssdEntry,
    ElasticEphemeralDiskStandard,
    ElasticEphemeralDiskPremium,
    CloudRegionalDiskAuto,
    /// Of the financial cloud, as the next.
    CloudEssdXc0,
    CloudEssdXc1,
    /// Of private clouds, as the next.
    CloudPperf,
    CloudSperf,
}

/// What no zone of the public cloud has.
pub(crate) const RESTRICTED: [Category; 4] = [
    Category::CloudEssdXc0,
    Category::CloudEssdXc1,
    Category::CloudPperf,
    Category::CloudSperf,
];

/// All of them, for lists of what there is.
pub(crate) const CATEGORIES: [Category; 13] = [
    Category::Cloud,
    Category::CloudEfficiency,
    Category::CloudSsd,
    Category::CloudEssd,
    Category::CloudAuto,
    Category::CloudEssdEntry,
    Category::ElasticEphemeralDiskStandard,
    Category::ElasticEphemeralDiskPremium,
    Category::CloudRegionalDiskAuto,
    Category::CloudEssdXc0,
    Category::CloudEssdXc1,
    Category::CloudPperf,
    Category::CloudSperf,
];

impl Category {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::CloudEfficiency => "cloud_efficiency",
            Self::CloudSsd => "cloud_ssd",
            Self::CloudEssd => "cloud_essd",
            Self::CloudAuto => "cloud_auto",
            Self::CloudEssdEntry => "cloud_essd_entry",
            Self::ElasticEphemeralDiskStandard => "elastic_ephemeral_disk_standard",
            Self::ElasticEphemeralDiskPremium => "elastic_ephemeral_disk_premium",
            Self::CloudRegionalDiskAuto => "cloud_regional_disk_auto",
            Self::CloudEssdXc0 => "cloud_essd_xc0",
            Self::CloudEssdXc1 => "cloud_essd_xc1",
            Self::CloudPperf => "cloud_pperf",
            Self::CloudSperf => "cloud_sperf",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        CATEGORIES
            .into_iter()
            .find(|category| category.name() == name)
    }

    /// GiB that a disk may have; an ESSD's lower bound rises with its performance level.
    pub(crate) fn sizes(self, level: Option<Level>) -> RangeInclusive<u64> {
        match self {
            Self::Cloud => 5..=2000,
            Self::CloudEfficiency | Self::CloudSsd => 20..=32768,
            Self::CloudEssd => level.unwrap_or(Level::Pl1).smallest()..=65536,
            // No page tells those of private clouds.
            Self::CloudAuto | Self::CloudPperf | Self::CloudSperf => 1..=65536,
            Self::CloudEssdEntry => 10..=32768,
            Self::ElasticEphemeralDiskStandard | Self::ElasticEphemeralDiskPremium => 64..=8192,
            Self::CloudRegionalDiskAuto => 10..=65536,
            Self::CloudEssdXc0 | Self::CloudEssdXc1 => 40..=65536,
        }
    }

    pub(crate) fn is_ephemeral(self) -> bool {
        matches!(
            self,
            Self::ElasticEphemeralDiskStandard | Self::ElasticEphemeralDiskPremium
        )
    }

    /// Whether disks of it can become disks of another category, and others those of it.
    pub(crate) fn can_be_changed(self) -> bool {
        matches!(
            self,
            Self::CloudEfficiency
                | Self::CloudSsd
                | Self::CloudEssd
                | Self::CloudAuto
                | Self::CloudEssdEntry
        )
    }

    pub(crate) fn can_be_shared(self) -> bool {
        matches!(
            self,
            Self::CloudEssd | Self::CloudAuto | Self::CloudRegionalDiskAuto
        )
    }

    /// Whether IOPS and bursts can be bought on top.
    pub(crate) fn is_auto(self) -> bool {
        matches!(self, Self::CloudAuto | Self::CloudRegionalDiskAuto)
    }
}

/// How fast an ESSD is, which also says how small it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    Pl0,
    Pl1,
    Pl2,
    Pl3,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pl0 => "PL0",
            Self::Pl1 => "PL1",
            Self::Pl2 => "PL2",
            Self::Pl3 => "PL3",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Pl0, Self::Pl1, Self::Pl2, Self::Pl3]
            .into_iter()
            .find(|level| level.name() == name)
    }

    pub(crate) fn smallest(self) -> u64 {
        match self {
            Self::Pl0 => 1,
            Self::Pl1 => 20,
            Self::Pl2 => 461,
            Self::Pl3 => 1261,
        }
    }
}

/// IOPS that may be provisioned on top of an auto disk's baseline.
pub(crate) fn most_provisioned_iops(gib: u64) -> u64 {
    if gib <= 3 {
        return 0;
    }
    let baseline = (1800 + 50 * gib).clamp(3000, 50000);
    50000.min((1000 * gib).saturating_sub(baseline))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for category in CATEGORIES {
            assert_eq!(Category::named(category.name()), Some(category));
            let json = serde_json::to_value(category).unwrap();
            assert_eq!(json, category.name());
        }
        assert_eq!(Category::named("cloud_floppy"), None);
    }

    #[test]
    fn higher_performance_levels_need_larger_disks() {
        let smallest = |level| *Category::CloudEssd.sizes(level).start();
        assert_eq!(smallest(None), 20);
        assert_eq!(smallest(Some(Level::Pl0)), 1);
        assert_eq!(smallest(Some(Level::Pl2)), 461);
        assert_eq!(smallest(Some(Level::Pl3)), 1261);
    }

    #[test]
    fn small_auto_disks_have_no_iops_to_provision() {
        assert_eq!(most_provisioned_iops(3), 0);
        assert_eq!(most_provisioned_iops(4), 1000);
        assert_eq!(most_provisioned_iops(100), 50000);
    }
}
