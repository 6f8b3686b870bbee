//! What tests do to the emulator, and what they learn of it. Everything is JSON.
//!
//! | request | does |
//! |---|---|
//! | `POST /faults` | orders one fault, or a list of them |
//! | `GET /faults` | how often each has fired and still will |
//! | `DELETE /faults` | clears them, and lets go of attachments that were held up |
//! | `GET /requests` | counts by action, and the last requests |
//! | `DELETE /requests` | forgets them |
//! | `GET /disks-made` | every disk that was made since the start, by its name, and when each was made and deleted |
//! | `POST /step` | ends all that is under way, once, for tests that hold the pace |
//! | `GET /state` | everything, with the devices and what went wrong with them |
//! | `GET /settings`, `POST /settings` | the knobs; what is sent changes, the rest stays |
//! | `POST /credentials` | a temporary key, for `{"seconds": …}` |
//!
//! A fault is `{"action": "CreateDisk" or "*", "kind": …, "times": 1, "skip": 0, "when": {"DiskId": …}}`. Its
//! kinds, with what else they take: `throttling`, `error-before`, `error-after` (`status`, `code`,
//! `message`), `cut-before`, `lost-reply`, `slow-reply` (`millis`; until faults are cleared without it), `garbage-body` (`status`), `huge-body`
//! (`bytes`), `stale-describe`; and for AttachDisk `stays-attaching`, `wrong-size-device` (`bytes` or `gib`),
//! `late-device` (`millis`; until faults are cleared without it), `other-name` (`link`; none without it).
//!
//! Settings are the knobs in `cloud/knobs.rs`, and `instances` (`zone`, `instance_type`, `status`, `locks`, and
//! `events`, which are added: `event_type`, `status`, `reason`),
//! `instance_types` (`disk_quantity`, `dense_disk_quantity`, `nvme`, `lacks`), `zones` (`lacks`) and `disks` (`locks`),
//! by id.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Reply, sts};
use crate::chance;
use crate::cloud::category::Category;
use crate::cloud::instance::{Cycle, Event, Instance, InstanceType, Nvme};
use crate::cloud::knobs::Pace;
use crate::cloud::{Cloud, Zone};
use crate::faults::kinds::Order;
use crate::service::Service;
use crate::wire::answer::json_response;
use crate::wire::call::Call;
use crate::words::{DiskId, InstanceId, InstanceTypeId, ZoneId};

pub(crate) fn respond(service: &Arc<Service>, call: &Call) -> Reply {
    let (status, body) = match answer(service, call) {
        Ok(Some(body)) => (200, body),
        Ok(None) => (404, json!({ "error": "there is nothing here" })),
        Err(error) => (400, json!({ "error": format!("{error:#}") })),
    };
    Ok(json_response(status, body.to_string()))
}

fn answer(service: &Arc<Service>, call: &Call) -> Result<Option<Value>> {
    Ok(Some(match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/faults") => service.faults.shown(),
        ("POST", "/faults") => order(service, &call.body)?,
        ("DELETE", "/faults") => clear(service)?,
        ("GET", "/requests") => service.log.shown(),
        ("DELETE", "/requests") => {
            service.log.clear();
            json!({})
        }
        ("GET", "/disks-made") => service.read(|cloud| serde_json::to_value(&cloud.history))?,
        ("POST", "/step") => {
            service.step();
            json!({})
        }
        ("GET", "/state") => state(service)?,
        ("GET", "/settings") => service.read(|cloud| serde_json::to_value(&cloud.knobs))?,
        ("POST", "/settings") => set(service, &call.body)?,
        ("POST", "/credentials") => credentials(service, &call.body)?,
        _ => return Ok(None),
    }))
}

/// One fault or a list of them.
fn order(service: &Arc<Service>, body: &[u8]) -> Result<Value> {
    let body: Value = serde_json::from_slice(body)?;
    let orders: Vec<Order> = if body.is_array() {
        serde_json::from_value(body)?
    } else {
        vec![serde_json::from_value(body)?]
    };
    for order in orders {
        service.faults.order(&order).map_err(anyhow::Error::msg)?;
    }
    Ok(service.faults.shown())
}

/// Faults go, and what they held up goes on.
fn clear(service: &Arc<Service>) -> Result<Value> {
    service.faults.clear();
    for transition in change(service, Cloud::release_held)? {
        service.begin(transition);
    }
    Ok(json!({}))
}

fn state(service: &Arc<Service>) -> Result<Value> {
    let mut state = service.read(|cloud| serde_json::to_value(cloud))?;
    state["devices"] = serde_json::to_value(service.devices.shown())?;
    state["device_errors"] = Value::from(service.devices.errors());
    Ok(state)
}

/// What is not a knob but part of the cloud; only what is named changes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenery {
    #[serde(default)]
    instances: BTreeMap<InstanceId, InstanceChange>,
    #[serde(default)]
    instance_types: BTreeMap<InstanceTypeId, TypeChange>,
    #[serde(default)]
    zones: BTreeMap<ZoneId, Zone>,
    #[serde(default)]
    disks: BTreeMap<DiskId, DiskChange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiskChange {
    locks: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceChange {
    zone: Option<ZoneId>,
    instance_type: Option<InstanceTypeId>,
    status: Option<String>,
    locks: Option<Vec<String>>,
    #[serde(default)]
    events: Vec<EventChange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventChange {
    event_type: String,
    status: Cycle,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeChange {
    disk_quantity: Option<usize>,
    dense_disk_quantity: Option<usize>,
    nvme: Option<Nvme>,
    lacks: Option<Vec<Category>>,
}

/// Names of [`Scenery`]'s fields.
const SCENERY: [&str; 4] = ["instances", "instance_types", "zones", "disks"];

/// Changes what is named, all of it or, if something is misspelt, nothing.
fn set(service: &Arc<Service>, body: &[u8]) -> Result<Value> {
    let sent: Map<String, Value> = serde_json::from_slice(body)?;
    let (scenery, knobs): (Map<String, Value>, Map<String, Value>) = sent
        .into_iter()
        .partition(|(name, _)| SCENERY.contains(&name.as_str()));
    let scenery: Scenery = serde_json::from_value(Value::Object(scenery))?;
    let held = service.read(|cloud| cloud.knobs.pace == Pace::Held);
    let shown = change(service, |cloud| {
        let mut all = serde_json::to_value(&cloud.knobs)?;
        let own = all.as_object_mut().context("the knobs are an object")?;
        own.extend(knobs);
        cloud.knobs = serde_json::from_value(all)?;
        rearrange(cloud, scenery);
        serde_json::to_value(&cloud.knobs).map_err(anyhow::Error::from)
    })??;
    // What was held up comes to its end in its own time, if it is held up no longer.
    if held {
        for transition in service.read(Cloud::pending) {
            service.begin(transition);
        }
    }
    Ok(shown)
}

fn rearrange(cloud: &mut Cloud, scenery: Scenery) {
    cloud.zones.extend(scenery.zones);
    for (id, change) in scenery.disks {
        if let Some(disk) = cloud.disks.get_mut(&id) {
            disk.locks = change.locks;
        }
    }
    for (id, change) in scenery.instance_types {
        change_type(cloud, &id, change);
    }
    for (id, change) in scenery.instances {
        let zone = change.zone.clone();
        let zone = zone.or_else(|| {
            cloud
                .instances
                .get(&cloud.here)
                .map(|here| here.zone.clone())
        });
        if let Some(zone) = zone {
            cloud.add_instance(&id, &zone, Timestamp::now());
        }
        let befell = |event: &EventChange| new_event(cloud, event);
        let events: Vec<Event> = change.events.iter().map(befell).collect();
        if let Some(instance) = cloud.instances.get_mut(&id) {
            change_instance(instance, change);
            instance.events.extend(events);
        }
    }
}

fn new_event(cloud: &mut Cloud, change: &EventChange) -> Event {
    Event {
        id: chance::id("e"),
        sequence: cloud.next(),
        event_type: change.event_type.clone(),
        status: change.status,
        reason: change.reason.clone(),
        published: Timestamp::now(),
    }
}

fn change_instance(instance: &mut Instance, change: InstanceChange) {
    if let Some(zone) = change.zone {
        instance.zone = zone;
    }
    if let Some(kind) = change.instance_type {
        instance.instance_type = kind;
    }
    if let Some(status) = change.status {
        instance.status = status;
    }
    if let Some(locks) = change.locks {
        instance.locks = locks;
    }
}

fn change_type(cloud: &mut Cloud, id: &InstanceTypeId, change: TypeChange) {
    let kind = cloud
        .instance_types
        .entry(id.clone())
        .or_insert(InstanceType {
            disk_quantity: 17,
            dense_disk_quantity: None,
            nvme: Nvme::Supported,
            lacks: Vec::new(),
        });
    kind.disk_quantity = change.disk_quantity.unwrap_or(kind.disk_quantity);
    kind.dense_disk_quantity = change.dense_disk_quantity.or(kind.dense_disk_quantity);
    kind.nvme = change.nvme.unwrap_or(kind.nvme);
    if let Some(lacks) = change.lacks {
        kind.lacks = lacks;
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default = "an_hour")]
    seconds: u32,
}

fn an_hour() -> u32 {
    3600
}

/// A temporary key without the way through STS.
fn credentials(service: &Arc<Service>, body: &[u8]) -> Result<Value> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let wish: Wish = serde_json::from_slice(body)?;
    let issued = change(service, |cloud| sts::issue(cloud, wish.seconds))?;
    Ok(sts::shown(&issued))
}

fn change<T>(service: &Arc<Service>, change: impl FnOnce(&mut Cloud) -> T) -> Result<T> {
    service
        .change(change)
        .map_err(|refusal| anyhow::anyhow!(refusal.message))
}
