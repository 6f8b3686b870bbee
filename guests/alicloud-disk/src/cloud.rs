//! The outside as it is: endpoints, keys and time, all of them the host's.

use drivebay_guest::canonical::EMPTY_BODY;
use drivebay_guest::encode::hex;
use drivebay_guest::host::{Host, RealHost};
use drivebay_guest::https::{self, Request, Response};
use drivebay_guest::moment;
use drivebay_guest::prelude::*;
use drivebay_guest::signing;

use crate::api_request::Call;
use crate::ecs::Cloud;
use crate::signature::{self, Signer};

/// Names in the driver's grants.
const ECS: &str = "ecs";
const METADATA: &str = "metadata";
const KEY: &str = "access-key";

/// How long a metadata token is good for; one call needs no more.
const TOKEN_SECONDS: &str = "60";

/// The cloud behind the host's handles.
#[derive(Debug)]
pub(crate) struct HostCloud;

impl Cloud for HostCloud {
    fn host(&self) -> &dyn Host {
        &RealHost
    }

    fn region(&self) -> Result<String, Error> {
        https::open_endpoint(ECS)?.region().ok_or_else(|| {
            Error::FailedPrecondition(
                "the driver's file names no region: add region = \"cn-…\" to [grants.https.ecs]"
                    .into(),
            )
        })
    }

    /// Everything but the parameters is new each time: ECS takes a nonce once, and a timestamp for 15 minutes.
    fn send(&self, call: &Call) -> Result<Response, Error> {
        let endpoint = https::open_endpoint(ECS)?;
        let key = signing::open_key(KEY)?;
        let (key_id, token) = (key.id()?, key.session_token()?);
        let signer = Signer {
            key_id: &key_id,
            session_token: token.as_deref(),
        };
        let date = moment::written(signing::now_seconds());
        let nonce = hex(&signing::nonce());
        let authority = endpoint.authority();
        let mut headers =
            signature::headers(&authority, call.action.name(), &date, &nonce, &signer);
        let canonical = signature::canonical_request(&call.query, &headers, EMPTY_BODY);
        let text = signature::text_to_sign(&signing::sha256(canonical.as_bytes()));
        let signed = key.sign("hmac-sha256", text.as_bytes())?;
        let authorization = signature::authorization(&signer, &headers, &signed);
        headers.retain(|(name, _)| name != "host");
        headers.push(("accept".into(), "application/json".into()));
        headers.push(("authorization".into(), authorization));
        endpoint.send(&Request {
            method: "POST".into(),
            path: "/".into(),
            query: call.query.clone(),
            headers,
            body: Vec::new(),
        })
    }

    /// By the second version of the protocol only: the first answers whoever gets a process to fetch an address.
    fn metadata(&self, path: &str) -> Result<String, Error> {
        let endpoint = https::open_endpoint(METADATA).map_err(|error| {
            let Error::Denied(reason) = error else {
                return error;
            };
            error!(Denied: "cannot ask the metadata service which instance this node is: {reason}; grant it by \
                [grants.https.metadata] in the driver's file")
        })?;
        let ask = |method: &str, path: &str, header: (&str, &str)| {
            let response = endpoint.send(&Request {
                method: method.into(),
                path: path.into(),
                query: Vec::new(),
                headers: vec![(header.0.into(), header.1.into())],
                body: Vec::new(),
            })?;
            metadata_text(path, response)
        };
        let lifetime = ("x-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_SECONDS);
        let token = ask("PUT", "/latest/api/token", lifetime)?;
        ask(
            "GET",
            path,
            ("x-aliyun-ecs-metadata-token", token.trim_ascii()),
        )
    }
}

fn metadata_text(path: &str, response: Response) -> Result<String, Error> {
    let status = u64::from(response.status);
    match String::from_utf8(response.body) {
        Ok(text) if (200..300).contains(&status) => Ok(text),
        _ if status >= 500 || status == 429 => Err(
            error!(Unavailable: "the metadata service answered {path} with \
            HTTP {status}"),
        ),
        _ => Err(
            error!(Internal: "the metadata service answered {path} with HTTP {status} and nothing that makes \
            sense"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &[u8]) -> Result<String, Error> {
        let response = Response {
            status,
            headers: Vec::new(),
            body: body.into(),
        };
        metadata_text("/latest/x", response)
    }

    #[test]
    fn metadata_is_text() {
        assert_eq!(answered(200, b"i-1").expect("text"), "i-1");
        assert!(matches!(answered(200, &[0xff]), Err(Error::Internal(_))));
        assert!(matches!(answered(403, b"no"), Err(Error::Internal(_))));
        assert!(matches!(answered(503, b""), Err(Error::Unavailable(_))));
    }
}
