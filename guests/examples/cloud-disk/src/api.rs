//! The cloud's API: requests, the text that signs them, and what its answers mean. Pure.
//!
//! It is imaginary, and as simple as such an API can be: JSON, one path for each thing, and a signature by
//! HMAC-SHA256 over all that matters. A real one differs in detail, and in no more than this file.

use drivebay_guest::encode::hex;
use drivebay_guest::https::{Request, Response};
use drivebay_guest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A disk as the API describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Disk {
    pub(crate) id: String,
    pub(crate) gigabytes: u64,
    pub(crate) r#type: String,
    pub(crate) zone: String,
    /// What the disk reports to the node it is attached to.
    pub(crate) serial: String,
    /// `creating`, `available`, `attaching`, `attached` or `detaching`.
    pub(crate) state: String,
    pub(crate) node: Option<String>,
    pub(crate) snapshot: Option<String>,
}

/// A snapshot as the API describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) disk: String,
    pub(crate) gigabytes: u64,
    pub(crate) created_at: u64,
    pub(crate) ready: bool,
}

/// Part of a list, with the token that gets the next part.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

/// This node, as the metadata service describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) max_disks: u32,
}

/// A request, not yet signed; without a body where that is `null`.
pub(crate) fn request(method: &str, path: &str, body: Value) -> Request {
    let body = Some(body).filter(|body| !body.is_null());
    Request {
        method: method.into(),
        path: path.into(),
        query: Vec::new(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default(),
    }
}

/// A page of a list, with only the filters that are given.
pub(crate) fn list(path: &str, filters: &[(&str, Option<String>)]) -> Request {
    let given = filters
        .iter()
        .filter_map(|(name, value)| Some(((*name).into(), value.clone()?)));
    Request {
        query: given.collect(),
        ..request("GET", path, Value::Null)
    }
}

/// The path of one thing. An id is whatever a PersistentVolume says, so what could leave the path is encoded.
pub(crate) fn path_of(collection: &str, id: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let encode = |b: u8| {
        if plain(b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    let id: String = id.bytes().map(encode).collect();
    format!("/{collection}/{id}")
}

/// What the signature covers, a line each: method, authority, path, query pairs, digest of the body.
pub(crate) fn text_to_sign(request: &Request, authority: &str, body_digest: &[u8]) -> String {
    let mut text = format!("{}\n{authority}\n{}\n", request.method, request.path);
    for (name, value) in &request.query {
        text += &format!("{name}={value}\n");
    }
    text + &hex(body_digest)
}

/// What the API answered, or the condition that its refusal amounts to.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, response: &Response) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Refusal {
        code: String,
        message: String,
    }
    let nonsense = |error| error!(Internal: "{what}: cannot read the answer: {error}");
    if (200..300).contains(&response.status) {
        let body: &[u8] = if response.body.is_empty() {
            b"null"
        } else {
            &response.body
        };
        return serde_json::from_slice(body).map_err(nonsense);
    }
    if response.status == 429 || response.status >= 500 {
        bail!(Unavailable: "{what}: the API answered {}", response.status);
    }
    let refusal: Refusal = serde_json::from_slice(&response.body).map_err(nonsense)?;
    let message = format!("{what}: {}", refusal.message);
    Err(match refusal.code.as_str() {
        "invalid" => Error::InvalidArgument(message),
        "size" => Error::OutOfRange(message),
        "missing" => Error::NotFound(message),
        "different" => Error::AlreadyExists(message),
        "busy" | "bad-token" => Error::InProgress(message),
        "quota" | "full" => Error::Exhausted(message),
        "in-use" => Error::FailedPrecondition(message),
        "forbidden" => Error::Denied(message),
        code => error!(Internal: "{message} (unknown code {code})"),
    })
}

/// Whole gigabytes for a range of bytes: the smallest that is enough, if it is within the limit.
pub(crate) fn gigabytes(capacity: &CapacityRange) -> Result<u64, Error> {
    let gigabytes = capacity.required_gib().max(1);
    capacity.refuse_gib_beyond_limit(gigabytes)?;
    Ok(gigabytes)
}

#[cfg(test)]
mod tests {
    use drivebay_guest::capacity::GIB;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> Result<Value, Error> {
        let response = Response {
            status,
            headers: Vec::new(),
            body: body.into(),
        };
        parse("reading disk d-1", &response)
    }

    fn range(required_bytes: Option<u64>, limit_bytes: Option<u64>) -> CapacityRange {
        CapacityRange {
            required_bytes,
            limit_bytes,
        }
    }

    #[test]
    fn the_signature_covers_method_place_query_and_body() {
        let request = list("/disks", &[("limit", Some("5".into())), ("after", None)]);
        assert_eq!(
            text_to_sign(&request, "api.example.com", &[0xe3, 0x0b]),
            "GET\napi.example.com\n/disks\nlimit=5\ne30b"
        );
    }

    #[test]
    fn an_id_cannot_leave_its_path() {
        assert_eq!(path_of("disks", "d-1"), "/disks/d-1");
        assert_eq!(path_of("disks", "../nodes?x"), "/disks/%2E%2E%2Fnodes%3Fx");
    }

    #[test]
    fn a_disk_is_read() {
        let body = r#"{"id":"d-1","gigabytes":2,"type":"fast","zone":"a","serial":"s1","state":"available","node":null}"#;
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        };
        let disk: Disk = parse("reading disk d-1", &response).unwrap();
        assert_eq!((disk.gigabytes, disk.node, disk.snapshot), (2, None, None));
    }

    #[test]
    fn refusals_become_conditions() {
        let refused = |code: &str| {
            let body = json!({ "code": code, "message": "because" }).to_string();
            answer(400, &body).unwrap_err()
        };
        assert!(
            matches!(refused("missing"), Error::NotFound(m) if m == "reading disk d-1: because")
        );
        assert!(matches!(refused("quota"), Error::Exhausted(_)));
        assert!(matches!(refused("in-use"), Error::FailedPrecondition(_)));
        assert!(matches!(refused("new-in-v2"), Error::Internal(m) if m.contains("new-in-v2")));
    }

    #[test]
    fn a_server_in_trouble_is_unavailable_whatever_it_says() {
        assert!(matches!(answer(503, "<html>"), Err(Error::Unavailable(_))));
        assert!(matches!(answer(429, ""), Err(Error::Unavailable(_))));
    }

    #[test]
    fn an_answer_without_sense_is_internal() {
        assert!(matches!(answer(200, "{"), Err(Error::Internal(_))));
        assert!(matches!(answer(404, "gone"), Err(Error::Internal(_))));
    }

    #[test]
    fn sizes_are_rounded_up_to_gigabytes_within_the_limit() {
        assert_eq!(gigabytes(&range(Some(GIB + 1), None)).unwrap(), 2);
        assert_eq!(gigabytes(&range(None, Some(GIB))).unwrap(), 1);
        assert!(matches!(
            gigabytes(&range(Some(GIB + 1), Some(GIB + 2))),
            Err(Error::OutOfRange(_))
        ));
    }
}
