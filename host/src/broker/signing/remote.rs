//! Temporary keys from elsewhere: the cloud's metadata service, or an exchange of a service account's
//! token.
//!
//! What the other side answered is never part of an error: it can be a key.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::answer::key_in;
use super::key::Key;
use super::{local, time};
use crate::broker::error::BrokerError;
use crate::broker::http_exchange::{Message, Peer};
use crate::broker::https::percent_encoded;
use crate::broker::worker_broker::WorkerBroker;
use crate::error::DriverError;
use crate::grant::{
    AddressGrant, FieldNames, FormValues, MetadataSource, Method, OidcSource, Origin,
};
use crate::sys;
use crate::worker::{Body, Credentials};

/// A metadata service answers in milliseconds, an exchange of tokens in less than a second; a call that can
/// still go on with its old key should not lose more time than this.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Keys have one or two KiB.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// It is used at once; the shortest any client asks for is about a minute.
const SESSION_SECONDS: &str = "60";

impl WorkerBroker {
    pub(super) fn fetch_from_metadata(
        &mut self,
        name: &str,
        source: &MetadataSource,
    ) -> Result<Key, BrokerError> {
        let peer = peer(name, &source.origin, &source.addresses, None);
        let mut headers = Vec::new();
        if let Some(token) = &source.token {
            let message = Message {
                method: Method::Put,
                target: token.path.clone(),
                headers: vec![(token.ttl_header.clone(), SESSION_SECONDS.to_owned())],
                body: Vec::new(),
                credentials: Credentials::OfDriver,
            };
            let answer = self.ask_for_key(&peer, message)?;
            let value = one_line(name, "a session's token", &answer)?;
            headers.push((token.header.clone(), value));
        }
        let get = |target: String| Message {
            method: Method::Get,
            target,
            headers: headers.clone(),
            body: Vec::new(),
            credentials: Credentials::OfDriver,
        };
        let role = match &source.role {
            Some(role) => role.clone(),
            None => {
                let answer = self.ask_for_key(&peer, get(source.path.clone()))?;
                plain_role(name, one_line(name, "a role", &answer)?)?
            }
        };
        let target = format!("{}/{role}", source.path.trim_end_matches('/'));
        let answer = self.ask_for_key(&peer, get(target))?;
        Ok(usable(name, &source.fields, &answer)?)
    }

    pub(super) fn fetch_by_oidc(
        &mut self,
        name: &str,
        source: &OidcSource,
    ) -> Result<Key, BrokerError> {
        let token = self.of_node(name, local::secret(name, &source.token_file))?;
        let token = std::str::from_utf8(token.reveal()).map_err(|_| {
            DriverError::denied(format!(
                "cannot use key {name}: {} is not text",
                source.token_file.display()
            ))
        })?;
        let now = time::format(sys::now_seconds());
        let query = pairs(&source.query, &now, "");
        let target = match query.is_empty() {
            true => source.path.clone(),
            false => format!("{}?{}", source.path, *query),
        };
        let content_type = "application/x-www-form-urlencoded";
        let message = Message {
            method: Method::Post,
            target,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: pairs(&source.form, &now, token).as_bytes().to_vec(),
            credentials: Credentials::OfDriver,
        };
        let peer = peer(
            name,
            &source.origin,
            &source.addresses,
            source.ca.as_deref(),
        );
        let answer = self.ask_for_key(&peer, message)?;
        Ok(usable(name, &source.fields, &answer)?)
    }

    fn ask_for_key(&mut self, peer: &Peer<'_>, mut message: Message) -> Result<Body, BrokerError> {
        let agent = concat!("drivebay/", env!("CARGO_PKG_VERSION"));
        let asked = format!("{} {:?}", message.method.name(), path_of(&message.target));
        message
            .headers
            .push(("user-agent".to_owned(), agent.to_owned()));
        let response = self.exchange(peer, message)?;
        match response.status {
            200 => Ok(response.body),
            status => Err(DriverError::unavailable(format!(
                "cannot fetch {}: {} answered {status} to {asked}",
                peer.sender, peer.origin
            ))
            .into()),
        }
    }
}

fn peer<'a>(
    name: &str,
    origin: &'a Origin,
    addresses: &'a AddressGrant,
    ca: Option<&'a Path>,
) -> Peer<'a> {
    Peer {
        sender: format!("key {name}"),
        origin,
        addresses,
        ca,
        timeout: TIMEOUT,
        max_response_bytes: MAX_ANSWER_BYTES,
    }
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// Names and values as a form has them, placeholders filled in.
fn pairs(values: &FormValues, now: &str, token: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    for (name, value) in values {
        // The token last: what it holds is not looked at for placeholders.
        let value = Zeroizing::new(value.replace("{now}", now).replace("{token}", token));
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(&percent_encoded(name));
        text.push('=');
        text.push_str(&Zeroizing::new(percent_encoded(&value)));
    }
    text
}

/// It goes into a header or a path: printable, and nothing that would end either.
fn one_line(name: &str, what: &str, answer: &Body) -> Result<String, DriverError> {
    let text = std::str::from_utf8(answer.as_bytes()).map(str::trim);
    match text {
        Ok(text) if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) => {
            Ok(text.to_owned())
        }
        _ => Err(DriverError::unavailable(format!(
            "cannot fetch key {name}: what came for {what} is not one word"
        ))),
    }
}

fn plain_role(name: &str, role: String) -> Result<String, DriverError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match !role.starts_with('.') && role.chars().all(plain) {
        true => Ok(role),
        false => Err(DriverError::unavailable(format!(
            "cannot fetch key {name}: what came for a role is not the name of one; name it in the grant's role"
        ))),
    }
}

fn usable(name: &str, fields: &FieldNames, answer: &Body) -> Result<Key, DriverError> {
    let key = key_in(answer.as_bytes(), fields).map_err(|error| {
        DriverError::unavailable(format!("cannot fetch key {name}")).caused_by(error)
    })?;
    match key.left(sys::now_seconds()) {
        0 => Err(DriverError::unavailable(format!(
            "cannot fetch key {name}: the one that came has ended already; check the node's clock"
        ))),
        _ => Ok(key),
    }
}
