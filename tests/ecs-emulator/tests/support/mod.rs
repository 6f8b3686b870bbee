//! An emulator of a test's own, and a small client of the API that signs as version 3 does.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses a part of this, so no expectation would hold in all"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ecs_emulator::signing::v3::{self, Signed};
use ecs_emulator::wire::encoding::canonical_query;
use ecs_emulator::words::Secret;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, http};

/// Far longer than anything here takes; it only turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// The region that all tests are in.
pub(crate) const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

/// A running emulator that ends with its test.
#[derive(Debug)]
pub(crate) struct Emulator {
    process: Child,
    /// What it said when it was ready.
    pub(crate) ready: Value,
    agent: Agent,
    /// The key that requests are signed with.
    pub(crate) key: Key,
}

/// An access key, with a token if it is a temporary one.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    /// The body of a success.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        assert!(self.body["RequestId"].is_string(), "{}", self.body);
        self.body
    }

    /// Checks that this is a refusal with this status and code.
    #[track_caller]
    pub(crate) fn refused_with(self, status: u16, code: &str) {
        assert_eq!(self.body["Code"], code, "{}", self.body);
        assert_eq!(self.status, status, "{}", self.body);
        let complete = ["RequestId", "HostId", "Message", "Recommend"];
        assert!(
            complete.iter().all(|field| self.body[field].is_string()),
            "{}",
            self.body
        );
    }
}

/// A request before it is signed; tests bend what they want to see refused.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) action: String,
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) date: String,
    pub(crate) nonce: String,
    /// The host that is signed, which the connection goes to unless a test says otherwise.
    pub(crate) host: String,
}

impl Emulator {
    /// Starts one that keeps its state in this directory.
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test, with streams of its own"
    )]
    pub(crate) fn start(state: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-emulator"));
        command
            .arg("--state")
            .arg(state)
            .arg("--until-stdin-closes")
            .args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it was built");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it speaks");
        let ready: Value = serde_json::from_str(&line).expect("it is ready");
        let secret = std::fs::read_to_string(text(&ready["secret_file"])).expect("kept");
        let key = Key {
            id: text(&ready["access_key_id"]),
            secret: Secret::from(secret),
            token: None,
        };
        let agent = agent(Path::new(&text(&ready["ca"])));
        Self {
            process,
            ready,
            agent,
            key,
        }
    }

    pub(crate) fn here(&self) -> String {
        text(&self.ready["instance"])
    }

    fn host(&self) -> String {
        let address = text(&self.ready["ecs"]);
        address.trim_start_matches("https://").to_owned()
    }

    /// A request that would be accepted.
    pub(crate) fn request(&self, action: &str, pairs: &[(&str, &str)]) -> Request {
        static NONCE: AtomicU64 = AtomicU64::new(0);
        let nonce = NONCE.fetch_add(1, Ordering::Relaxed);
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Request {
            action: action.to_owned(),
            pairs: pairs.iter().map(owned).collect(),
            date: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            nonce: format!("{}-{nonce}", std::process::id()),
            host: self.host(),
        }
    }

    /// Signs and sends a request. None if the connection was cut.
    pub(crate) fn try_send(&self, request: &Request, key: &Key) -> Option<Reply> {
        let body_hash = v3::sha256(b"");
        let mut headers = vec![
            ("host", request.host.as_str()),
            ("x-acs-action", &request.action),
            ("x-acs-content-sha256", &body_hash),
            ("x-acs-date", &request.date),
            ("x-acs-signature-nonce", &request.nonce),
            ("x-acs-version", "2014-05-26"),
        ];
        headers.extend(
            key.token
                .as_deref()
                .map(|token| ("x-acs-security-token", token)),
        );
        headers.sort_unstable();
        let query: Vec<(&str, &str)> = request
            .pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let address = format!(
            "https://{}/?{}",
            self.host(),
            canonical_query(query.clone())
        );
        let signed = Signed {
            method: "POST",
            path: "/",
            query,
            headers: headers.clone(),
            body_hash: &body_hash,
        };
        let signature = v3::sign(&key.secret, &signed.string_to_sign());
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let (id, names) = (&key.id, names.join(";"));
        let authorization = format!(
            "{} Credential={id},SignedHeaders={names},Signature={signature}",
            v3::ALGORITHM
        );
        let mut post = self
            .agent
            .post(address)
            .header("authorization", authorization);
        // The host is in the address; where a test signs another one, the two have to differ.
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
            post = post.header(name, value);
        }
        reply(post.send_empty())
    }

    /// Sends a request that is answered.
    #[track_caller]
    pub(crate) fn call(&self, action: &str, pairs: &[(&str, &str)]) -> Reply {
        let request = self.request(action, pairs);
        self.try_send(&request, &self.key).expect("an answer")
    }

    /// Sends a request that nobody signed.
    #[track_caller]
    pub(crate) fn unsigned(&self, pairs: &[(&str, &str)]) -> Reply {
        let query = canonical_query(pairs.iter().copied());
        let address = format!("https://{}/", self.host());
        let post = self.agent.post(address);
        let form = ("content-type", "application/x-www-form-urlencoded");
        reply(post.header(form.0, form.1).send(query)).expect("an answer")
    }

    /// Asks the control port.
    #[track_caller]
    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let address = format!("{}{path}", text(&self.ready["control"]));
        let request = http::Request::builder().method(method).uri(address);
        let request = request.body(body.to_string()).expect("valid");
        let reply = reply(self.agent.run(request)).expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    /// Asks the metadata service; the answer's text.
    pub(crate) fn metadata(&self, method: &str, path: &str, header: (&str, &str)) -> (u16, String) {
        let address = format!("{}{path}", text(&self.ready["metadata"]));
        let request = http::Request::builder()
            .method(method)
            .uri(address)
            .header(header.0, header.1);
        let mut response = self
            .agent
            .run(request.body(()).expect("valid"))
            .expect("an answer");
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().expect("text"),
        )
    }

    /// From now on nothing under way ends by itself, so that a test sees what is in between however slow it is.
    pub(crate) fn hold(&self) {
        self.control("POST", "/settings", &json!({ "pace": "held" }));
    }

    /// Everything ends by itself again.
    pub(crate) fn run(&self) {
        self.control("POST", "/settings", &json!({ "pace": "running" }));
    }

    /// Ends all that is under way, once.
    pub(crate) fn step(&self) {
        self.control("POST", "/step", &Value::Null);
    }

    pub(crate) fn order(&self, fault: &Value) {
        self.control("POST", "/faults", fault);
    }

    /// A disk of 20 GiB that is Available.
    #[track_caller]
    pub(crate) fn new_disk(&self, more: &[(&str, &str)]) -> String {
        let pairs = [&[REGION, ("ZoneId", "cn-hangzhou-g")], more].concat();
        let essd = [("DiskCategory", "cloud_essd"), ("Size", "20")];
        let missing = essd
            .into_iter()
            .filter(|(name, _)| !more.iter().any(|(sent, _)| sent == name));
        let pairs: Vec<(&str, &str)> = pairs.into_iter().chain(missing).collect();
        let disk = text(&self.call("CreateDisk", &pairs).succeeds()["DiskId"]);
        self.becomes(&disk, "Available");
        disk
    }

    /// The disk as it is described, or null.
    #[track_caller]
    pub(crate) fn describe(&self, disk: &str) -> Value {
        let ids = json!([disk]).to_string();
        let answer = self
            .call("DescribeDisks", &[REGION, ("DiskIds", &ids)])
            .succeeds();
        answer["Disks"]["Disk"][0].clone()
    }

    #[track_caller]
    pub(crate) fn status(&self, disk: &str) -> String {
        self.describe(disk)["Status"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    #[track_caller]
    pub(crate) fn becomes(&self, disk: &str, status: &str) {
        eventually(&format!("{disk} to be {status}"), || {
            self.status(disk) == status
        });
    }

    #[track_caller]
    pub(crate) fn attach(&self, disk: &str) {
        let pairs = [("DiskId", disk), ("InstanceId", &self.here())];
        self.call("AttachDisk", &pairs).succeeds();
    }

    #[track_caller]
    pub(crate) fn detach(&self, disk: &str) {
        let pairs = [("DiskId", disk), ("InstanceId", &self.here())];
        self.call("DetachDisk", &pairs).succeeds();
    }

    /// Tells it to end, and whether it does so by itself.
    pub(crate) fn ends(mut self) -> bool {
        self.has_ended()
    }

    fn has_ended(&mut self) -> bool {
        drop(self.process.stdin.take());
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Ok(Some(_)) = self.process.try_wait() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Ends it without giving it time for anything.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("ours");
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = self.process.kill();
        }
    }
}

/// Waits for something that nobody announces.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn agent(ca: &Path) -> Agent {
    let pem = std::fs::read(ca).expect("it made one");
    let certificate = Certificate::from_pem(&pem).expect("valid");
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[certificate]))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(PATIENCE));
    config.build().new_agent()
}

fn reply(response: Result<http::Response<ureq::Body>, ureq::Error>) -> Option<Reply> {
    let mut response = response.ok()?;
    let status = response.status().as_u16();
    let text = response
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_string()
        .ok()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Some(Reply { status, body })
}
