//! One request: its method, query, headers and body.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;

use crate::wire::encoding::decode_pairs;

/// Longer than any request of this API; the rest would only fill memory.
const MAX_BODY: usize = 1 << 20;

/// A media type's parameters, such as a charset, may follow this.
const FORM: &str = "application/x-www-form-urlencoded";

/// A request that has arrived in full.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Names are in lower case, as hyper has them.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Call {
    /// Receives a request in full.
    pub(crate) async fn receive(request: Request<Incoming>) -> anyhow::Result<Self> {
        let (head, body) = request.into_parts();
        let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
            (name.as_str().to_owned(), value)
        };
        let body = Limited::new(body, MAX_BODY).collect().await;
        Ok(Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: decode_pairs(head.uri.query().unwrap_or_default()),
            headers: head.headers.iter().map(header).collect(),
            body: body.map_err(|error| anyhow::anyhow!(error))?.to_bytes(),
        })
    }

    /// A header's value; `name` is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }

    /// The pairs of a form body; none if the body is something else.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let is_form = self
            .header("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with(FORM));
        if !is_form {
            return Vec::new();
        }
        decode_pairs(&String::from_utf8_lossy(&self.body))
    }

    /// Query and form together, in the order sent.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        [self.query.clone(), self.form()].concat()
    }
}
