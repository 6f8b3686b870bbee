//! Secrets of a request: which ones go where, and nowhere back.

use crate::broker::answer::Response;
use crate::broker::ask::{BasicAuthentication, SecretHeader, User};
use crate::broker::error::BrokerError;
use crate::broker::name_length::nameable;
use crate::broker::private::Private;
use crate::broker::secrets::{BasicUser, basic_authentication, mask};
use crate::broker::worker_broker::WorkerBroker;
use crate::error::{DriverError, GuestText};
use crate::volume::Secrets;

/// A request has a handful.
const MAX_HEADERS: usize = 8;

impl WorkerBroker {
    /// Headers with secrets, as they are sent to that endpoint. Each name is there once.
    pub(super) fn credentials(
        &self,
        endpoint: &str,
        wanted: &[SecretHeader],
        basic: Option<&BasicAuthentication>,
    ) -> Result<Vec<(String, String)>, BrokerError> {
        if wanted.len() > MAX_HEADERS {
            return Err(DriverError::invalid_argument(format!(
                "{} headers with secrets are more than {MAX_HEADERS}",
                wanted.len()
            ))
            .into());
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        for header in wanted {
            nameable(&header.name)?;
            nameable(&header.prefix)?;
            let secret = self.secret(header.secret)?;
            headers.push(secret.header(endpoint, &header.name, &header.prefix)?);
        }
        if let Some(basic) = basic {
            let user = match &basic.user {
                User::Name(name) => {
                    nameable(name)?;
                    BasicUser::Name(name)
                }
                User::Secret(secret) => BasicUser::Secret(self.secret(*secret)?),
            };
            let password = self.secret(basic.password)?;
            headers.push(basic_authentication(endpoint, &user, &password)?);
        }
        for (at, (name, _)) in headers.iter().enumerate() {
            if headers[..at].iter().any(|(before, _)| before == name) {
                return Err(twice(name).into());
            }
        }
        Ok(headers)
    }
}

pub(super) fn twice(header: &str) -> DriverError {
    DriverError::invalid_argument(format!(
        "header {:?} is given twice, once with a secret",
        GuestText::name(header)
    ))
}

/// An answer in which a server does not tell a guest what it was sent: neither the secrets nor what was made of them.
pub(super) fn without_secrets(
    response: Response,
    sent: &[(String, String)],
    secrets: &Secrets,
) -> Response {
    let mut words: Vec<&[u8]> = secrets.values().map(|secret| secret.reveal()).collect();
    let encoded = sent
        .iter()
        .filter_map(|(_, value)| value.strip_prefix("Basic "));
    words.extend(encoded.map(str::as_bytes));
    let text = |text: String| {
        let mut bytes = text.into_bytes();
        mask(&mut bytes, &words);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let headers = response.headers.0.into_iter();
    let headers = headers.map(|(name, value)| (name, text(value)));
    let mut body = response.body.0;
    mask(&mut body, &words);
    Response {
        status: response.status,
        headers: Private(headers.collect()),
        body: Private(body),
    }
}
