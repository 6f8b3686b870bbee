//! Categories of disks: their names, sizes and levels. Pure.
//!
//! Sizes are those of the API's page for CreateDisk; where it and Alibaba's CSI driver differ in the largest, the
//! larger is here, since ECS itself has the last word.

use std::fmt;

use drivebay_guest::prelude::*;

use crate::parameter_names;

drivebay_guest::keywords! {
    /// What a disk is made of.
    pub(crate) enum Category {
        Cloud = "cloud",
        Efficiency = "cloud_efficiency",
        Ssd = "cloud_ssd",
        Essd = "cloud_essd",
        Auto = "cloud_auto",
        EssdEntry = "cloud_essd_entry",
        EphemeralStandard = "elastic_ephemeral_disk_standard",
        EphemeralPremium = "elastic_ephemeral_disk_premium",
        RegionalAuto = "cloud_regional_disk_auto",
        EssdXc0 = "cloud_essd_xc0",
        EssdXc1 = "cloud_essd_xc1",
        PPerf = "cloud_pperf",
        SPerf = "cloud_sperf",
    }
}

drivebay_guest::keywords! {
    /// How fast an ESSD is.
    pub(crate) enum Level {
        Pl0 = "PL0",
        Pl1 = "PL1",
        Pl2 = "PL2",
        Pl3 = "PL3",
    }
}

/// A category with its level, where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) category: Category,
    pub(crate) level: Option<Level>,
}

/// The larger of the two numbers that are published.
const LARGEST_GIB: u64 = 65_536;

impl Category {
    /// Neither snapshots of it nor disks from snapshots: it lives and dies with one instance.
    pub(crate) fn is_ephemeral(self) -> bool {
        matches!(self, Self::EphemeralStandard | Self::EphemeralPremium)
    }

    /// In all zones of the region at once.
    pub(crate) fn is_regional(self) -> bool {
        self == Self::RegionalAuto
    }

    /// Whether operations per second can be bought for it.
    pub(crate) fn is_auto(self) -> bool {
        self == Self::Auto
    }

    fn largest_gib(self) -> u64 {
        match self {
            Self::Cloud => 2000,
            Self::EphemeralStandard | Self::EphemeralPremium => 8192,
            Self::Efficiency
            | Self::Ssd
            | Self::Essd
            | Self::Auto
            | Self::EssdEntry
            | Self::RegionalAuto
            | Self::EssdXc0
            | Self::EssdXc1
            | Self::PPerf
            | Self::SPerf => LARGEST_GIB,
        }
    }
}

impl Kind {
    /// Smallest and largest size in GiB.
    pub(crate) fn sizes(self) -> (u64, u64) {
        let smallest = match self.category {
            Category::Cloud => 5,
            Category::Efficiency | Category::Ssd => 20,
            Category::Essd => match self.level {
                Some(Level::Pl0) => 1,
                Some(Level::Pl1) | None => 20,
                Some(Level::Pl2) => 461,
                Some(Level::Pl3) => 1261,
            },
            // Private clouds do not say.
            Category::Auto | Category::PPerf | Category::SPerf => 1,
            Category::EssdEntry | Category::RegionalAuto => 10,
            Category::EphemeralStandard | Category::EphemeralPremium => 64,
            Category::EssdXc0 | Category::EssdXc1 => 40,
        };
        (smallest, self.category.largest_gib())
    }

    /// What a StorageClass asks for, the preferred first.
    pub(crate) fn from_params(params: &Params<'_>) -> Result<Vec<Self>, Error> {
        let levels = wanted_levels(params)?;
        let mut kinds = Vec::new();
        for category in wanted_categories(params)? {
            if category == Category::Essd {
                kinds.extend(levels.iter().map(|level| Self {
                    category,
                    level: Some(*level),
                }));
            } else {
                kinds.push(Self {
                    category,
                    level: None,
                });
            }
        }
        Ok(kinds)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.category.name())?;
        match self.level {
            Some(level) => write!(f, " {}", level.name()),
            None => Ok(()),
        }
    }
}

/// A category by name, for whatever parameter asked.
pub(crate) fn known_category(word: &str) -> Result<Category, Error> {
    Category::parse(word).ok_or_else(|| {
        let mut accepted = String::from("write available");
        for category in Category::ALL {
            add_word(&mut accepted, category.name());
        }
        malformed(parameter_names::TYPE, word, &accepted)
    })
}

/// A level by name.
pub(crate) fn known_level(word: &str) -> Result<Level, Error> {
    Level::parse_any_case(word).ok_or_else(|| {
        malformed(
            parameter_names::PERFORMANCE_LEVEL,
            word,
            "write PL0, PL1, PL2 or PL3",
        )
    })
}

/// `available` is the word of the old provisioner; the order is the CSI driver's.
fn wanted_categories(params: &Params<'_>) -> Result<Vec<Category>, Error> {
    let mut categories = Vec::new();
    let mut add = |category| {
        if !categories.contains(&category) {
            categories.push(category);
        }
    };
    let mut words = params.get(parameter_names::TYPE);
    if words.is_empty() {
        words.push("available");
    }
    for word in words {
        if word == "available" {
            add(Category::Ssd);
            add(Category::Efficiency);
        } else {
            add(known_category(word)?);
        }
    }
    Ok(categories)
}

/// PL1 is what ECS makes of none.
fn wanted_levels(params: &Params<'_>) -> Result<Vec<Level>, Error> {
    let words = params.get(parameter_names::PERFORMANCE_LEVEL);
    if words.is_empty() {
        return Ok(vec![Level::Pl1]);
    }
    let mut levels = Vec::new();
    for word in words {
        levels.push(known_level(word)?);
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(pairs: &[(&str, &str)]) -> Result<Vec<String>, Error> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect();
        let kinds = Kind::from_params(&Params(&pairs))?;
        Ok(kinds.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn without_a_type_whatever_is_available_is_taken() {
        for pairs in [&[][..], &[("type", "available")][..]] {
            assert_eq!(
                wanted(pairs).expect("kinds"),
                ["cloud_ssd", "cloud_efficiency"]
            );
        }
    }

    #[test]
    fn each_category_is_tried_with_each_of_its_levels() {
        let pairs = [
            ("type", "cloud_essd, cloud_auto,available"),
            ("performanceLevel", "pl2,PL1"),
        ];
        assert_eq!(
            wanted(&pairs).expect("kinds"),
            [
                "cloud_essd PL2",
                "cloud_essd PL1",
                "cloud_auto",
                "cloud_ssd",
                "cloud_efficiency"
            ]
        );
    }

    #[test]
    fn unknown_categories_and_levels_are_refused_with_what_there_is() {
        for pairs in [("type", "ssd"), ("performanceLevel", "PL9")] {
            let error = wanted(&[pairs]).expect_err("refused");
            assert!(matches!(error, Error::InvalidArgument(m) if m.contains("write")));
        }
    }

    #[test]
    fn the_smallest_size_depends_on_the_level() {
        let smallest = |level| {
            Kind {
                category: Category::Essd,
                level,
            }
            .sizes()
            .0
        };
        let levels = [
            Some(Level::Pl0),
            None,
            Some(Level::Pl1),
            Some(Level::Pl2),
            Some(Level::Pl3),
        ];
        assert_eq!(levels.map(smallest), [1, 20, 20, 461, 1261]);
    }
}
