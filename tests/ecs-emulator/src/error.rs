//! A refusal in the API's words: HTTP status, code, message.

use std::borrow::Cow;
use std::io;

use serde::{Deserialize, Serialize};

/// Why a request was refused. Clients decide on the code; the same code may come with several statuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The `Code` of the answer.
    pub(crate) code: Cow<'static, str>,
    /// The `Message` of the answer.
    pub(crate) message: String,
}

impl Refusal {
    /// A refusal with any status and code.
    pub(crate) fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(crate) fn denied(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(403, code, message)
    }

    pub(crate) fn missing(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        let message = format!(
            "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
        );
        Self::bad("MissingParameter", message)
    }

    pub(crate) fn invalid_parameter(name: &str) -> Self {
        let message = format!("The specified parameter \"{name}\" is not valid.");
        Self::bad("InvalidParameter", message)
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        let message = format!("The emulator could not do its part: {error}");
        Self::new(500, "InternalError", message)
    }
}
