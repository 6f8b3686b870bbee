use std::path::PathBuf;
use std::time::Instant;

use super::fake_worker::{FakeWorker, ask, broker_by, refused};
use super::name_length::{MAX_NAME, nameable};
use super::*;
use crate::error::{Condition, DriverError, ErrorOrigin};
use crate::grant::{BlockDevicesGrant, Capability, Grants, MountsGrant};
use crate::volume::DriverName;
use crate::worker::{self, Fault, FaultKind, Reply, WorkerClient};

struct Full;

impl WorkerClient for Full {
    fn call(&mut self, _request: worker::Request, _deadline: Instant) -> Result<Reply, Fault> {
        Err(Fault::new(FaultKind::Full, "too much to do"))
    }
}

fn driver() -> DriverState {
    DriverState::new(DriverName("driver".into()), PathBuf::new())
}

#[test]
fn what_this_process_has_no_room_for_is_reported() {
    let mut broker = broker_by(Full, Grants::default(), driver());
    let host = "filer".to_owned();
    let error = broker.ask_worker(worker::Request::Resolve { host });
    let error = error.expect_err("full");
    assert_eq!(error.origin(), ErrorOrigin::Process);
    assert!(broker.end().was_full);
}

#[test]
fn a_name_is_bounded_before_it_is_looked_up_or_quoted() {
    let long = || "\u{1}".repeat(MAX_NAME + 1);
    let source = |fs_type: String| RemoteSource {
        fs_type,
        server: "filer".into(),
        path: "/a".into(),
    };
    let disk = || Identity {
        serial: long(),
        size_bytes: None,
    };
    let remote = MountsAsk::OpenRemote {
        source: source(long()),
        options: Vec::new(),
    };
    let asks: [Ask; 5] = [
        HttpsAsk::OpenEndpoint { name: long() }.into(),
        SigningAsk::OpenKey { name: long() }.into(),
        MountsAsk::OpenDirectory { name: long() }.into(),
        remote.into(),
        BlockDevicesAsk::FindDevice { identity: disk() }.into(),
    ];
    for question in asks {
        let grants = Grants {
            mounts: Some(MountsGrant::default()),
            block_devices: Some(BlockDevicesGrant {
                filesystems: vec!["ext4".into()],
                ..BlockDevicesGrant::default()
            }),
            ..Grants::default()
        };
        let mut broker = FakeWorker::default().broker(grants, "".as_ref());
        let said = refused(ask(&mut broker, question), Condition::InvalidArgument);
        let expected = "a name or a value of 4097 bytes is refused: 4096 are the most";
        assert_eq!(said, expected);
    }
    assert!(nameable(&"x".repeat(MAX_NAME)).is_ok());
}

fn counted(driver: &DriverState) -> Vec<(Capability, u64)> {
    driver.refusals().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_refusal_counts_for_the_driver_whose_guest_asks_and_for_no_other() {
    let (one, other) = (driver(), driver());
    let mut broker = broker_by(Full, Grants::default(), one.clone());
    let mut of_other = broker_by(Full, Grants::default(), other.clone());
    let key = || SigningAsk::OpenKey { name: "k".into() };
    let endpoint = || HttpsAsk::OpenEndpoint { name: "e".into() };
    refused(ask(&mut broker, key()), Condition::Denied);
    refused(ask(&mut broker, endpoint()), Condition::Denied);
    refused(ask(&mut broker, endpoint()), Condition::Denied);
    let expected = [(Capability::Https, 2), (Capability::Signing, 1)];
    assert_eq!(counted(&one), expected);
    assert_eq!(counted(&other), []);
    refused(ask(&mut of_other, key()), Condition::Denied);
    assert_eq!(counted(&one), expected);
}

#[test]
fn what_fails_for_another_reason_is_no_refusal() {
    let driver = driver();
    let mut broker = broker_by(Full, Grants::default(), driver.clone());
    let failed = broker.settle(DriverError::denied("by the backend").into());
    let failed = failed.expect("no violation");
    assert_eq!(failed.condition(), Condition::Denied);
    assert_eq!(counted(&driver), []);
}

#[test]
fn a_question_is_bounded_and_is_asked_while_the_call_lasts() {
    let mut broker = FakeWorker::default().broker(Grants::default(), "".as_ref());
    let hash = |bytes: usize| SigningAsk::Sha256 {
        message: Private(vec![0; bytes]),
    };
    assert!(broker.ask(hash(MAX_ASK_BYTES).into()).is_ok());
    let (bytes, most) = (MAX_ASK_BYTES + 1, MAX_ASK_BYTES);
    let too_large = Err(Violation::TooLarge { bytes, most });
    assert_eq!(broker.ask(hash(bytes).into()), too_large);
    broker.end();
    assert_eq!(broker.ask(hash(0).into()), Err(Violation::Ended));
}

#[test]
fn a_handle_that_nobody_handed_out_ends_the_call() {
    let grants = Grants {
        files: Some(crate::grant::FilesGrant::ReadWrite),
        ..Grants::default()
    };
    let mut broker = FakeWorker::default().broker(grants, "".as_ref());
    let directory = DirectoryHandle(7);
    let violation = Violation::NoHandle(directory.into());
    let question = FilesAsk::Statfs { directory };
    assert_eq!(broker.ask(question.into()), Err(violation.clone()));
    assert_eq!(broker.ask(Ask::Drop(directory.into())), Err(violation));
}
