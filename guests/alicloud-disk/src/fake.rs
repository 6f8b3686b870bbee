//! A small ECS for tests: disks, snapshots and tokens in memory, and the faults of a real one.
//!
//! It keeps to what is documented: tokens outlive what they made, descriptions can lag, attaching shows as such
//! for a moment. Its time is that of a fake host.

mod actions;
mod groups;

use std::cell::RefCell;

use drivebay_guest::capacity::GIB;
use drivebay_guest::fake::{self as sdk_fake, FakeHost};
use drivebay_guest::host::Host;
use drivebay_guest::https::Response;
use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::ecs::Cloud;
use crate::zone;

/// What a node says of itself: its zone, its instance, and what categories can be attached to it.
pub(crate) fn node(zone: &str, id: &str, takes: &[&str]) -> Topology {
    let mut place = zone::place(zone);
    place.push((zone::INSTANCE.into(), id.into()));
    let key = |category: &&str| (format!("{}{category}", zone::TAKES), "available".into());
    place.extend(takes.iter().map(key));
    place
}

/// A new disk of that size, as the provisioner asks for it.
pub(crate) fn request(
    name: &str,
    gib: u64,
    parameters: &[(&str, &str)],
    places: Vec<Topology>,
) -> CreateRequest {
    CreateRequest {
        accessibility_requirements: places,
        ..sdk_fake::request(name, gib * GIB, parameters)
    }
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused with this code, without effect.
    Refuse(&'static str),
    /// Not sent by the host, which has no key to sign it with.
    NoKey,
    /// Never arrives.
    Drop,
    /// Takes effect, and the answer is lost.
    LoseAnswer,
    /// A description from before anything was there.
    Stale,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FakeDisk {
    pub(crate) id: String,
    pub(crate) category: String,
    pub(crate) level: String,
    pub(crate) gib: u64,
    pub(crate) zone: String,
    pub(crate) nodes: Vec<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) multi_attach: bool,
    pub(crate) iops: u64,
    pub(crate) bursting: bool,
    pub(crate) snapshot: String,
    pub(crate) encrypted: bool,
    pub(crate) created: u64,
    pub(crate) was_attached: bool,
    pub(crate) lock: String,
    /// What the next descriptions show instead of the truth.
    shown: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct FakeSnapshot {
    pub(crate) id: String,
    source: String,
    gib: u64,
    tags: Vec<(String, String)>,
    /// What it was cut with.
    group: Option<String>,
}

#[derive(Default)]
struct State {
    disks: Vec<FakeDisk>,
    snapshots: Vec<FakeSnapshot>,
    groups: Vec<groups::FakeGroup>,
    /// Token, the parameters it came with, what it made.
    tokens: Vec<(String, String, String)>,
    faults: Vec<(Action, usize, Fault)>,
    calls: Vec<Call>,
    lag: usize,
    searches_lag: bool,
    slow_tasks: usize,
    running: usize,
    spec: Option<Call>,
    metadata: Option<(String, String)>,
    failing_group: Option<usize>,
    images: Vec<String>,
    made: u64,
}

pub(crate) struct FakeCloud {
    state: RefCell<State>,
    host: FakeHost,
}

impl FakeCloud {
    pub(crate) fn new() -> Self {
        Self {
            state: RefCell::default(),
            host: FakeHost::new(),
        }
    }

    /// The next call of this action goes wrong; several add up.
    pub(crate) fn fault(&self, action: Action, fault: Fault) {
        self.fault_after(action, 0, fault);
    }

    /// After so many calls of this action that go well.
    pub(crate) fn fault_after(&self, action: Action, calls: usize, fault: Fault) {
        self.state.borrow_mut().faults.push((action, calls, fault));
    }

    /// Each change is described only after so many looks.
    pub(crate) fn lag(&self, polls: usize) {
        self.state.borrow_mut().lag = polls;
    }

    /// Changes of a disk's kind take so many looks.
    pub(crate) fn slow_tasks(&self, polls: usize) {
        self.state.borrow_mut().slow_tasks = polls;
    }

    /// Somebody's change of a kind is under way for so many looks.
    pub(crate) fn run_task(&self, polls: usize) {
        self.state.borrow_mut().running = polls;
    }

    pub(crate) fn deadline_in(&self, milliseconds: u64) {
        self.host.deadline_in(milliseconds);
    }

    pub(crate) fn grant_metadata(&self, instance: &str, hostname: &str) {
        self.state.borrow_mut().metadata = Some((instance.into(), hostname.into()));
    }

    pub(crate) fn count(&self, action: Action) -> usize {
        self.state
            .borrow()
            .calls
            .iter()
            .filter(|call| call.action == action)
            .count()
    }

    /// The parameters of each call of this action.
    pub(crate) fn all(&self, action: Action) -> Vec<Vec<(String, String)>> {
        let state = self.state.borrow();
        let calls = state.calls.iter().filter(|call| call.action == action);
        calls.map(|call| call.query.clone()).collect()
    }

    /// The parameters of the last call of this action.
    pub(crate) fn last(&self, action: Action) -> Vec<(String, String)> {
        self.all(action).pop().expect("such a call")
    }

    /// Disks are described by their ids, and not yet by their tags.
    pub(crate) fn hide_from_searches(&self) {
        self.state.borrow_mut().searches_lag = true;
    }

    /// The disk is on its way for so many looks.
    pub(crate) fn stays_creating(&self, id: &str, looks: usize) {
        self.change(id, |disk| disk.shown = vec![disk.as_if("Creating"); looks]);
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.host.notes()
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.host.warnings()
    }

    /// ECS locks the disk for that reason.
    pub(crate) fn lock(&self, id: &str, reason: &str) {
        let mut state = self.state.borrow_mut();
        let disk = state.disks.iter_mut().find(|disk| disk.id == id);
        disk.expect("a disk").lock = reason.into();
    }

    pub(crate) fn add_disk(&self, category: &str, gib: u64) -> String {
        let mut state = self.state.borrow_mut();
        let id = state.new_id("d");
        let disk = FakeDisk {
            id: id.clone(),
            category: category.into(),
            level: if category == "cloud_essd" {
                "PL1".into()
            } else {
                String::new()
            },
            gib,
            zone: "cn-test-a".into(),
            created: state.made,
            ..FakeDisk::default()
        };
        state.disks.push(disk);
        id
    }

    pub(crate) fn attach(&self, id: &str, node: &str) {
        self.change(id, |disk| disk.nodes.push(node.into()));
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut FakeDisk)) {
        let mut state = self.state.borrow_mut();
        change(
            state
                .disks
                .iter_mut()
                .find(|disk| disk.id == id)
                .expect("a disk"),
        );
    }

    pub(crate) fn disk(&self, id: &str) -> Option<FakeDisk> {
        self.disks().into_iter().find(|disk| disk.id == id)
    }

    pub(crate) fn disks(&self) -> Vec<FakeDisk> {
        self.state.borrow().disks.clone()
    }

    pub(crate) fn delete_disk(&self, id: &str) {
        self.state.borrow_mut().disks.retain(|disk| disk.id != id);
    }

    /// The next group gets a snapshot of its first disk only, and fails after so many looks.
    pub(crate) fn fail_group(&self, polls: usize) {
        self.state.borrow_mut().failing_group = Some(polls);
    }

    /// ECS keeps what an image was made from.
    pub(crate) fn make_image(&self, snapshot: &str) {
        self.state.borrow_mut().images.push(snapshot.into());
    }

    pub(crate) fn delete_images(&self) {
        self.state.borrow_mut().images.clear();
    }

    /// Somebody deletes a snapshot past us.
    pub(crate) fn delete_snapshot(&self, id: &str) {
        self.state
            .borrow_mut()
            .snapshots
            .retain(|snapshot| snapshot.id != id);
    }

    /// Ids of the groups there are.
    pub(crate) fn groups(&self) -> Vec<String> {
        let state = self.state.borrow();
        state.groups.iter().map(groups::FakeGroup::id).collect()
    }

    /// Tokens do not last for ever.
    pub(crate) fn forget_tokens(&self) {
        self.state.borrow_mut().tokens.clear();
    }

    pub(crate) fn snapshots(&self) -> Vec<FakeSnapshot> {
        self.state.borrow().snapshots.clone()
    }
}

impl Cloud for FakeCloud {
    fn host(&self) -> &dyn Host {
        &self.host
    }

    fn region(&self) -> Result<String, Error> {
        Ok("cn-test".into())
    }

    fn send(&self, call: &Call) -> Result<Response, Error> {
        let mut state = self.state.borrow_mut();
        let fault = state.next_fault(call.action);
        state.calls.push(call.clone());
        let lost = || Error::Unavailable("the connection broke".into());
        let answer = match fault {
            Some(Fault::NoKey) => return Err(Error::Denied("cannot use key access-key".into())),
            Some(Fault::Drop) => return Err(lost()),
            Some(Fault::LoseAnswer) => {
                let _lost = state.answer(call);
                return Err(lost());
            }
            Some(Fault::Refuse(code)) => Err((code, 400)),
            Some(Fault::Stale) => Ok("{}".into()),
            None => state.answer(call),
        };
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err((code, status)) => {
                let message = "because";
                (
                    status,
                    format!(r#"{{"RequestId":"R","Code":"{code}","Message":"{message}"}}"#),
                )
            }
        };
        Ok(Response {
            status,
            headers: Vec::new(),
            body: body.into_bytes(),
        })
    }

    fn metadata(&self, path: &str) -> Result<String, Error> {
        let state = self.state.borrow();
        let Some((instance, hostname)) = &state.metadata else {
            return Err(Error::Denied("no grant".into()));
        };
        if path.ends_with("hostname") {
            return Ok(format!("{hostname}\n"));
        }
        Ok(format!(
            r#"{{"instance-id":"{instance}","zone-id":"cn-test-a","region-id":"cn-test","instance-type":"ecs.g7.large"}}"#
        ))
    }
}
