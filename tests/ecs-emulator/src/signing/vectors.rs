//! The signatures that the official SDKs printed, in `vectors/ecs-signatures.json`, all of them.

use serde::Deserialize;

use crate::signing::v3::Signed;
use crate::signing::{Claims, v1, v3};
use crate::wire::call::Call;
use crate::wire::encoding::{canonical_query, decode_pairs};
use crate::words::Secret;

const FILE: &str = include_str!("../../vectors/ecs-signatures.json");

#[derive(Deserialize)]
struct Vectors {
    v1: Vec<First>,
    v3: Vec<Third>,
}

#[derive(Deserialize)]
struct First {
    name: String,
    method: String,
    url: Option<String>,
    signed_params: std::collections::BTreeMap<String, String>,
    canonical_query: String,
    string_to_sign: String,
    signature: String,
    access_key_secret: Secret,
}

#[derive(Deserialize)]
struct Third {
    name: String,
    canonical_request: String,
    hashed_canonical_request: String,
    string_to_sign: String,
    authorization: String,
    access_key_secret: Secret,
    body: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(FILE).unwrap()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect()
}

/// The request whose canonical form this is, as a server would receive it.
fn call(vector: &Third) -> Call {
    let lines: Vec<&str> = vector.canonical_request.split('\n').collect();
    let header = |line: &&str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_owned(), value.to_owned())
    };
    let end = lines[3..].iter().position(|line| line.is_empty()).unwrap() + 3;
    let mut headers: Vec<(String, String)> = lines[3..end].iter().map(header).collect();
    headers.push(("authorization".to_owned(), vector.authorization.clone()));
    headers.push(("user-agent".to_owned(), "not signed".to_owned()));
    Call {
        method: lines[0].to_owned(),
        path: lines[1].to_owned(),
        query: decode_pairs(lines[2]),
        headers,
        body: vector.body.clone().into(),
    }
}

#[test]
fn all_of_version_1_are_reproduced() {
    let vectors = vectors().v1;
    assert_eq!(vectors.len(), 4);
    for vector in vectors {
        let name = &vector.name;
        let pairs: Vec<(String, String)> = vector.signed_params.into_iter().collect();
        assert_eq!(
            canonical_query(borrowed(&pairs)),
            vector.canonical_query,
            "{name}"
        );
        let text = v1::string_to_sign(&vector.method, borrowed(&pairs));
        assert_eq!(text, vector.string_to_sign, "{name}");
        assert_eq!(
            v1::sign(&vector.access_key_secret, &text),
            vector.signature,
            "{name}"
        );
    }
}

#[test]
fn addresses_of_version_1_are_read_to_what_was_signed() {
    for vector in vectors().v1 {
        let Some(url) = vector.url else { continue };
        let mut pairs = decode_pairs(url.split_once('?').unwrap().1);
        let sent: Vec<String> = pairs.iter().map(|(key, _)| key.clone()).collect();
        // Parameters that the address lacks are those of a form.
        let form = vector.signed_params.into_iter();
        pairs.extend(form.filter(|(key, _)| !sent.contains(key)));
        let text = v1::string_to_sign(&vector.method, borrowed(&pairs));
        assert_eq!(text, vector.string_to_sign, "{}", vector.name);
    }
}

#[test]
fn all_of_version_3_are_reproduced() {
    let vectors = vectors().v3;
    assert_eq!(vectors.len(), 4);
    for vector in vectors {
        let name = &vector.name;
        let call = call(&vector);
        let hash = v3::sha256(call.body.as_ref());
        let signed = Signed {
            method: &call.method,
            path: &call.path,
            query: borrowed(&call.query),
            headers: borrowed(&call.headers[..call.headers.len() - 2]),
            body_hash: &hash,
        };
        assert_eq!(
            signed.canonical_request(),
            vector.canonical_request,
            "{name}"
        );
        let text = signed.string_to_sign();
        assert_eq!(text, vector.string_to_sign, "{name}");
        assert!(text.ends_with(&vector.hashed_canonical_request), "{name}");
        let signature = v3::sign(&vector.access_key_secret, &text);
        assert!(vector.authorization.ends_with(&signature), "{name}");
    }
}

#[test]
fn requests_of_version_3_are_believed_as_sent_and_not_otherwise() {
    for vector in vectors().v3 {
        let name = &vector.name;
        let claims = Claims::read(&call(&vector)).unwrap();
        let secret = &vector.access_key_secret;
        assert_eq!(claims.expected(secret), claims.signature, "{name}");
        let mut elsewhere = call(&vector);
        let host = elsewhere.headers.iter_mut().find(|(key, _)| key == "host");
        host.unwrap().1 = "127.0.0.1:1".to_owned();
        let claims = Claims::read(&elsewhere).unwrap();
        assert_ne!(claims.expected(secret), claims.signature, "{name}");
    }
}

#[test]
fn body_that_is_not_the_signed_one_is_refused() {
    let vectors = vectors().v3;
    let with_body = vectors
        .iter()
        .find(|vector| !vector.body.is_empty())
        .unwrap();
    let mut changed = call(with_body);
    changed.body = "DiskId=d-other".into();
    assert_eq!(
        Claims::read(&changed).unwrap_err().code,
        "IncompleteSignature"
    );
}
