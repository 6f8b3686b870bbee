//! For tests: a call whose requests are noted, and answered as the test says.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;

use super::{CallContext, CallKeys, DriverState, LogBudget};
use crate::grant::Grants;
use crate::volume::DriverName;
use crate::worker::{
    Body, Fault, FaultKind, HttpsRequest, HttpsResponse, Reply, Request, WorkerClient,
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

    pub(super) fn context(&self, grants: Grants, run: &Path) -> CallContext {
        let driver = DriverState::new(DriverName("driver".into()), run.to_owned());
        self.context_with(grants, driver)
    }

    pub(super) fn context_with(&self, grants: Grants, driver: DriverState) -> CallContext {
        CallContext {
            table: ResourceTable::new(),
            grants,
            worker: Box::new(self.clone()),
            deadline: Instant::now() + Duration::from_secs(30),
            log: LogBudget::new(0),
            taken: driver.call(),
            driver,
            keys: CallKeys::default(),
            unanswered: None,
            was_full: false,
            was_broken: false,
            waited: Duration::ZERO,
        }
    }
}

impl WorkerClient for FakeWorker {
    fn call(&mut self, request: Request, _deadline: Instant) -> Result<Reply, Fault> {
        let none = || Fault::new(FaultKind::Unreachable, "nobody answers");
        let Request::Https(request) = request else {
            return Err(none());
        };
        let mut asked = self.asked.lock().expect("no panic");
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
