//! For tests: the broker of a call whose requests are noted, and answered as the test says.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Answer, Ask, Broker, CallBounds, DriverState, Told, WorkerBroker};
use crate::error::Condition;
use crate::grant::{AddressGrant, Capability, Grants, HttpsGrant, Method};
use crate::volume::DriverName;
use crate::worker::{
    Body, DirectoryOrigin, Fault, FaultKind, HttpsRequest, HttpsResponse, Reached, Reply, Request,
    WorkerClient,
};

/// Every name has this address; it is nobody's.
pub(super) const ADDRESS: [u8; 4] = [93, 184, 216, 34];

/// Answers in turn, and what was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeWorker {
    answers: Arc<Mutex<Vec<(u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeWorker {
    pub(super) fn answers(self, status: u16, body: &str) -> Self {
        let mut answers = self.answers.lock().expect("no panic");
        answers.push((status, body.to_owned()));
        drop(answers);
        self
    }

    /// `METHOD ORIGIN TARGET`, then headers, then the body, one line each; `RESOLVE host` for a look-up.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }

    pub(super) fn broker(&self, grants: Grants, run: &Path) -> WorkerBroker {
        let driver = DriverState::new(DriverName("driver".into()), run.to_owned());
        broker_by(self.clone(), grants, driver)
    }
}

/// A grant of that method on `/` of that origin, at public addresses.
pub(super) fn endpoint(name: &str, origin: &str, method: Method) -> HttpsGrant {
    HttpsGrant {
        name: name.into(),
        origin: origin.parse().expect("an origin"),
        region: None,
        methods: vec![method],
        paths: vec!["/".parse().expect("a pattern")],
        addresses: AddressGrant {
            capability: Capability::Https,
            key: format!("grants.https.{name}.addresses"),
            ranges: Vec::new(),
        },
        ca: None,
        rate: 100,
        timeout: Duration::from_secs(15),
        max_response_bytes: 1 << 20,
    }
}

/// Of a call that may take half a minute.
pub(super) fn broker_by(
    worker: impl WorkerClient + 'static,
    grants: Grants,
    driver: DriverState,
) -> WorkerBroker {
    let bounds = CallBounds {
        deadline: Instant::now() + Duration::from_secs(30),
        log_lines: 0,
        memory: driver.call_memory(),
    };
    WorkerBroker::new(driver, grants, Box::new(worker), bounds)
}

/// The answer, or what the guest is told instead.
#[track_caller]
pub(super) fn ask(broker: &mut impl Broker, ask: impl Into<Ask>) -> Result<Answer, Told> {
    let answer = broker.ask(ask.into()).expect("no violation");
    if let Answer::Failed(told) = answer {
        return Err(told);
    }
    Ok(answer)
}

/// What a guest is told that is refused on that condition.
#[track_caller]
pub(super) fn refused<T: fmt::Debug>(answer: Result<T, Told>, condition: Condition) -> String {
    let told = answer.expect_err("refused");
    assert_eq!(told.condition, condition, "{}", told.message);
    told.message
}

impl WorkerClient for FakeWorker {
    fn call(&mut self, request: Request, _deadline: Instant) -> Result<Reply, Fault> {
        let none = || Fault::new(FaultKind::Unreachable, "nobody answers");
        let mut asked = self.asked.lock().expect("no panic");
        if let Some(reply) = mounted(&request, &mut asked) {
            return Ok(reply);
        }
        let Request::Https(request) = request else {
            return Err(none());
        };
        let message = match request {
            HttpsRequest::Resolve { host } => {
                asked.push(format!("RESOLVE {host}"));
                return Ok(Reply::Addresses(vec![ADDRESS.into()]));
            }
            HttpsRequest::Send(message) => message,
        };
        let mut text = format!("{} {} {}", message.method, message.origin, message.target);
        for (name, value) in &message.headers {
            text += &format!("\n{name}: {value}");
        }
        if !message.body.as_bytes().is_empty() {
            text += &format!("\n{}", String::from_utf8_lossy(message.body.as_bytes()));
        }
        asked.push(text);
        let mut answers = self.answers.lock().expect("no panic");
        if answers.is_empty() {
            return Err(none());
        }
        let (status, body) = answers.remove(0);
        Ok(Reply::Https(HttpsResponse {
            status,
            headers: Vec::new(),
            body: Body::new(body.into_bytes()),
        }))
    }
}

/// Of mounts: every server is reached, and each mount is noted as `MOUNT SOURCE`, an option a line, secrets last.
fn mounted(request: &Request, asked: &mut Vec<String>) -> Option<Reply> {
    if let Request::Reach(server) = request {
        return Some(Reply::Reached(Reached {
            server: *server.addresses.first()?,
            client: None,
        }));
    }
    let (Request::MountRemote { remote, .. }
    | Request::OpenDirectory {
        directory: DirectoryOrigin::Remote(remote),
    }) = request
    else {
        return None;
    };
    let mut text = format!("MOUNT {} {}", remote.fs_type, remote.source_text());
    for (name, value) in &remote.options {
        text += &format!("\n{name}={}", value.as_deref().unwrap_or_default());
    }
    for secret in &remote.secrets {
        let value = String::from_utf8_lossy(secret.value.as_bytes());
        text += &format!("\n{}={value}", secret.name);
    }
    asked.push(text);
    Some(Reply::Done)
}
