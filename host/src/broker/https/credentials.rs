//! Secrets of a request: which ones go where, and nowhere back.
//!
//! Plain names in, headers out.

use crate::broker::answer::Response;
use crate::broker::error::BrokerError;
use crate::broker::name::nameable;
use crate::broker::private::Private;
use crate::broker::secrets::{BasicUser, basic_authentication, granted, mask};
use crate::error::{DriverError, GuestText};
use crate::grant::Grants;
use crate::volume::Secrets;

/// What a guest wants to be sent along, by the names of secrets.
#[derive(Debug, Default)]
pub(super) struct WantedCredentials {
    pub(super) headers: Vec<WantedHeader>,
    pub(super) basic: Option<WantedBasic>,
}

/// A text and a secret behind it.
#[derive(Debug)]
pub(super) struct WantedHeader {
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) secret: String,
}

#[derive(Debug)]
pub(super) struct WantedBasic {
    pub(super) user: WantedUser,
    pub(super) password: String,
}

#[derive(Debug)]
pub(super) enum WantedUser {
    Name(String),
    Secret(String),
}

/// A request has a handful.
const MAX_HEADERS: usize = 8;

impl WantedCredentials {
    /// As they are sent to that endpoint. Each name is there once.
    pub(super) fn headers(
        &self,
        grants: &Grants,
        brought: &Secrets,
        endpoint: &str,
    ) -> Result<Vec<(String, String)>, BrokerError> {
        if self.headers.len() > MAX_HEADERS {
            return Err(DriverError::invalid_argument(format!(
                "{} headers with secrets are more than {MAX_HEADERS}",
                self.headers.len()
            ))
            .into());
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        for wanted in &self.headers {
            nameable(&wanted.name)?;
            nameable(&wanted.prefix)?;
            let secret = granted(grants, brought, &wanted.secret)?;
            headers.push(secret.header(endpoint, &wanted.name, &wanted.prefix)?);
        }
        if let Some(basic) = &self.basic {
            let user = match &basic.user {
                WantedUser::Name(name) => {
                    nameable(name)?;
                    BasicUser::Name(name)
                }
                WantedUser::Secret(name) => BasicUser::Secret(granted(grants, brought, name)?),
            };
            let password = granted(grants, brought, &basic.password)?;
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
