use super::*;
use crate::broker::Told;
use crate::broker::fake_worker::{FakeWorker, ask, endpoint, refused};
use crate::error::Condition;
use crate::grant::{Grants, Method};

fn grants(origin: &str, rate: u32) -> Grants {
    let grant = HttpsGrant {
        region: Some("cn-hangzhou".into()),
        rate,
        ..endpoint("ecs", origin, Method::Post)
    };
    Grants {
        https: [("ecs".to_owned(), grant)].into(),
        ..Grants::default()
    }
}

fn request(method: &str, path: &str) -> Request {
    Request {
        method: method.into(),
        path: path.into(),
        query: Private(vec![("Action".into(), "a b".into())]),
        headers: Private(vec![("x-a".into(), "b".into())]),
        body: Private(b"body".to_vec()),
    }
}

#[track_caller]
fn open(broker: &mut WorkerBroker, name: &str) -> Result<EndpointHandle, Told> {
    let answer = ask(broker, HttpsAsk::OpenEndpoint { name: name.into() })?;
    let Answer::Endpoint(endpoint) = answer else {
        panic!("{answer:?}");
    };
    Ok(endpoint)
}

#[track_caller]
fn send(broker: &mut WorkerBroker, request: Request) -> Result<Response, Told> {
    let endpoint = open(broker, "ecs").expect("granted");
    let answer = ask(broker, HttpsAsk::Send { endpoint, request })?;
    let Answer::Response(response) = answer else {
        panic!("{answer:?}");
    };
    Ok(response)
}

#[test]
fn what_is_granted_is_looked_up_and_sent_as_it_was_written() {
    let run = tempfile::tempdir().expect("a directory");
    let worker = FakeWorker::default().answers(503, "busy");
    let mut broker = worker.broker(grants("https://ecs.example.com", 9), run.path());
    let response = send(&mut broker, request("POST", "/")).expect("an answer");
    assert_eq!((response.status, response.body.0), (503, b"busy".to_vec()));
    let agent = concat!("user-agent: drivebay/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        worker.asked(),
        [
            "RESOLVE ecs.example.com".to_owned(),
            format!("POST https://ecs.example.com /?Action=a%20b\nx-a: b\n{agent}\nbody"),
        ]
    );
    let endpoint = open(&mut broker, "ecs").expect("granted");
    let authority = ask(&mut broker, HttpsAsk::Authority { endpoint });
    assert_eq!(authority, Ok(Answer::Authority("ecs.example.com".into())));
    let region = ask(&mut broker, HttpsAsk::Region { endpoint });
    assert_eq!(region, Ok(Answer::Region(Some("cn-hangzhou".into()))));
}

#[test]
fn what_is_not_granted_is_denied_before_anything_is_asked() {
    let run = tempfile::tempdir().expect("a directory");
    let worker = FakeWorker::default();
    let mut broker = worker.broker(grants("https://ecs.example.com", 9), run.path());
    assert_eq!(
        refused(open(&mut broker, "sts"), Condition::Denied),
        "endpoint \"sts\" is not granted (grants.https has [\"ecs\"])"
    );
    for (method, path) in [("PUT", "/"), ("POST", "/other")] {
        let answer = send(&mut broker, request(method, path));
        refused(answer, Condition::Denied);
    }
    let answer = send(&mut broker, request("TRACE", "/"));
    assert_eq!(
        refused(answer, Condition::Unsupported),
        "method \"TRACE\" is not known to this host, which knows \"GET\", \"HEAD\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\""
    );
    let answer = send(&mut broker, request("POST", "/../"));
    refused(answer, Condition::InvalidArgument);
    assert_eq!(worker.asked(), Vec::<String>::new());
    assert!(!run.path().join("rates").exists(), "it was counted");
}

#[test]
fn an_address_that_is_not_granted_is_never_connected_to() {
    let run = tempfile::tempdir().expect("a directory");
    for origin in [
        "http://127.0.0.1",
        "http://[::ffff:10.0.0.1]",
        "http://100.100.100.200",
    ] {
        let worker = FakeWorker::default();
        let mut broker = worker.broker(grants(origin, 9), run.path());
        let answer = send(&mut broker, request("POST", "/"));
        let said = refused(answer, Condition::Denied);
        assert!(said.contains("grants.https.ecs.addresses = []"), "{said}");
        assert_eq!(worker.asked(), Vec::<String>::new());
    }
}

#[test]
fn more_requests_than_granted_have_to_wait_and_the_key_that_decides_is_named() {
    let run = tempfile::tempdir().expect("a directory");
    let worker = FakeWorker::default();
    let mut broker = worker.broker(grants("https://192.0.2.1", 2), run.path());
    let mut last = Ok(());
    // The minute can end in between, but not more than once.
    for _ in 0..5 {
        let answer = send(&mut broker, request("POST", "/"));
        last = answer.map(drop);
        if matches!(&last, Err(told) if told.condition == Condition::Unavailable) {
            break;
        }
    }
    let said = refused(last, Condition::Unavailable);
    assert!(
        said.contains("2 requests to endpoint ecs this minute (grants.https.ecs.rate)"),
        "{said}"
    );
}

#[test]
fn a_pause_ends_before_the_deadline_or_does_not_begin() {
    let run = tempfile::tempdir().expect("a directory");
    let mut broker = FakeWorker::default().broker(Grants::default(), run.path());
    let begun = Instant::now();
    let pause = |milliseconds| HttpsAsk::Sleep { milliseconds };
    assert_eq!(ask(&mut broker, pause(20)), Ok(Answer::Done));
    assert!(begun.elapsed() >= Duration::from_millis(20));
    let begun = Instant::now();
    refused(ask(&mut broker, pause(60_000)), Condition::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
