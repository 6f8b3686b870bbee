//! Answers as JSON, with the contract's names. What is absent has no key.

use drivebay::volume::{
    GroupSnapshot, Health, HealthCondition, NodeInfo, PageToken, Parameters, Readiness, Snapshot,
    SnapshotPage, Topology, VolumeHealth, VolumeHealthPage, VolumeInfo, VolumePage, VolumeSource,
};
use serde_json::{Map, Value, json};

/// For operations that have nothing to tell.
pub(super) fn nothing() -> Value {
    json!({})
}

pub(super) fn pairs(pairs: &Parameters) -> Value {
    object(pairs.pairs())
}

pub(super) fn volume(volume: &VolumeInfo) -> Value {
    let nodes: Vec<&str> = volume.nodes.iter().map(|node| node.0.as_str()).collect();
    let mut object = json!({
        "id": volume.id.0,
        "capacity-bytes": volume.capacity_bytes,
        "context": pairs(&volume.context),
        "places": volume.places.iter().map(place).collect::<Vec<_>>(),
        "nodes": nodes,
    });
    match &volume.source {
        Some(VolumeSource::Snapshot(id)) => object["source"] = json!({ "snapshot": id.0 }),
        Some(VolumeSource::Volume(id)) => object["source"] = json!({ "volume": id.0 }),
        None => {}
    }
    object
}

pub(super) fn volumes(page: &VolumePage) -> Value {
    let volumes: Vec<Value> = page.volumes.iter().map(volume).collect();
    with_token(json!({ "volumes": volumes }), page.next.as_ref())
}

pub(super) fn snapshot(snapshot: &Snapshot) -> Value {
    let readiness = match snapshot.readiness {
        Readiness::Pending => "pending",
        Readiness::Ready => "ready",
    };
    let mut object = json!({
        "id": snapshot.id.0,
        "source-volume-id": snapshot.source.0,
        "size-bytes": snapshot.size_bytes,
        "created-at-seconds": snapshot.created_at_seconds,
        "readiness": readiness,
    });
    if let Some(group) = &snapshot.group {
        object["group-id"] = json!(group.0);
    }
    object
}

pub(super) fn group_snapshot(group: &GroupSnapshot) -> Value {
    json!({
        "id": group.id.0,
        "snapshots": group.snapshots.iter().map(snapshot).collect::<Vec<_>>(),
        "created-at-seconds": group.created_at_seconds,
    })
}

pub(super) fn snapshots(page: &SnapshotPage) -> Value {
    let snapshots: Vec<Value> = page.snapshots.iter().map(snapshot).collect();
    with_token(json!({ "snapshots": snapshots }), page.next.as_ref())
}

pub(super) fn node(info: &NodeInfo) -> Value {
    let mut object = json!({
        "place": place(&info.place),
        "max-volumes": info.max_volumes,
    });
    if let Some(id) = &info.id {
        object["id"] = json!(id.0);
    }
    object
}

pub(super) fn health(health: &Health) -> Value {
    match health {
        Health::Ok => json!({ "health": "ok" }),
        Health::Degraded(reason) => json!({ "health": "degraded", "reason": reason }),
        Health::Inaccessible(reason) => json!({ "health": "inaccessible", "reason": reason }),
    }
}

pub(super) fn conditions(conditions: &[HealthCondition]) -> Value {
    let conditions: Vec<Value> = conditions.iter().map(condition).collect();
    json!({ "conditions": conditions })
}

fn condition(condition: &HealthCondition) -> Value {
    json!({
        "severity": condition.severity.name(),
        "reason": condition.reason,
        "message": condition.message,
    })
}

pub(super) fn unwell(page: &VolumeHealthPage) -> Value {
    let volume = |it: &VolumeHealth| {
        let mut object = conditions(&it.conditions);
        object["id"] = json!(it.volume.0);
        object
    };
    let volumes: Vec<Value> = page.volumes.iter().map(volume).collect();
    with_token(json!({ "volumes": volumes }), page.next.as_ref())
}

fn place(place: &Topology) -> Value {
    object(&place.0)
}

fn object(pairs: &[(String, String)]) -> Value {
    let pairs = pairs
        .iter()
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn with_token(mut page: Value, next: Option<&PageToken>) -> Value {
    if let Some(token) = next {
        page["next-token"] = json!(token.0);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use drivebay::volume::{NodeId, VolumeId};

    #[test]
    fn a_volume_has_the_contracts_names_and_no_null() {
        let volume = VolumeInfo {
            id: VolumeId("d-1".into()),
            capacity_bytes: 7,
            context: Parameters::new(vec![("pool".into(), "a".into())]),
            source: None,
            places: vec![Topology(vec![("zone".into(), "z".into())])],
            nodes: vec![NodeId("n".into())],
        };
        assert_eq!(
            super::volume(&volume).to_string(),
            r#"{"capacity-bytes":7,"context":{"pool":"a"},"id":"d-1","nodes":["n"],"places":[{"zone":"z"}]}"#
        );
    }

    #[test]
    fn the_last_page_has_no_token() {
        let page = |next: Option<&str>| SnapshotPage {
            snapshots: Vec::new(),
            next: next.map(|token| PageToken(token.into())),
        };
        assert_eq!(snapshots(&page(None)).to_string(), r#"{"snapshots":[]}"#);
        assert_eq!(
            snapshots(&page(Some("t"))).to_string(),
            r#"{"next-token":"t","snapshots":[]}"#
        );
    }
}
