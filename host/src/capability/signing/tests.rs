use std::path::PathBuf;

use super::*;
use crate::capability::DriverState;
use crate::capability::fake_worker::{ADDRESS, FakeWorker};
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

/// The id that a call of its own sees.
fn id_in_a_call(
    worker: &FakeWorker,
    source: &KeySource,
    memory: &DriverState,
) -> Result<String, types::Error> {
    let mut context = worker.context_with(grants(source.clone()), memory.clone());
    let key = context.open_key("access-key".into()).expect("no trap")?;
    context.id(key).expect("no trap")
}

#[test]
fn only_granted_names_open_a_key() {
    let source = EnvironmentSource {
        id: "DRIVEBAY_TEST_NONE".into(),
        secret: "DRIVEBAY_TEST_NONE".into(),
        session_token: None,
    };
    let grants = grants(KeySource::Environment(source));
    let mut context = FakeWorker::default().context_with(grants, memory());
    let Err(types::Error::Denied(said)) = context.open_key("root".into()).expect("no trap") else {
        panic!("not denied");
    };
    assert_eq!(
        said,
        "key \"root\" is not granted (grants.signing has [\"access-key\"])"
    );
    let key = context.open_key("access-key".into()).expect("no trap");
    let key = key.expect("granted");
    let Err(types::Error::Denied(said)) = context.id(key).expect("no trap") else {
        panic!("a key out of nothing");
    };
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
    let mut context = FakeWorker::default().context_with(grants(KeySource::File(source)), memory());
    let key = context.open_key("access-key".into()).expect("no trap");
    let key = key.expect("granted");
    let lent = || Resource::new_borrow(key.rep());
    let message = b"what do ya want for nothing?".to_vec();
    let signature = context.sign(lent(), "hmac-sha1".into(), message);
    let signature = signature.expect("no trap").expect("signed");
    assert_eq!(signature[..4], [0xef, 0xfc, 0xdf, 0x6a]);
    let unknown = context.sign(lent(), "hmac-md5".into(), Vec::new());
    let Err(types::Error::Unsupported(said)) = unknown.expect("no trap") else {
        panic!("not refused");
    };
    assert_eq!(
        said,
        "algorithm \"hmac-md5\" is not known to this host, which knows \"hmac-sha1\", \"hmac-sha256\""
    );
    assert_eq!(
        context.id(lent()).expect("no trap").expect("an id"),
        "LTAI4"
    );
    assert_eq!(
        context
            .session_token(lent())
            .expect("no trap")
            .expect("none"),
        None
    );
    // Changed in the midst of a call, the key stays what it was; the next call gets the new one.
    file("id", "LTAI5");
    assert_eq!(
        context.id(lent()).expect("no trap").expect("an id"),
        "LTAI4"
    );
    context.keys.clear();
    assert_eq!(
        context.id(lent()).expect("no trap").expect("an id"),
        "LTAI5"
    );
}

#[test]
fn hashes_numbers_and_the_time_are_the_hosts() {
    let mut context = FakeWorker::default().context_with(Grants::default(), memory());
    let hash = context.sha256(b"abc".to_vec()).expect("no trap");
    assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
    let (one, two) = (context.nonce(), context.nonce());
    let (one, two) = (one.expect("no trap"), two.expect("no trap"));
    assert!(one.len() == 16 && one != two);
    assert!(context.now_seconds().expect("no trap") > 1_700_000_000);
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
        let Err(types::Error::Unavailable(said)) = id_in_a_call(&worker, &source, &memory()) else {
            panic!("not unavailable");
        };
        assert!(said.contains(reason) && !said.contains("s3cret"), "{said}");
    }
    for word in ["../../user-data", "a b", "a\r\nx: y", ""] {
        let worker = FakeWorker::default().answers(200, word);
        let source = KeySource::Metadata(MetadataSource {
            token: None,
            ..metadata()
        });
        let said = id_in_a_call(&worker, &source, &memory());
        assert!(
            matches!(said, Err(types::Error::Unavailable(_))),
            "{word:?}"
        );
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
    assert!(matches!(said, Err(types::Error::Denied(_))), "{said:?}");
    assert_eq!(worker.asked(), Vec::<String>::new());
    assert_ne!(ADDRESS, [100, 100, 100, 200]);
}
