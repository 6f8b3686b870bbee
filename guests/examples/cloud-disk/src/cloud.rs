//! Calls to the cloud: a request goes out signed, an answer comes back read.

use drivebay_guest::encode::hex;
use drivebay_guest::https::{self, Request};
use drivebay_guest::prelude::*;
use drivebay_guest::signing;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api;

/// Call the API. `what` begins each error: "reading disk d-1".
pub(crate) fn call<T: DeserializeOwned>(what: &str, mut request: Request) -> Result<T, Error> {
    let endpoint = https::open_endpoint("api")?;
    let key = signing::open_key("access-key")?;
    let digest = signing::sha256(&request.body);
    let text = api::text_to_sign(&request, &endpoint.authority(), &digest);
    let signature = hex(&key.sign("hmac-sha256", text.as_bytes())?);
    let authorization = format!("HMAC-SHA256 key={}, signature={signature}", key.id()?);
    request
        .headers
        .push(("authorization".into(), authorization));
    if let Some(token) = key.session_token()? {
        request.headers.push(("x-session-token".into(), token));
    }
    api::parse(what, &endpoint.send(&request)?)
}

/// Ask the metadata service about this node; it trusts whoever runs there.
pub(crate) fn this_node() -> Result<api::Node, Error> {
    let endpoint = https::open_endpoint("metadata")?;
    let response = endpoint.send(&api::request("GET", "/node", Value::Null))?;
    api::parse("reading this node's metadata", &response)
}

/// Read one thing.
pub(crate) fn read<T: DeserializeOwned>(what: &str, path: &str) -> Result<T, Error> {
    call(
        &format!("reading {what}"),
        api::request("GET", path, Value::Null),
    )
}

/// Delete one thing; that it does not exist is what was wanted.
pub(crate) fn delete(what: &str, path: &str) -> Result<(), Error> {
    match call(
        &format!("deleting {what}"),
        api::request("DELETE", path, Value::Null),
    ) {
        Err(Error::NotFound(_)) => Ok(()),
        answer => answer,
    }
}
