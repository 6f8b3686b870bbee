//! Zones: what a StorageClass and the scheduler leave to choose from. Pure.

use crate::bindings::drivebay::driver::types::{Error, Topology};
use crate::disk::add_word;
use crate::given::Given;
use crate::parameters;

/// The key that Alibaba's CSI driver gave to nodes, and that its volumes ask for.
pub(crate) const ZONE: &str = "topology.diskplugin.csi.alibabacloud.com/zone";

/// Where else a zone may stand: what the cloud's own controller writes on nodes, now and of old.
const ZONE_KEYS: [&str; 3] = [
    ZONE,
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/zone",
];

/// The zones for a new disk, the preferred first; empty where nobody said anything.
pub(crate) fn wanted<'a>(given: &Given<'a>, places: &'a [Topology]) -> Result<Vec<&'a str>, Error> {
    let mut listed: Vec<&str> = Vec::new();
    for zone in given.words(parameters::ZONE_ID) {
        add(&mut listed, zone);
    }
    let mut reachable: Vec<&str> = Vec::new();
    for zone in places.iter().filter_map(|place| of(place)) {
        add(&mut reachable, zone);
    }
    if listed.is_empty() {
        return Ok(reachable);
    }
    if reachable.is_empty() {
        return Ok(listed);
    }
    let both: Vec<&str> = reachable
        .iter()
        .filter(|zone| listed.contains(zone))
        .copied()
        .collect();
    if both.is_empty() {
        // `exhausted` is what has the scheduler look for another node.
        return Err(Error::Exhausted(format!(
            "the pod can be in zone {} and the StorageClass allows {}: no disk can be in both",
            in_words(&reachable),
            in_words(&listed)
        )));
    }
    Ok(both)
}

/// The zone of a place.
pub(crate) fn of(place: &Topology) -> Option<&str> {
    let place = Given(place);
    ZONE_KEYS.iter().find_map(|key| place.get(key))
}

/// A place of ours.
pub(crate) fn place(zone: &str) -> Topology {
    vec![(ZONE.into(), zone.into())]
}

fn in_words(zones: &[&str]) -> String {
    let mut words = String::new();
    for zone in zones {
        add_word(&mut words, zone);
    }
    words
}

fn add<'a>(zones: &mut Vec<&'a str>, zone: &'a str) {
    if !zones.contains(&zone) {
        zones.push(zone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(listed: &str, places: &[(&str, &str)]) -> Result<Vec<&'static str>, Error> {
        let pairs = vec![(String::from("zoneid"), String::from(listed))];
        let places: Vec<Topology> = places
            .iter()
            .map(|(key, zone)| vec![((*key).into(), (*zone).into())])
            .collect();
        wanted(&Given(pairs.leak()), places.leak())
    }

    #[test]
    fn the_scheduler_orders_and_the_class_restricts() {
        let places = [
            (ZONE, "a"),
            ("topology.kubernetes.io/zone", "b"),
            (ZONE, "a"),
        ];
        assert_eq!(zones("", &places).expect("zones"), ["a", "b"]);
        assert_eq!(zones("b,a", &places).expect("zones"), ["a", "b"]);
        assert_eq!(zones("c, b", &places).expect("zones"), ["b"]);
        assert_eq!(zones("c,d", &[]).expect("zones"), ["c", "d"]);
        assert!(
            zones("", &[("failure-domain.beta.kubernetes.io/region", "r")])
                .expect("none")
                .is_empty()
        );
    }

    #[test]
    fn no_zone_in_common_sends_the_pod_elsewhere() {
        let error =
            zones("c", &[("failure-domain.beta.kubernetes.io/zone", "a")]).expect_err("none");
        assert!(matches!(error, Error::Exhausted(_)));
    }
}
