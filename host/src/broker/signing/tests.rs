use std::path::PathBuf;

use super::*;
use crate::broker::fake_worker::{ADDRESS, FakeWorker, ask, broker_by, refused};
use crate::broker::{DriverState, Told};
use crate::error::Condition;
use crate::grant::{
    AddressGrant, EnvironmentSource, FieldNames, Grants, MetadataSource, OidcSource, SessionToken,
};
use crate::volume::DriverName;
use std::time::Duration;

const AGENT: &str = concat!("\nuser-agent: drivebay/", env!("CARGO_PKG_VERSION"));

fn grants(source: KeySource) -> Grants {
    let grant = SigningGrant {
        name: "access-key".into(),
        source,
    };
    Grants {
        signing: [("access-key".to_owned(), grant)].into(),
        ..Grants::default()
    }
}

fn addresses(range: &str) -> AddressGrant {
    AddressGrant {
        capability: Capability::Signing,
        key: "grants.signing.access-key.addresses".into(),
        ranges: vec![range.parse().expect("a range")],
    }
}

fn fields() -> FieldNames {
    FieldNames {
        id: "AccessKeyId".into(),
        secret: "AccessKeySecret".into(),
        session_token: Some("SecurityToken".into()),
        expires: "Expiration".into(),
    }
}

fn metadata() -> MetadataSource {
    MetadataSource {
        origin: "http://100.100.100.200".parse().expect("an origin"),
        addresses: addresses("100.100.100.200"),
        path: "/ram/security-credentials/".into(),
        role: None,
        token: Some(SessionToken {
            path: "/api/token".into(),
            ttl_header: "x-ttl".into(),
            header: "x-token".into(),
        }),
        fields: fields(),
        refresh_before: Duration::from_secs(900),
    }
}

fn oidc(token_file: PathBuf) -> OidcSource {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    OidcSource {
        origin: "https://sts.example.com".parse().expect("an origin"),
        addresses: addresses("10.0.0.0/8"),
        ca: None,
        path: "/".into(),
        query: vec![pair("Action", "AssumeRoleWithOIDC")],
        form: vec![
            pair("RoleArn", "acs:ram::1:role/x"),
            pair("Token", "{token}"),
        ],
        token_file,
        fields: fields(),
        refresh_before: Duration::from_secs(900),
    }
}

/// An answer with a key that lasts for so long.
fn answer(id: &str, seconds: u64) -> String {
    let expires = time::format(sys::now_seconds() + seconds);
    format!(
        r#"{{"Code":"Success","AccessKeyId":"{id}","AccessKeySecret":"s3cret","SecurityToken":"tok","Expiration":"{expires}"}}"#
    )
}

fn memory() -> DriverState {
    DriverState::new(DriverName("driver".into()), PathBuf::new())
}

#[track_caller]
fn open(broker: &mut WorkerBroker, name: &str) -> Result<SigningKeyHandle, Told> {
    let answer = ask(broker, SigningAsk::OpenKey { name: name.into() })?;
    let Answer::SigningKey(key) = answer else {
        panic!("{answer:?}");
    };
    Ok(key)
}

#[track_caller]
fn id(broker: &mut WorkerBroker, signing_key: SigningKeyHandle) -> Result<String, Told> {
    let answer = ask(broker, SigningAsk::Id { signing_key })?;
    let Answer::KeyId(id) = answer else {
        panic!("{answer:?}");
    };
    Ok(id)
}

/// The id that a call of its own sees.
fn id_in_a_call(
    worker: &FakeWorker,
    source: &KeySource,
    memory: &DriverState,
) -> Result<String, Told> {
    let mut broker = broker_by(worker.clone(), grants(source.clone()), memory.clone());
    let key = open(&mut broker, "access-key")?;
    id(&mut broker, key)
}

#[test]
fn only_granted_names_open_a_key() {
    let source = EnvironmentSource {
        id: "DRIVEBAY_TEST_NONE".into(),
        secret: "DRIVEBAY_TEST_NONE".into(),
        session_token: None,
    };
    let grants = grants(KeySource::Environment(source));
    let mut broker = broker_by(FakeWorker::default(), grants, memory());
    assert_eq!(
        refused(open(&mut broker, "root"), Condition::Denied),
        "key \"root\" is not granted (grants.signing has [\"access-key\"])"
    );
    let key = open(&mut broker, "access-key").expect("granted");
    let said = refused(id(&mut broker, key), Condition::Denied);
    assert!(said.contains("DRIVEBAY_TEST_NONE is not set"), "{said}");
}

#[test]
fn a_guest_signs_without_seeing_the_secret() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    };
    let source = crate::grant::FileSource {
        id: file("id", "LTAI4"),
        secret: file("secret", "Jefe\n"),
        session_token: None,
    };
    let grants = grants(KeySource::File(source));
    let mut broker = broker_by(FakeWorker::default(), grants, memory());
    let signing_key = open(&mut broker, "access-key").expect("granted");
    let sign = |algorithm: &str, message: &[u8]| SigningAsk::Sign {
        signing_key,
        algorithm: algorithm.into(),
        message: Private(message.to_vec()),
    };
    let signed = ask(
        &mut broker,
        sign("hmac-sha1", b"what do ya want for nothing?"),
    );
    let Ok(Answer::Signature(Private(signature))) = signed else {
        panic!("{signed:?}");
    };
    assert_eq!(signature[..4], [0xef, 0xfc, 0xdf, 0x6a]);
    let unknown = ask(&mut broker, sign("hmac-md5", &[]));
    assert_eq!(
        refused(unknown, Condition::Unsupported),
        "algorithm \"hmac-md5\" is not known to this host, which knows \"hmac-sha1\", \"hmac-sha256\""
    );
    let mut id = || id(&mut broker, signing_key).expect("an id");
    assert_eq!(id(), "LTAI4");
    // Changed in the midst of a call, the key stays what it was; the next call gets the new one.
    file("id", "LTAI5");
    assert_eq!(id(), "LTAI4");
    let token = ask(&mut broker, SigningAsk::SessionToken { signing_key });
    assert_eq!(token, Ok(Answer::SessionToken(Private(None))));
    broker.keys.clear();
    let id = self::id(&mut broker, signing_key).expect("an id");
    assert_eq!(id, "LTAI5");
}

#[test]
fn hashes_numbers_and_the_time_are_the_hosts() {
    let mut broker = broker_by(FakeWorker::default(), Grants::default(), memory());
    let message = Private(b"abc".to_vec());
    let hash = ask(&mut broker, SigningAsk::Sha256 { message });
    let Ok(Answer::Hash(Private(hash))) = hash else {
        panic!("{hash:?}");
    };
    assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
    let mut nonce = || match ask(&mut broker, SigningAsk::Nonce {}) {
        Ok(Answer::Nonce(Private(nonce))) => nonce,
        other => panic!("{other:?}"),
    };
    let (one, two) = (nonce(), nonce());
    assert!(one.len() == 16 && one != two);
    let now = ask(&mut broker, SigningAsk::NowSeconds {});
    assert!(matches!(now, Ok(Answer::Seconds(now)) if now > 1_700_000_000));
}

#[test]
fn a_metadata_service_is_asked_for_a_session_then_a_role_then_the_key() {
    let worker = FakeWorker::default()
        .answers(200, "session-1\n")
        .answers(200, "node-role\n")
        .answers(200, &answer("STS.1", 3600));
    let source = KeySource::Metadata(metadata());
    let memory = memory();
    assert_eq!(
        id_in_a_call(&worker, &source, &memory).expect("a key"),
        "STS.1"
    );
    let expected = [
        format!("PUT http://100.100.100.200 /api/token\nx-ttl: 60{AGENT}"),
        format!("GET http://100.100.100.200 /ram/security-credentials/\nx-token: session-1{AGENT}"),
        format!(
            "GET http://100.100.100.200 /ram/security-credentials/node-role\nx-token: session-1{AGENT}"
        ),
    ];
    assert_eq!(worker.asked(), expected);
    // The next call finds it in memory; another driver does not.
    assert_eq!(
        id_in_a_call(&worker, &source, &memory).expect("a key"),
        "STS.1"
    );
    assert_eq!(worker.asked().len(), 3);
    assert!(id_in_a_call(&worker, &source, &self::memory()).is_err());
}

#[test]
fn a_role_that_is_named_is_not_asked_for() {
    let worker = FakeWorker::default().answers(200, &answer("STS.1", 3600));
    let source = KeySource::Metadata(MetadataSource {
        role: Some("r".into()),
        token: None,
        ..metadata()
    });
    assert_eq!(
        id_in_a_call(&worker, &source, &memory()).expect("a key"),
        "STS.1"
    );
    let expected = format!("GET http://100.100.100.200 /ram/security-credentials/r{AGENT}");
    assert_eq!(worker.asked(), [expected]);
}

#[test]
fn a_token_is_exchanged_in_the_body_and_not_in_the_address() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    std::fs::write(&file, "ey{now}J/+=\n").expect("written");
    let worker = FakeWorker::default().answers(200, &answer("STS.2", 3600));
    let source = KeySource::Oidc(oidc(file));
    assert_eq!(
        id_in_a_call(&worker, &source, &memory()).expect("a key"),
        "STS.2"
    );
    assert_eq!(
        worker.asked(),
        [
            "RESOLVE sts.example.com".to_owned(),
            format!(
                "POST https://sts.example.com /?Action=AssumeRoleWithOIDC\ncontent-type: application/x-www-form-urlencoded{AGENT}\nRoleArn=acs%3Aram%3A%3A1%3Arole%2Fx&Token=ey%7Bnow%7DJ%2F%2B%3D"
            ),
        ]
    );
}

#[test]
fn a_key_is_renewed_before_it_ends_and_the_old_one_used_while_that_fails() {
    let source = KeySource::Metadata(MetadataSource {
        role: Some("r".into()),
        token: None,
        ..metadata()
    });
    let worker = FakeWorker::default()
        .answers(200, &answer("old", 600))
        .answers(500, "s3cret")
        .answers(200, &answer("new", 3600));
    let memory = memory();
    let id = || id_in_a_call(&worker, &source, &memory).expect("a key");
    assert_eq!(id(), "old");
    assert_eq!(id(), "old");
    assert_eq!(
        worker.asked().len(),
        2,
        "it was to be renewed, which failed"
    );
    assert_eq!(id(), "old");
    assert_eq!(worker.asked().len(), 2, "not at every call");
}

#[test]
fn a_key_that_is_nearly_over_is_replaced() {
    let source = KeySource::Metadata(MetadataSource {
        role: Some("r".into()),
        token: None,
        ..metadata()
    });
    let worker = FakeWorker::default()
        .answers(200, &answer("old", 600))
        .answers(200, &answer("new", 3600));
    let memory = memory();
    let id = || id_in_a_call(&worker, &source, &memory).expect("a key");
    assert_eq!([id(), id(), id()], ["old", "new", "new"]);
}

#[test]
fn what_cannot_be_fetched_is_explained_without_the_answer() {
    let answers = [
        (
            500,
            "s3cret".to_owned(),
            "answered 500 to GET \"/ram/security-credentials/r\"",
        ),
        (
            200,
            "s3cret".to_owned(),
            "cannot fetch key access-key: the answer is not JSON",
        ),
        (
            200,
            answer("x", 0),
            "has ended already; check the node's clock",
        ),
    ];
    for (status, body, reason) in answers {
        let worker = FakeWorker::default().answers(status, &body);
        let source = KeySource::Metadata(MetadataSource {
            role: Some("r".into()),
            token: None,
            ..metadata()
        });
        let said = id_in_a_call(&worker, &source, &memory());
        let said = refused(said, Condition::Unavailable);
        assert!(said.contains(reason) && !said.contains("s3cret"), "{said}");
    }
    for word in ["../../user-data", "a b", "a\r\nx: y", ""] {
        let worker = FakeWorker::default().answers(200, word);
        let source = KeySource::Metadata(MetadataSource {
            token: None,
            ..metadata()
        });
        let said = id_in_a_call(&worker, &source, &memory());
        refused(said, Condition::Unavailable);
        assert_eq!(worker.asked().len(), 1, "{word:?}");
    }
}

#[test]
fn a_metadata_service_that_is_not_named_is_not_asked() {
    let source = KeySource::Metadata(MetadataSource {
        addresses: addresses("100.64.0.0/10"),
        ..metadata()
    });
    let worker = FakeWorker::default();
    let said = id_in_a_call(&worker, &source, &memory());
    refused(said, Condition::Denied);
    assert_eq!(worker.asked(), Vec::<String>::new());
    assert_ne!(ADDRESS, [100, 100, 100, 200]);
}
