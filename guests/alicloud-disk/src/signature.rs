//! ACS3-HMAC-SHA256, the signature of Alibaba Cloud's newer SDKs: the texts that are hashed and signed. Pure.
//!
//! The API's parameters go into the query and the body stays empty, as those SDKs do it.

use drivebay_guest::canonical::{self, EMPTY_BODY};
use drivebay_guest::encode::hex;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The version of the ECS API that this guest speaks.
const API_VERSION: &str = "2014-05-26";

#[derive(Debug)]
pub(crate) struct Signer<'a> {
    pub(crate) key_id: &'a str,
    /// What has to be sent along with a temporary key.
    pub(crate) session_token: Option<&'a str>,
}

/// The headers that are signed, by name. All but `host`, which is the host's, are to be sent.
pub(crate) fn headers(
    authority: &str,
    action: &str,
    date: &str,
    nonce: &str,
    signer: &Signer<'_>,
) -> Vec<(String, String)> {
    // In the order of their names, as they have to be signed.
    let all = [
        ("host", Some(authority)),
        (
            "x-acs-accesskey-id",
            signer.session_token.map(|_| signer.key_id),
        ),
        ("x-acs-action", Some(action)),
        ("x-acs-content-sha256", Some(EMPTY_BODY)),
        ("x-acs-date", Some(date)),
        ("x-acs-security-token", signer.session_token),
        ("x-acs-signature-nonce", Some(nonce)),
        ("x-acs-version", Some(API_VERSION)),
    ];
    let mut headers = Vec::new();
    for (name, value) in all {
        if let Some(value) = value {
            headers.push((name.into(), value.trim_ascii().into()));
        }
    }
    headers
}

/// What is hashed first. `headers` are sorted by name.
pub(crate) fn canonical_request(
    query: &[(String, String)],
    headers: &[(String, String)],
    body_digest: &str,
) -> String {
    canonical::request("POST", "/", query, headers, body_digest)
}

/// What is signed, from the digest of [`canonical_request`].
pub(crate) fn text_to_sign(digest: &[u8]) -> String {
    format!("{ALGORITHM}\n{}", hex(digest))
}

/// The header that carries the signature.
pub(crate) fn authorization(
    signer: &Signer<'_>,
    headers: &[(String, String)],
    signature: &[u8],
) -> String {
    format!(
        "{ALGORITHM} Credential={},SignedHeaders={},Signature={}",
        signer.key_id,
        canonical::names(headers),
        hex(signature)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use drivebay_guest::json::Json;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};

    type Pairs = Vec<(String, String)>;

    /// Signatures that Alibaba's own SDKs printed, and the one of their documentation.
    fn vectors() -> &'static [Json] {
        match Json::read(include_bytes!("../vectors/acs3.json")).expect("the vectors are JSON") {
            Json::List(vectors) => vectors,
            Json::Null | Json::Flag(_) | Json::Number(_) | Json::Text(_) | Json::Object(_) => {
                panic!("the vectors are no list")
            }
        }
    }

    fn pair(text: &str, separator: char) -> (String, String) {
        let (name, value) = text.split_once(separator).expect("a pair");
        (name.into(), value.into())
    }

    fn decoded(text: &str) -> String {
        let mut parts = text.split('%');
        let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).expect("hex"));
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        }
        String::from_utf8(bytes).expect("text")
    }

    /// The vector's own request, taken apart: what a caller would have asked for, in another order.
    fn request(vector: &Json) -> (Pairs, Pairs) {
        let canonical = vector.text("canonical_request");
        let lines: Vec<&str> = canonical.split('\n').collect();
        let query = lines[2].split('&').rev().map(|text| pair(text, '='));
        let query = query
            .map(|(name, value)| (decoded(&name), decoded(&value)))
            .collect();
        let headers = lines[3..].iter().take_while(|line| !line.is_empty());
        (query, headers.map(|line| pair(line, ':')).collect())
    }

    fn key_id(vector: &Json) -> String {
        let authorization = vector.text("authorization");
        let (_, rest) = authorization
            .split_once("Credential=")
            .expect("a credential");
        rest.split(',').next().expect("an id").into()
    }

    #[test]
    fn the_published_signatures_are_reproduced() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 4);
        for vector in vectors {
            let (query, headers) = request(vector);
            let body = hex(&Sha256::digest(vector.text("body")));
            let canonical = canonical_request(&query, &headers, &body);
            assert_eq!(canonical, vector.text("canonical_request"));
            let text = text_to_sign(&Sha256::digest(&canonical));
            assert_eq!(text, vector.text("string_to_sign"));
            let secret = vector.text("access_key_secret");
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
            mac.update(text.as_bytes());
            let key_id = key_id(vector);
            let signer = Signer {
                key_id: &key_id,
                session_token: None,
            };
            let signature = mac.finalize().into_bytes();
            assert_eq!(
                authorization(&signer, &headers, &signature),
                vector.text("authorization")
            );
        }
    }

    #[test]
    fn our_headers_are_those_of_the_sdks() {
        let vectors = vectors();
        let (_, expected) = request(&vectors[0]);
        let signer = Signer {
            key_id: "testid",
            session_token: None,
        };
        let ours = headers(
            "ecs.cn-hangzhou.aliyuncs.com",
            "DescribeDisks",
            "2026-01-02T03:04:05Z",
            "15215528852396",
            &signer,
        );
        assert_eq!(ours, expected);
    }

    #[test]
    fn a_temporary_key_sends_its_token_signed() {
        let (_, expected) = request(&vectors()[2]);
        let signer = Signer {
            key_id: "testid",
            session_token: Some("CAIS+test/token=="),
        };
        let ours = headers(
            "127.0.0.1:18443",
            "AttachDisk",
            "2026-01-02T03:04:05Z",
            "0a1b2c3d",
            &signer,
        );
        // That request has a form as its body, and says so; ours never has one.
        let differs = ["content-type", "x-acs-content-sha256"];
        let same = |headers: Vec<(String, String)>| -> Vec<_> {
            headers
                .into_iter()
                .filter(|(name, _)| !differs.contains(&name.as_str()))
                .collect()
        };
        assert_eq!(same(ours), same(expected));
    }
}
