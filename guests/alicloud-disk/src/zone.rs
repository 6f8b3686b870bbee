//! Places: by which keys Alibaba's clusters tell zone, region, instance, and what a node takes. Pure.

use drivebay_guest::prelude::*;
use drivebay_guest::topology::Keys;
pub(crate) use drivebay_guest::topology::{STANDARD_REGION as REGION, STANDARD_ZONE};

use crate::category::Kind;
use crate::parameter_names;

/// The key that Alibaba's CSI driver gave to nodes, and that its volumes ask for; ours do too.
pub(crate) const ZONE: &str = "topology.diskplugin.csi.alibabacloud.com/zone";

/// The instance that a node is; disks that live and die with it ask for this.
pub(crate) const INSTANCE: &str = "alibabacloud.com/ecs-instance-id";

/// With the name of a category behind it: disks of it can be attached. As Alibaba's CSI driver labels nodes.
pub(crate) const TAKES: &str = "node.csi.alibabacloud.com/disktype.";

/// The last of each is what the cloud's own controller wrote on nodes of old.
pub(crate) const KEYS: Keys = Keys {
    zone: &[
        ZONE,
        STANDARD_ZONE,
        "failure-domain.beta.kubernetes.io/zone",
    ],
    region: &[
        REGION,
        "topology.diskplugin.csi.alibabacloud.com/region",
        "failure-domain.beta.kubernetes.io/region",
    ],
    instance: INSTANCE,
    takes: TAKES,
};

/// The zones for a new disk, the preferred first; empty where nobody said anything.
pub(crate) fn from_request<'a>(
    params: &Params<'a>,
    places: &'a [Topology],
    region: &str,
) -> Result<Vec<&'a str>, Error> {
    KEYS.zones(&params.get(parameter_names::ZONE_ID), places, region)
}

/// What is wrong where places name no zone: the node that asks for the disk need not be in that of the pod.
pub(crate) fn missing(kind: Kind) -> Error {
    error!(InvalidArgument: "a disk of {kind} belongs to one zone, and allowedTopologies name none: add \
        {STANDARD_ZONE} there, or set zoneId in the StorageClass")
}

/// A place of ours.
pub(crate) fn place(zone: &str) -> Topology {
    vec![(ZONE.into(), zone.into())]
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
        for key in KEYS.region {
            assert!(zones("", &[(*key, "r")]).expect("none").is_empty());
            assert!(matches!(
                zones("", &[(*key, "other")]),
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
            KEYS.first_in(&places, Some("a"), None)
                .and_then(|place| KEYS.instance(place)),
            Some("i-1")
        );
        assert!(KEYS.takes(&node, "cloud_essd") && !KEYS.takes(&node, "cloud_ssd"));
        assert!(KEYS.takes(&places[0], "cloud_ssd"), "nobody said");
    }
}
