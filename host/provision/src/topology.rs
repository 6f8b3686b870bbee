//! Places: nodes' labels and classes' topologies as a backend's, and a backend's as the affinity of a volume. Pure.
//!
//! Labels of CSI drivers (`topology.diskplugin.csi.alibabacloud.com/zone`) come with kubelet's registration of such a
//! driver; nodes that know FlexVolume alone have Kubernetes' own, which the cloud's controller writes, today's or
//! those of old. So these are what a backend is told, and what its zones and regions become: by a label that a node has
//! not, no pod comes to it.

use std::collections::BTreeMap;

use drivebay::volume::Topology;
use k8s_openapi::api::core::v1::{
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, TopologySelectorTerm,
    VolumeNodeAffinity,
};

pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";

/// What nodes of old have instead.
const BEFORE: [(&str, &str); 2] = [
    (ZONE, "failure-domain.beta.kubernetes.io/zone"),
    (REGION, "failure-domain.beta.kubernetes.io/region"),
];

/// Where a node is, by the labels that it has; nothing where they do not say its zone.
pub(crate) fn place_of_node(labels: &BTreeMap<String, String>) -> Option<Topology> {
    let found = BEFORE.iter().filter_map(|(key, before)| {
        let (key, value) = labels
            .get_key_value(*key)
            .or_else(|| labels.get_key_value(*before))?;
        Some((key.clone(), value.clone()))
    });
    let place: Vec<(String, String)> = found.collect();
    place
        .iter()
        .any(|(key, _)| label(key) == ZONE)
        .then_some(Topology(place))
}

/// The places that a class allows: of each term every combination of its values.
pub(crate) fn places_of_class(allowed: &[TopologySelectorTerm]) -> Vec<Topology> {
    allowed.iter().flat_map(places_of_term).collect()
}

fn places_of_term(term: &TopologySelectorTerm) -> Vec<Topology> {
    let mut places = vec![Vec::new()];
    for expression in term.match_label_expressions.iter().flatten() {
        let with = |place: &Vec<(String, String)>| {
            let place = place.clone();
            expression.values.iter().map(move |value| {
                let mut longer = place.clone();
                longer.push((expression.key.clone(), value.clone()));
                longer
            })
        };
        places = places.iter().flat_map(with).collect();
    }
    let said = places.into_iter().filter(|place| !place.is_empty());
    said.map(Topology).collect()
}

/// Which nodes reach a volume that is in any of those places; nothing where all do. `asked` are the places that it was
/// asked for, by labels that nodes have.
pub(crate) fn affinity(places: &[Topology], asked: &[Topology]) -> Option<VolumeNodeAffinity> {
    let terms = places.iter().filter_map(|place| term(place, asked));
    let terms: Vec<NodeSelectorTerm> = terms.collect();
    (!terms.is_empty()).then_some(VolumeNodeAffinity {
        required: Some(NodeSelector {
            node_selector_terms: terms,
        }),
    })
}

fn term(place: &Topology, asked: &[Topology]) -> Option<NodeSelectorTerm> {
    let requirement = |(key, value): &(String, String)| NodeSelectorRequirement {
        key: as_asked(label(key), asked).to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![value.clone()]),
    };
    let requirements: Vec<NodeSelectorRequirement> = place.0.iter().map(requirement).collect();
    (!requirements.is_empty()).then_some(NodeSelectorTerm {
        match_expressions: Some(requirements),
        match_fields: None,
    })
}

/// Kubernetes' label, or that of old where the volume was asked for by it: the node that it was asked for has no other.
fn as_asked<'a>(label: &'a str, asked: &[Topology]) -> &'a str {
    let before = BEFORE.iter().find(|(key, _)| *key == label);
    let said = |wanted: &str| {
        let mut pairs = asked.iter().flat_map(|place| &place.0);
        pairs.any(|(key, _)| key == wanted)
    };
    match before {
        Some((_, before)) if said(before) && !said(label) => before,
        _ => label,
    }
}

/// A backend's word for a zone or a region as the label that nodes have.
fn label(key: &str) -> &str {
    match key.rsplit_once('/') {
        Some((_, "zone")) => ZONE,
        Some((_, "region")) => REGION,
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::TopologySelectorLabelRequirement;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_node_is_where_its_labels_say_and_old_ones_count_where_there_are_no_others() {
        let node = labels(&[
            (ZONE, "a"),
            ("failure-domain.beta.kubernetes.io/zone", "old"),
            ("failure-domain.beta.kubernetes.io/region", "r"),
            ("kubernetes.io/hostname", "n"),
        ]);
        let place = place_of_node(&node).expect("a place");
        let expected = [
            (ZONE.to_owned(), "a".to_owned()),
            (BEFORE[1].1.to_owned(), "r".to_owned()),
        ];
        assert_eq!(place.0, expected);
        for nowhere in [("x", "y"), (REGION, "r")] {
            assert_eq!(place_of_node(&labels(&[nowhere])), None, "{nowhere:?}");
        }
    }

    #[test]
    fn a_class_allows_each_combination_of_a_term() {
        let requirement = |key: &str, values: &[&str]| TopologySelectorLabelRequirement {
            key: key.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let term = TopologySelectorTerm {
            match_label_expressions: Some(vec![
                requirement(ZONE, &["a", "b"]),
                requirement("disk", &["fast"]),
            ]),
        };
        let empty = TopologySelectorTerm::default();
        let places = places_of_class(&[term, empty]);
        let zones: Vec<&str> = places.iter().map(|place| place.0[0].1.as_str()).collect();
        assert_eq!(zones, ["a", "b"]);
        assert!(places.iter().all(|place| place.0[1].1 == "fast"));
    }

    #[test]
    fn a_backends_zone_becomes_the_label_that_the_node_has() {
        let place = Topology(vec![
            (
                "topology.diskplugin.csi.alibabacloud.com/zone".to_owned(),
                "a".to_owned(),
            ),
            (
                "alibabacloud.com/ecs-instance-id".to_owned(),
                "i".to_owned(),
            ),
        ]);
        let keys = |asked: &[Topology]| {
            let affinity = affinity(std::slice::from_ref(&place), asked);
            let required = affinity.and_then(|affinity| affinity.required);
            let term = required.expect("terms").node_selector_terms.remove(0);
            let requirements = term.match_expressions.into_iter().flatten();
            let keys: Vec<String> = requirements.map(|requirement| requirement.key).collect();
            keys
        };
        let at = |key: &str| Topology(vec![(key.to_owned(), "a".to_owned())]);
        let instance = "alibabacloud.com/ecs-instance-id";
        assert_eq!(keys(&[]), [ZONE, instance]);
        assert_eq!(keys(&[at(ZONE)]), [ZONE, instance]);
        let old = BEFORE[0].1;
        assert_eq!(keys(&[at(old)]), [old, instance]);
        assert!(affinity(&[], &[]).is_none());
        assert!(affinity(&[Topology::default()], &[]).is_none());
    }
}
