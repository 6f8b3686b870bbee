//! Places: zone, region, instance, and what a StorageClass and the scheduler leave to choose from. Pure.
//!
//! A place may say its zone by any of several keys, and may say more than that: nodes say what instance they are and
//! which categories of disks they take, so that both come back with the node that the scheduler chose.

use drivebay_guest::prelude::*;

use crate::category::Kind;
use crate::parameter_names;

/// The key that Alibaba's CSI driver gave to nodes, and that its volumes ask for; ours do too.
pub(crate) const ZONE: &str = "topology.diskplugin.csi.alibabacloud.com/zone";

/// Kubernetes' own keys, which StorageClasses ask for.
pub(crate) const STANDARD_ZONE: &str = "topology.kubernetes.io/zone";
pub(crate) const REGION: &str = "topology.kubernetes.io/region";

/// The instance that a node is; disks that live and die with it ask for this.
pub(crate) const INSTANCE: &str = "alibabacloud.com/ecs-instance-id";

/// With the name of a category behind it: disks of it can be attached. As Alibaba's CSI driver labels nodes.
pub(crate) const TAKES: &str = "node.csi.alibabacloud.com/disktype.";

/// Where a zone may stand: the last is what the cloud's own controller wrote on nodes of old.
const ZONE_KEYS: [&str; 3] = [
    ZONE,
    STANDARD_ZONE,
    "failure-domain.beta.kubernetes.io/zone",
];

const REGION_KEYS: [&str; 3] = [
    REGION,
    "topology.diskplugin.csi.alibabacloud.com/region",
    "failure-domain.beta.kubernetes.io/region",
];

/// The zones for a new disk, the preferred first; empty where nobody said anything.
pub(crate) fn from_request<'a>(
    params: &Params<'a>,
    places: &'a [Topology],
    region: &str,
) -> Result<Vec<&'a str>, Error> {
    let listed = params.get(parameter_names::ZONE_ID);
    let mut reachable: Vec<&str> = Vec::new();
    let mut is_elsewhere = !places.is_empty();
    for place in places {
        if value_of(place, &REGION_KEYS).is_some_and(|said| said != region) {
            continue;
        }
        is_elsewhere = false;
        match (of(place), instance(place)) {
            (Some(zone), _) if !reachable.contains(&zone) => reachable.push(zone),
            (None, Some(instance)) => {
                bail!(InvalidArgument: "allowedTopologies name instance {instance} without its zone: add \
                    {STANDARD_ZONE}");
            }
            (Some(_) | None, _) => {}
        }
    }
    // `exhausted` is what has the scheduler look for another node.
    if is_elsewhere {
        bail!(Exhausted: "the pod cannot be in region {region}, which the driver's file grants");
    }
    if listed.is_empty() {
        return Ok(reachable);
    }
    if reachable.is_empty() {
        return Ok(listed);
    }
    if !reachable.iter().any(|zone| listed.contains(zone)) {
        bail!(Exhausted: "the pod can be in zone {} and the StorageClass allows {}: no disk can be in both",
            in_words(&reachable), in_words(&listed));
    }
    reachable.retain(|zone| listed.contains(zone));
    Ok(reachable)
}

/// What is wrong where places name no zone: the node that asks for the disk need not be in that of the pod.
pub(crate) fn missing(kind: Kind) -> Error {
    error!(InvalidArgument: "a disk of {kind} belongs to one zone, and allowedTopologies name none: add \
        {STANDARD_ZONE} there, or set zoneId in the StorageClass")
}

fn value_of<'a>(place: &'a Topology, keys: &[&str]) -> Option<&'a str> {
    let place = Params(place);
    keys.iter().find_map(|key| place.get(*key))
}

/// The zone of a place.
fn of(place: &Topology) -> Option<&str> {
    value_of(place, &ZONE_KEYS)
}

/// The first place in a zone, or anywhere, that takes a category, or any: the scheduler's choice comes first.
pub(crate) fn first_in<'a>(
    places: &'a [Topology],
    zone: Option<&str>,
    category: Option<&str>,
) -> Option<&'a Topology> {
    places.iter().find(|place| {
        (zone.is_none() || of(place) == zone)
            && category.is_none_or(|category| takes(place, category))
    })
}

/// Which instance a place is.
pub(crate) fn instance(place: &Topology) -> Option<&str> {
    value_of(place, &[INSTANCE])
}

/// Whether disks of a category can be attached there; a place that says of none is not known to refuse any.
pub(crate) fn takes(place: &Topology, category: &str) -> bool {
    let known = Params(place).with_prefix(TAKES);
    known.is_empty() || known.iter().any(|(taken, _)| *taken == category)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(pairs: &[(&str, &str)]) -> Topology {
        let owned = |(key, value): &(&str, &str)| ((*key).into(), (*value).into());
        pairs.iter().map(owned).collect()
    }

    fn zones(listed: &str, places: &[(&str, &str)]) -> Result<Vec<&'static str>, Error> {
        let pairs = topology(&[("zoneid", listed)]);
        let places: Vec<Topology> = places.iter().map(|place| topology(&[*place])).collect();
        from_request(&Params(pairs.leak()), places.leak(), "r")
    }

    #[test]
    fn the_scheduler_orders_and_the_class_restricts() {
        let places = [(ZONE, "a"), (STANDARD_ZONE, "b"), (ZONE, "a")];
        assert_eq!(zones("", &places).expect("zones"), ["a", "b"]);
        assert_eq!(zones("b,a", &places).expect("zones"), ["a", "b"]);
        assert_eq!(zones("c, b", &places).expect("zones"), ["b"]);
        assert_eq!(zones("c,d", &[]).expect("zones"), ["c", "d"]);
    }

    #[test]
    fn no_zone_in_common_sends_the_pod_elsewhere() {
        let error =
            zones("c", &[("failure-domain.beta.kubernetes.io/zone", "a")]).expect_err("none");
        assert!(matches!(error, Error::Exhausted(_)));
    }

    #[test]
    fn a_region_says_no_zone_and_another_region_is_out_of_reach() {
        for key in REGION_KEYS {
            assert!(zones("", &[(key, "r")]).expect("none").is_empty());
            assert!(matches!(
                zones("", &[(key, "other")]),
                Err(Error::Exhausted(_))
            ));
        }
        assert_eq!(
            zones("", &[(REGION, "other"), (ZONE, "a")]).expect("zones"),
            ["a"]
        );
    }

    #[test]
    fn an_instance_without_its_zone_is_explained() {
        let error = zones("", &[(INSTANCE, "i-1")]).expect_err("where is it?");
        assert!(matches!(error, Error::InvalidArgument(m) if m.contains("i-1")));
    }

    #[test]
    fn keys_of_one_place_add_up() {
        let cloud_essd = format!("{TAKES}cloud_essd");
        let node = topology(&[
            (REGION, "r"),
            (STANDARD_ZONE, "a"),
            (INSTANCE, "i-1"),
            (&cloud_essd, "available"),
        ]);
        let places = [topology(&[(ZONE, "b")]), node.clone()];
        assert_eq!(
            from_request(&Params(&[]), &places, "r").expect("zones"),
            ["b", "a"]
        );
        assert_eq!(
            first_in(&places, Some("a"), None).and_then(instance),
            Some("i-1")
        );
        assert!(takes(&node, "cloud_essd") && !takes(&node, "cloud_ssd"));
        assert!(takes(&places[0], "cloud_ssd"), "nobody said");
    }
}
