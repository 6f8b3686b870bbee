//! Against a broker that answers as the test says: no grant, no worker, no kernel.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wasmtime::component::Resource;

use super::wit::{block_devices, files, https, mounts, signing, types};
use crate::broker::{
    Answer, Ask, BlockDevicesAsk, Broker, CallMemory, CallReport, DeviceHandle, DirectoryHandle,
    EndpointHandle, FilesAsk, Handle, HttpsAsk, MountsAsk, Private, RemoteSource, SigningAsk,
    SigningKeyHandle, TargetHandle, Told, Violation,
};
use crate::config::Limits;
use crate::error::Condition;
use crate::runtime::call::CallSetup;
use crate::runtime::guest_time::GuestTime;
use crate::runtime::limiter::Limiter;
use crate::runtime::state::State;

/// Answers in turn, then `done`.
#[derive(Clone, Default)]
struct FakeBroker {
    asked: Arc<Mutex<Vec<Ask>>>,
    answers: Arc<Mutex<VecDeque<Result<Answer, Violation>>>>,
}

impl Broker for FakeBroker {
    fn ask(&mut self, ask: Ask) -> Result<Answer, Violation> {
        self.asked.lock().expect("one thread").push(ask);
        let answer = self.answers.lock().expect("one thread").pop_front();
        answer.unwrap_or(Ok(Answer::Done))
    }

    fn without_secrets(&self, said: String) -> String {
        said
    }

    fn end(&mut self) -> CallReport {
        CallReport {
            waited: Duration::from_secs(3),
            ..CallReport::default()
        }
    }
}

impl FakeBroker {
    fn answering(answer: Result<Answer, Violation>) -> (Self, State) {
        let broker = Self::default();
        broker.answers.lock().expect("one thread").push_back(answer);
        let setup = CallSetup {
            broker: Box::new(broker.clone()),
            deadline: Instant::now() + Duration::from_secs(30),
            memory: CallMemory::without_bound(),
            guest_time: GuestTime::default(),
        };
        let limits = Limits::default();
        let state = State::new(setup, Limiter::new(&limits), limits.deadline, 8);
        (broker, state)
    }

    #[track_caller]
    fn was_asked(&self, expected: impl Into<Ask>) {
        let asked = self.asked.lock().expect("one thread");
        assert_eq!(*asked, [expected.into()]);
    }
}

/// What the function returns where the broker answers so, and what it asked for that.
#[track_caller]
fn asks<T>(
    answer: Answer,
    function: impl FnOnce(&mut State) -> wasmtime::Result<T>,
    expected: impl Into<Ask>,
) -> T {
    let (broker, mut state) = FakeBroker::answering(Ok(answer));
    let returned = function(&mut state).expect("no trap");
    broker.was_asked(expected);
    returned
}

fn lent<T: 'static>(number: u32) -> Resource<T> {
    Resource::new_borrow(number)
}

#[test]
fn a_handle_is_the_brokers_number_there_and_back() {
    let opened = asks(
        Answer::Directory(DirectoryHandle(7)),
        |state| mounts::Host::open_directory(state, "pool".into()),
        MountsAsk::OpenDirectory {
            name: "pool".into(),
        },
    );
    assert_eq!(opened.expect("opened").rep(), 7);
    let bound = asks(
        Answer::Done,
        |state| mounts::HostTarget::bind(state, lent(1), lent(7), "a".into()),
        MountsAsk::Bind {
            target: TargetHandle(1),
            directory: DirectoryHandle(7),
            path: "a".into(),
        },
    );
    bound.expect("bound");
    let put = asks(
        Answer::Done,
        |state| block_devices::HostDevice::bind(state, lent(9), lent(1)),
        BlockDevicesAsk::Bind {
            device: DeviceHandle(9),
            target: TargetHandle(1),
        },
    );
    put.expect("bound");
    asks(
        Answer::Done,
        |state| signing::HostSigningKey::drop(state, Resource::new_own(5)),
        Ask::Drop(Handle::SigningKey(SigningKeyHandle(5))),
    );
}

#[test]
fn arguments_reach_the_broker_in_the_contracts_order() {
    let option = || ("vers".to_owned(), Some("4.2".to_owned()));
    let source = mounts::RemoteSource {
        fs_type: "nfs".into(),
        server: "filer".into(),
        path: "/a".into(),
    };
    let mounted = asks(
        Answer::Done,
        |state| mounts::HostTarget::mount_remote(state, lent(1), source, vec![option()]),
        MountsAsk::MountRemote {
            target: TargetHandle(1),
            source: RemoteSource {
                fs_type: "nfs".into(),
                server: "filer".into(),
                path: "/a".into(),
            },
            options: vec![option()],
        },
    );
    mounted.expect("mounted");
    let packed = asks(
        Answer::Size(3),
        |state| {
            let (from, to) = ("from".into(), "to".into());
            files::HostDirectory::archive_tree(state, lent(7), from, to, "gzip".into())
        },
        FilesAsk::ArchiveTree {
            directory: DirectoryHandle(7),
            source: "from".into(),
            to: "to".into(),
            compression: "gzip".into(),
        },
    );
    assert_eq!(packed.expect("packed"), 3);
    let request = https::Request {
        method: "POST".into(),
        path: "/".into(),
        query: vec![("q".into(), "1".into())],
        headers: vec![("h".into(), "2".into())],
        body: b"3".to_vec(),
    };
    let response = crate::broker::Response {
        status: 200,
        headers: Private(vec![("r".into(), "4".into())]),
        body: Private(b"5".to_vec()),
    };
    let sent = asks(
        Answer::Response(response),
        |state| https::HostEndpoint::send(state, lent(4), request),
        HttpsAsk::Send {
            endpoint: EndpointHandle(4),
            request: crate::broker::Request {
                method: "POST".into(),
                path: "/".into(),
                query: Private(vec![("q".into(), "1".into())]),
                headers: Private(vec![("h".into(), "2".into())]),
                body: Private(b"3".to_vec()),
            },
        },
    )
    .expect("sent");
    assert_eq!((sent.status, sent.body), (200, b"5".to_vec()));
    assert_eq!(sent.headers, [("r".to_owned(), "4".to_owned())]);
}

#[test]
fn what_fails_is_the_contracts_error() {
    let told = Told {
        condition: Condition::Denied,
        message: "not granted".into(),
    };
    let answer = asks(
        Answer::Failed(told),
        |state| files::HostDirectory::rmdir(state, lent(7), "a".into()),
        FilesAsk::Rmdir {
            directory: DirectoryHandle(7),
            path: "a".into(),
        },
    );
    assert!(matches!(answer, Err(types::Error::Denied(said)) if said == "not granted"));
}

#[test]
fn a_violation_ends_the_call_and_so_does_an_answer_of_another_kind() {
    let statfs = |state: &mut State| files::HostDirectory::statfs(state, lent(7));
    let violation = Violation::NoHandle(DirectoryHandle(7).into());
    for (answer, expected) in [
        (Err(violation), "it has no directory 7"),
        (Ok(Answer::Done), "the host gave an answer of another kind"),
    ] {
        let (_, mut state) = FakeBroker::answering(answer);
        let error = statfs(&mut state).map(drop).expect_err("a trap");
        assert_eq!(error.to_string(), expected);
    }
    let told = Told {
        condition: Condition::Internal,
        message: "no entropy".into(),
    };
    let (broker, mut state) = FakeBroker::answering(Ok(Answer::Failed(told)));
    let error = signing::Host::nonce(&mut state).expect_err("a trap");
    assert_eq!(error.to_string(), "no entropy");
    broker.was_asked(SigningAsk::Nonce {});
}

#[test]
fn what_a_call_waited_for_is_told_of_both_sides_of_the_line() {
    let (_, mut state) = FakeBroker::answering(Ok(Answer::Done));
    let pause = Duration::from_millis(20);
    let slept = state.sleep_until(Some(Instant::now() + pause));
    slept.expect("before the deadline");
    let waited = state.end().waited;
    assert!(waited > Duration::from_secs(3), "{waited:?}");
}
