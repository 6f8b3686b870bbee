//! Requests over the network, as plain data; carried out by a process that has no other authority.
//!
//! They hold signatures and session tokens, and answers hold keys: neither shows more of itself than where
//! it goes, not in `Debug`, not in a fault.

mod body;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use body::Body;

/// What can be asked of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpsRequest {
    /// Addresses of a host name; an address literal is itself. Replies
    /// [`Reply::Addresses`](super::Reply::Addresses).
    Resolve {
        /// Name or address.
        host: String,
    },
    /// One request to addresses that were checked. Replies [`Reply::Https`](super::Reply::Https).
    Send(Box<HttpsMessage>),
}

/// One request, checked and resolved.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpsMessage {
    /// Who asks, for messages: `endpoint ecs`.
    pub sender: String,
    /// `GET`
    pub method: String,
    /// `https://ecs.example.com:8443`
    pub origin: String,
    /// Path and query, encoded as they are to be sent.
    pub target: String,
    /// What was checked; nothing else is connected to.
    pub addresses: Vec<IpAddr>,
    /// Of the origin.
    pub port: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Body,
    /// Whether it has any of a volume's.
    pub credentials: Credentials,
    /// Certificates to trust besides the platform's, PEM.
    pub ca: Option<Body>,
    /// From the first packet to the last byte.
    pub timeout: Duration,
    /// Of the answer's body.
    pub max_response_bytes: usize,
}

/// Whose credentials a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credentials {
    /// The driver's own: signatures, which are good for one time, and keys that are kept for the next call.
    OfDriver,
    /// Also secrets of a call, which nobody keeps: the worker ends with its answer, and its connections with it.
    OfCall,
}

/// Its answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpsResponse {
    /// 200 and the like.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Never more than was allowed.
    pub body: Body,
}

impl HttpsRequest {
    /// Whether whoever carries it out sees a secret that nobody keeps.
    pub(super) fn has_secrets(&self) -> bool {
        match self {
            Self::Resolve { .. } => false,
            Self::Send(message) => message.credentials == Credentials::OfCall,
        }
    }

    /// What the person who reads about a missing answer has to look at.
    pub(super) fn purpose(&self) -> String {
        match self {
            Self::Resolve { host } => format!("looking up {host:?}"),
            Self::Send(message) => message.purpose(),
        }
    }
}

impl HttpsMessage {
    /// The same; without path and query, which can hold secrets.
    pub(super) fn purpose(&self) -> String {
        format!("{} {}/ ({})", self.method, self.origin, self.sender)
    }
}

impl fmt::Debug for HttpsMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsMessage({})", self.purpose())
    }
}

impl fmt::Debug for HttpsResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsResponse({})", self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_request_nor_an_answer_shows_what_it_holds() {
        let secret = || "hunter2".to_owned();
        let message = HttpsMessage {
            sender: "endpoint ecs".into(),
            method: "POST".into(),
            origin: "https://x".into(),
            target: format!("/{}?Signature={}", secret(), secret()),
            addresses: vec![[127, 0, 0, 1].into()],
            port: 443,
            headers: vec![("authorization".into(), secret())],
            body: Body::new(secret().into_bytes()),
            credentials: Credentials::OfCall,
            ca: None,
            timeout: Duration::from_secs(1),
            max_response_bytes: 1,
        };
        let request = crate::worker::Request::Https(HttpsRequest::Send(Box::new(message)));
        let response = crate::worker::Reply::Https(HttpsResponse {
            status: 200,
            headers: vec![("set-cookie".into(), secret())],
            body: Body::new(secret().into_bytes()),
        });
        let shown = format!("{request:?} {response:?}");
        assert_eq!(
            shown,
            "Https(Send(HttpsMessage(POST https://x/ (endpoint ecs)))) Https(HttpsResponse(200))"
        );
    }
}
