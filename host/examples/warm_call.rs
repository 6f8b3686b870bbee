//! What a guest costs: `get_volume` through alicloud-disk against the same request signed and sent without one.
//!
//! Both in one process, in turns, over the host's own network worker, with its connection kept. `cargo xtask
//! bench` starts it beside the emulator; by hand it needs the environment of a node that has the driver.
//! Prints one JSON object: medians in nanoseconds.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use drivebay::config::{self, Paths};
use drivebay::driver::Driver;
use drivebay::sys::{self, Lock};
use drivebay::volume::{DriverName, VolumeId};
use drivebay::worker::client::{
    NetworkWorkers, SharedWorkers, WorkSite, WorkerCounters, WorkerLimits,
};
use drivebay::worker::{
    Body, Credentials, HttpsMessage, HttpsRequest, HttpsResponse, JobLimits, Reply, Request,
    WorkerClient, server,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Enough that the median stands still within a few percent.
const REPETITIONS: usize = 200;

/// Turns that do not count: workers start, connections are made, caches fill.
const WARM_UP: usize = 10;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[expect(
    clippy::print_stdout,
    reason = "the program that started this one reads the answer there"
)]
fn main() -> Result<()> {
    let mut arguments = std::env::args_os();
    if arguments
        .next()
        .is_some_and(|program| server::is_worker(&program))
    {
        return Ok(server::serve_worker(arguments.next().as_deref())?);
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [disk, origin, ca, key_id, secret] = words.as_slice() else {
        return Err("usage: warm_call DISK ORIGIN CA-FILE KEY-ID SECRET-FILE".into());
    };
    let paths = Paths::from_environment();
    let driver = open(&paths)?;
    let mut native = Native {
        workers: workers(&paths)?,
        origin: origin.clone(),
        ca: Body::new(std::fs::read(ca)?),
        key_id: key_id.clone(),
        secret: std::fs::read_to_string(secret)?.trim().to_owned(),
    };
    let volume = VolumeId(disk.clone());
    let (mut by_guest, mut natively) = (Vec::new(), Vec::new());
    for turn in 0..WARM_UP + REPETITIONS {
        let guest = timed(|| Ok(driver.session().get_volume(&volume).map(drop)?))?;
        let alone = timed(|| native.describe(disk))?;
        if turn >= WARM_UP {
            by_guest.push(guest);
            natively.push(alone);
        }
    }
    let medians = serde_json::json!({ "guest": median(by_guest), "native": median(natively) });
    println!("{medians}");
    Ok(())
}

fn open(paths: &Paths) -> Result<Driver> {
    let name = DriverName("alicloud-disk".to_owned());
    let config = config::find_driver(paths, &name)?.ok_or("the driver is not installed")?;
    Ok(Driver::new(config, paths.clone()))
}

/// As every operation has them; no lock of the driver's is taken.
fn workers(paths: &Paths) -> Result<SharedWorkers> {
    let lock = Lock::share(&paths.run.join("warm-call.lock"))?;
    let network = NetworkWorkers::new(PathBuf::from("/proc/self/exe"), WorkerCounters::default());
    let site = WorkSite::new(
        "warm-call",
        paths.run.join("jobs"),
        paths.slots(),
        JobLimits::default(),
        WorkerLimits::default(),
    );
    Ok(SharedWorkers::new(lock, site, network))
}

fn timed(call: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begun = Instant::now();
    call()?;
    Ok(begun.elapsed())
}

fn median(mut times: Vec<Duration>) -> u128 {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(0, |middle| middle.as_nanos())
}

/// The request as a program would make it that needs no guest.
struct Native {
    workers: SharedWorkers,
    origin: String,
    ca: Body,
    key_id: String,
    secret: String,
}

impl Native {
    fn describe(&mut self, disk: &str) -> Result<()> {
        let response = self.send(disk)?;
        let answer: serde_json::Value = serde_json::from_slice(response.body.as_bytes())?;
        match answer["Disks"]["Disk"][0]["DiskId"] == disk && response.status == 200 {
            true => Ok(()),
            false => Err(format!("no disk in {answer}").into()),
        }
    }

    fn send(&mut self, disk: &str) -> Result<HttpsResponse> {
        let query = format!("DiskIds=%5B%22{disk}%22%5D&RegionId=cn-hangzhou");
        let authority = self.origin.trim_start_matches("https://");
        let port = authority.rsplit(':').next().unwrap_or_default().parse()?;
        let message = HttpsMessage {
            sender: "the measure".to_owned(),
            method: "POST".to_owned(),
            origin: self.origin.clone(),
            target: format!("/?{query}"),
            addresses: vec![[127, 0, 0, 1].into()],
            port,
            headers: self.headers(authority, &query)?,
            body: Body::default(),
            credentials: Credentials::OfDriver,
            ca: Some(self.ca.clone()),
            timeout: Duration::from_secs(10),
            max_response_bytes: 1 << 20,
        };
        let request = Request::Https(HttpsRequest::Send(Box::new(message)));
        let deadline = Instant::now() + Duration::from_secs(10);
        let Reply::Https(response) = self.workers.call(request, deadline)? else {
            return Err("the worker did not answer with a response".into());
        };
        Ok(response)
    }

    /// ACS3-HMAC-SHA256 over an empty body.
    fn headers(&self, authority: &str, query: &str) -> Result<Vec<(String, String)>> {
        let signed = [
            ("host", authority.to_owned()),
            ("x-acs-action", "DescribeDisks".to_owned()),
            ("x-acs-content-sha256", digest(b"")),
            ("x-acs-date", written(sys::now_seconds())),
            ("x-acs-signature-nonce", hex(&sys::random_bytes()?)),
            ("x-acs-version", "2014-05-26".to_owned()),
        ];
        let lines: String = signed
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let names = signed.each_ref().map(|(name, _)| *name).join(";");
        let canonical = format!("POST\n/\n{query}\n{lines}\n{names}\n{}", digest(b""));
        let text = format!("ACS3-HMAC-SHA256\n{}", digest(canonical.as_bytes()));
        let authorization = format!(
            "ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={}",
            self.key_id,
            signature(&self.secret, &text)
        );
        // The host's name is sent by the worker.
        let sent = signed.into_iter().skip(1).chain([
            ("accept", "application/json".to_owned()),
            ("authorization", authorization),
        ]);
        Ok(sent.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

fn signature(secret: &str, text: &str) -> String {
    #[expect(clippy::expect_used, reason = "an HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `2026-11-21T08:00:00Z`. Years are counted from March, so that the leap day is a year's last.
fn written(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month_of_year) = (day - (153 * month + 2) / 5 + 1, (month + 2) % 12 + 1);
    let year = era * 400 + year + u64::from(month_of_year <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month_of_year:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
