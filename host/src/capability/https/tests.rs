use super::*;
use crate::capability::fake_worker::FakeWorker;
use crate::grant::{AddressGrant, Grants, Method};

fn grants(origin: &str, rate: u32) -> Grants {
    let grant = HttpsGrant {
        name: "ecs".into(),
        origin: origin.parse().expect("an origin"),
        region: Some("cn-hangzhou".into()),
        methods: vec![Method::Post],
        paths: vec!["/".parse().expect("a pattern")],
        addresses: AddressGrant {
            capability: Capability::Https,
            key: "grants.https.ecs.addresses".into(),
            ranges: Vec::new(),
        },
        ca: None,
        rate,
        timeout: Duration::from_secs(15),
        max_response_bytes: 1 << 20,
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
        query: vec![("Action".into(), "a b".into())],
        headers: vec![("x-a".into(), "b".into())],
        body: b"body".to_vec(),
    }
}

#[track_caller]
fn open(context: &mut CallContext, name: &str) -> Result<Resource<Endpoint>, types::Error> {
    context.open_endpoint(name.into()).expect("no trap")
}

#[track_caller]
fn send(context: &mut CallContext, request: Request) -> Result<Response, types::Error> {
    let endpoint = open(context, "ecs").expect("granted");
    context.send(endpoint, request).expect("no trap")
}

#[test]
fn what_is_granted_is_looked_up_and_sent_as_it_was_written() {
    let run = tempfile::tempdir().expect("a directory");
    let worker = FakeWorker::default().answers(503, "busy");
    let mut context = worker.context(grants("https://ecs.example.com", 9), run.path());
    let response = send(&mut context, request("POST", "/")).expect("an answer");
    assert_eq!((response.status, response.body), (503, b"busy".to_vec()));
    let agent = concat!("user-agent: drivebay/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        worker.asked(),
        [
            "RESOLVE ecs.example.com".to_owned(),
            format!("POST https://ecs.example.com /?Action=a%20b\nx-a: b\n{agent}\nbody"),
        ]
    );
    let endpoint = open(&mut context, "ecs").expect("granted");
    let authority = context.authority(Resource::new_borrow(endpoint.rep()));
    assert_eq!(authority.expect("no trap"), "ecs.example.com");
    assert_eq!(
        context.region(endpoint).expect("no trap").as_deref(),
        Some("cn-hangzhou")
    );
}

#[test]
fn what_is_not_granted_is_denied_before_anything_is_asked() {
    let run = tempfile::tempdir().expect("a directory");
    let worker = FakeWorker::default();
    let mut context = worker.context(grants("https://ecs.example.com", 9), run.path());
    let Err(types::Error::Denied(said)) = open(&mut context, "sts") else {
        panic!("not denied");
    };
    assert_eq!(
        said,
        "endpoint \"sts\" is not granted (grants.https has [\"ecs\"])"
    );
    for (method, path) in [("PUT", "/"), ("POST", "/other")] {
        let answer = send(&mut context, request(method, path));
        assert!(matches!(answer, Err(types::Error::Denied(_))), "{path}");
    }
    let answer = send(&mut context, request("TRACE", "/"));
    let Err(types::Error::Unsupported(said)) = answer else {
        panic!("not refused");
    };
    assert_eq!(
        said,
        "method \"TRACE\" is not known to this host, which knows \"GET\", \"HEAD\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\""
    );
    let answer = send(&mut context, request("POST", "/../"));
    assert!(matches!(answer, Err(types::Error::InvalidArgument(_))));
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
        let mut context = worker.context(grants(origin, 9), run.path());
        let answer = send(&mut context, request("POST", "/"));
        let Err(types::Error::Denied(said)) = answer else {
            panic!("{origin} was not denied");
        };
        assert!(said.contains("grants.https.ecs.addresses = []"), "{said}");
        assert_eq!(worker.asked(), Vec::<String>::new());
    }
}

#[test]
fn more_requests_than_granted_have_to_wait_and_the_key_that_decides_is_named() {
    let run = tempfile::tempdir().expect("a directory");
    let worker = FakeWorker::default();
    let mut context = worker.context(grants("https://192.0.2.1", 2), run.path());
    let mut last = Ok(());
    // The minute can end in between, but not more than once.
    for _ in 0..5 {
        let answer = send(&mut context, request("POST", "/"));
        last = answer.map(drop);
        if matches!(last, Err(types::Error::Unavailable(_))) {
            break;
        }
    }
    let Err(types::Error::Unavailable(said)) = last else {
        panic!("not refused: {last:?}");
    };
    assert!(
        said.contains("2 requests to endpoint ecs this minute (grants.https.ecs.rate)"),
        "{said}"
    );
}

#[test]
fn a_pause_ends_before_the_deadline_or_does_not_begin() {
    let run = tempfile::tempdir().expect("a directory");
    let mut context = FakeWorker::default().context(Grants::default(), run.path());
    let begun = Instant::now();
    assert!(context.sleep(20).expect("no trap").is_ok());
    assert!(begun.elapsed() >= Duration::from_millis(20));
    let begun = Instant::now();
    let answer = context.sleep(60_000).expect("no trap");
    assert!(matches!(answer, Err(types::Error::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(5));
}
