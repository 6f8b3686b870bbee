//! Places: zones, regions and machines, by whichever keys they are told, and where a new disk can be. Pure.
//!
//! A place may say its zone by any of several keys, and may say more than that: nodes say what machine they are and which
//! categories of disks they take, so that both come back with the node that the scheduler chose.
//!
//! ```
//! use drivebay_guest::topology::{Keys, STANDARD_REGION, STANDARD_ZONE};
//! use drivebay_guest::types::Topology;
//!
//! const KEYS: Keys = Keys {
//!     zone: &["acme.example.com/zone", STANDARD_ZONE],
//!     region: &[STANDARD_REGION],
//!     instance: "acme.example.com/machine",
//!     takes: "acme.example.com/takes.",
//! };
//!
//! let node: Topology = vec![(STANDARD_ZONE.into(), "a".into()), ("acme.example.com/takes.fast".into(), "yes".into())];
//! assert_eq!(KEYS.zone(&node), Some("a"));
//! assert!(KEYS.takes(&node, "fast") && !KEYS.takes(&node, "slow"));
//! assert_eq!(KEYS.zones(&[], &[node], "r")?, ["a"]);
//! # Ok::<(), drivebay_guest::types::Error>(())
//! ```

use crate::bindings::types::{Error, Topology};
use crate::parameters::{Params, add_word};

/// Kubernetes' own key for zones, which StorageClasses ask for.
pub const STANDARD_ZONE: &str = "topology.kubernetes.io/zone";

/// Kubernetes' own key for regions.
pub const STANDARD_REGION: &str = "topology.kubernetes.io/region";

/// The keys by which places of a cloud are told.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// Where a zone may stand.
    pub zone: &'static [&'static str],
    /// Where a region may stand.
    pub region: &'static [&'static str],
    /// Which machine a node is.
    pub instance: &'static str,
    /// With the name of a category behind it: disks of it can be attached there.
    pub takes: &'static str,
}

impl Keys {
    /// The zone of a place.
    pub fn zone<'a>(&self, place: &'a Topology) -> Option<&'a str> {
        value_of(place, self.zone)
    }

    /// Which machine a place is.
    pub fn instance<'a>(&self, place: &'a Topology) -> Option<&'a str> {
        value_of(place, &[self.instance])
    }

    /// Whether disks of a category can be attached there; a place that says of none is not known to refuse any.
    pub fn takes(&self, place: &Topology, category: &str) -> bool {
        let known = Params(place).with_prefix(self.takes);
        known.is_empty() || known.iter().any(|(taken, _)| *taken == category)
    }

    /// The first place in a zone, or anywhere, that takes a category, or any: the scheduler's choice comes first.
    pub fn first_in<'a>(
        &self,
        places: &'a [Topology],
        zone: Option<&str>,
        category: Option<&str>,
    ) -> Option<&'a Topology> {
        places.iter().find(|place| {
            (zone.is_none() || self.zone(place) == zone)
                && category.is_none_or(|category| self.takes(place, category))
        })
    }

    /// The zones for a new disk of this region, the preferred first; empty where nobody said anything. `listed` are those
    /// that the StorageClass allows, `places` those where the pod can be.
    pub fn zones<'a>(
        &self,
        listed: &[&'a str],
        places: &'a [Topology],
        region: &str,
    ) -> Result<Vec<&'a str>, Error> {
        let mut reachable: Vec<&str> = Vec::new();
        let mut is_elsewhere = !places.is_empty();
        for place in places {
            if value_of(place, self.region).is_some_and(|said| said != region) {
                continue;
            }
            is_elsewhere = false;
            match (self.zone(place), self.instance(place)) {
                (Some(zone), _) if !reachable.contains(&zone) => reachable.push(zone),
                (None, Some(instance)) => {
                    bail!(InvalidArgument: "allowedTopologies name instance {instance} without its zone: add \
                        {STANDARD_ZONE}");
                }
                (Some(_) | None, _) => {}
            }
        }
        // `exhausted` is what has the scheduler look for another node.
        ensure!(!is_elsewhere, Exhausted: "the pod cannot be in region {region}, which the driver's file grants");
        if listed.is_empty() {
            return Ok(reachable);
        }
        if reachable.is_empty() {
            return Ok(listed.to_vec());
        }
        let is_listed = |zone: &&str| listed.contains(zone);
        ensure!(reachable.iter().any(is_listed), Exhausted: "the pod can be in zone {} and the StorageClass allows {}: no \
            disk can be in both", in_words(&reachable), in_words(listed));
        reachable.retain(is_listed);
        Ok(reachable)
    }
}

fn value_of<'a>(place: &'a Topology, keys: &[&str]) -> Option<&'a str> {
    let place = Params(place);
    keys.iter().find_map(|key| place.get(*key))
}

fn in_words(zones: &[&str]) -> String {
    let mut words = String::new();
    for zone in zones {
        add_word(&mut words, zone);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::pairs;

    const KEYS: Keys = Keys {
        zone: &["ours/zone", STANDARD_ZONE],
        region: &[STANDARD_REGION, "ours/region"],
        instance: "ours/machine",
        takes: "ours/takes.",
    };

    fn zones(listed: &[&'static str], places: &[(&str, &str)]) -> Result<Vec<&'static str>, Error> {
        let places: Vec<Topology> = places.iter().map(|place| pairs(&[*place])).collect();
        KEYS.zones(listed, places.leak(), "r")
    }

    #[test]
    fn the_scheduler_orders_and_the_class_restricts() {
        let places = [("ours/zone", "a"), (STANDARD_ZONE, "b"), ("ours/zone", "a")];
        assert_eq!(zones(&[], &places), Ok(vec!["a", "b"]));
        assert_eq!(zones(&["b", "a"], &places), Ok(vec!["a", "b"]));
        assert_eq!(zones(&["c", "b"], &places), Ok(vec!["b"]));
        assert_eq!(zones(&["c", "d"], &[]), Ok(vec!["c", "d"]));
        assert!(matches!(zones(&["c"], &places), Err(Error::Exhausted(_))));
    }

    #[test]
    fn a_region_says_no_zone_and_another_region_is_out_of_reach() {
        for key in KEYS.region {
            assert_eq!(zones(&[], &[(*key, "r")]), Ok(Vec::new()));
            let elsewhere = zones(&[], &[(*key, "other")]);
            assert!(matches!(elsewhere, Err(Error::Exhausted(_))));
        }
        let some = [(STANDARD_REGION, "other"), ("ours/zone", "a")];
        assert_eq!(zones(&[], &some), Ok(vec!["a"]));
    }

    #[test]
    fn a_machine_without_its_zone_is_explained() {
        let refused = zones(&[], &[("ours/machine", "i-1")]);
        assert!(matches!(refused, Err(Error::InvalidArgument(m)) if m.contains("i-1")));
    }

    #[test]
    fn keys_of_one_place_add_up() {
        let node = pairs(&[
            (STANDARD_REGION, "r"),
            (STANDARD_ZONE, "a"),
            ("ours/machine", "i-1"),
            ("ours/takes.fast", "yes"),
        ]);
        let places = [pairs(&[("ours/zone", "b")]), node.clone()];
        assert_eq!(KEYS.zones(&[], &places, "r"), Ok(vec!["b", "a"]));
        let first = |zone, category| KEYS.first_in(&places, zone, category);
        assert_eq!(first(Some("a"), None), Some(&node));
        assert_eq!(first(Some("a"), Some("slow")), None);
        assert_eq!(first(None, Some("slow")), Some(&places[0]), "nobody said");
        assert_eq!(KEYS.instance(&node), Some("i-1"));
        assert!(KEYS.takes(&node, "fast") && !KEYS.takes(&node, "slow"));
    }
}
