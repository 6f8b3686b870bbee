//! What came back from ECS, sorted by what may be done next. Pure.

use drivebay_guest::https::Response;
use drivebay_guest::json::Json;
use drivebay_guest::prelude::*;

use crate::api_request::Call;
use crate::error_codes;

/// A message of ECS is cut here: it is a stranger's text, and events of Kubernetes hold 1024 characters.
const MAX_MESSAGE: usize = 400;

/// What may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ECS refused and did nothing.
    Refused,
    /// It was asked too often and did nothing.
    Throttled,
    /// No answer, or none that says whether anything was done.
    Lost,
    /// The host did not send it.
    NotSent,
}

/// Why a call did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// ECS's own word for it; empty where it said none.
    pub(crate) code: &'static str,
    message: &'static str,
    /// Milliseconds for which ECS wants to be left alone, where it says.
    pub(crate) retry_after: Option<u64>,
    error: Error,
}

impl Failure {
    fn new(kind: Kind, error: Error) -> Self {
        Self {
            kind,
            code: "",
            message: "",
            retry_after: None,
            error,
        }
    }

    pub(crate) fn lost(error: Error) -> Self {
        Self::new(Kind::Lost, error)
    }

    pub(crate) fn not_sent(error: Error) -> Self {
        Self::new(Kind::NotSent, error)
    }

    /// Whether the same call may succeed a little later, once the state was looked at again.
    pub(crate) fn passes(&self) -> bool {
        match self.kind {
            Kind::Refused => self.is_busy(),
            Kind::Throttled | Kind::Lost => true,
            Kind::NotSent => false,
        }
    }

    /// Whether ECS refused for now: something else has to be done with first.
    pub(crate) fn is_busy(&self) -> bool {
        self.kind == Kind::Refused && matches!(self.error, Error::InProgress(_))
    }

    /// Whether ECS refused with this very code.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether these words are in what it said.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.message
            .as_bytes()
            .windows(words.len())
            .any(|part| part == words.as_bytes())
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.kind == Kind::Refused && matches!(self.error, Error::NotFound(_))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What the host's `send` says when there was no answer.
pub(crate) fn unsent(call: &Call, error: Error) -> Failure {
    let said = |message: String| {
        format!(
            "no answer to {} of {}: {message}",
            call.action.name(),
            call.subject
        )
    };
    match error.into_parts() {
        // The grant's rate is among these, and an answer that was too large: whether it took effect is unknown.
        (Condition::Unavailable, message) => Failure::lost(Error::Unavailable(said(message))),
        (refused, message) => Failure::not_sent(refused.error(message)),
    }
}

/// Read an answer.
pub(crate) fn read(call: &Call, response: &Response) -> Result<&'static Json, Failure> {
    let json = Json::read(&response.body);
    if (200..300).contains(&response.status) {
        return json.map_err(|reason| Failure::lost(nonsense(call, response, &reason)));
    }
    let answer = json.unwrap_or(&Json::Null);
    let Some(code) = answer.some_text("Code") else {
        return Err(speechless(call, response));
    };
    let condition = error_codes::condition(call.action, code);
    let message = answer.text("Message");
    let sentence = sentence(call, code, shortened(message), answer.text("RequestId"));
    let unknown_trouble = response.status >= 500 && condition == Condition::Internal;
    let kind = if error_codes::throttled(code) {
        Kind::Throttled
    } else if error_codes::gave_up(code) || unknown_trouble {
        Kind::Lost
    } else {
        Kind::Refused
    };
    let condition = if kind == Kind::Lost {
        Condition::Unavailable
    } else {
        condition
    };
    Err(Failure {
        kind,
        code,
        message,
        retry_after: retry_after(response),
        error: condition.error(sentence),
    })
}

fn shortened(message: &str) -> &str {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => message.get(..end).unwrap_or_default(),
        None => message,
    }
}

/// The whole sentence for the operator.
fn sentence(call: &Call, code: &str, message: &str, request_id: &str) -> String {
    let mut sentence = format!(
        "ECS refused {} of {} with {code}: {message} (request {request_id})",
        call.action.name(),
        call.subject
    );
    if let Some(hint) = error_codes::hint(call.action, code) {
        sentence += "; ";
        sentence += &hint;
    }
    sentence
}

/// Not from ECS, or not all of it: from a gateway in trouble, or from something that is no ECS at all.
fn speechless(call: &Call, response: &Response) -> Failure {
    if response.status >= 500 || response.status == 429 {
        let (action, subject) = (call.action.name(), &call.subject);
        let status = u64::from(response.status);
        return Failure::lost(
            error!(Unavailable: "{action} of {subject} was answered with HTTP {status} and no reason"),
        );
    }
    Failure::not_sent(nonsense(call, response, "it names no error code"))
}

fn nonsense(call: &Call, response: &Response, reason: &str) -> Error {
    error!(Internal: "{} of {} was answered with HTTP {} and text that cannot be read: {reason}; check that \
        [grants.https.ecs] names an ECS endpoint", call.action.name(), call.subject, u64::from(response.status))
}

fn retry_after(response: &Response) -> Option<u64> {
    let named = response
        .headers
        .iter()
        .find(|(name, _)| name == "x-acs-retry-after");
    named?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_request::Action;

    fn answered(status: u16, body: &str) -> Result<&'static Json, Failure> {
        let response = Response {
            status,
            headers: vec![("x-acs-retry-after".into(), "1500".into())],
            body: body.into(),
        };
        read(&Call::new(Action::AttachDisk, "disk d-1 to i-2"), &response)
    }

    #[test]
    fn a_refusal_says_all_the_operator_needs() {
        let body = r#"{"RequestId":"R-1","Code":"Forbidden.RAM","Message":"User not authorized."}"#;
        let error = Error::from(answered(403, body).expect_err("refused"));
        let Error::Denied(message) = error else {
            panic!("{error:?}");
        };
        assert_eq!(
            message,
            "ECS refused AttachDisk of disk d-1 to i-2 with Forbidden.RAM: User not authorized. (request R-1); \
             allow ecs:AttachDisk in the RAM policy of the access key"
        );
    }

    #[test]
    fn the_code_decides_whatever_the_status_is() {
        for status in [400, 403, 503] {
            let failure = answered(status, r#"{"Code":"Throttling.User"}"#).expect_err("refused");
            assert_eq!(
                (failure.kind, failure.retry_after),
                (Kind::Throttled, Some(1500))
            );
            let failure =
                answered(status, r#"{"Code":"InvalidDiskId.NotFound"}"#).expect_err("refused");
            assert!(failure.is_not_found());
        }
    }

    #[test]
    fn what_may_have_taken_effect_is_lost() {
        for (status, body) in [
            (500, r#"{"Code":"InternalError"}"#),
            (503, r#"{"Code":"ServiceUnavailable"}"#),
            (500, r#"{"Code":"NeverSeenBefore"}"#),
            (502, "<html>"),
            (429, ""),
            (200, "{\"Reques"),
        ] {
            let failure = answered(status, body).expect_err("no success");
            assert!(
                failure.kind == Kind::Lost && failure.passes(),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn what_is_not_ecs_is_internal() {
        for (status, body) in [(302, ""), (404, "<html>"), (400, "{}"), (200, "hello")] {
            let error = Error::from(answered(status, body).expect_err("no success"));
            assert!(matches!(error, Error::Internal(m) if m.contains("ECS endpoint")));
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let body = format!(r#"{{"Code":"X","Message":"{}"}}"#, "é".repeat(5000));
        let error = format!(
            "{:?}",
            Error::from(answered(400, &body).expect_err("refused"))
        );
        assert!(error.chars().filter(|c| *c == 'é').count() == MAX_MESSAGE);
    }

    #[test]
    fn no_answer_is_lost_and_a_refused_grant_is_not_sent() {
        let call = Call::new(Action::AttachDisk, "disk d-1");
        assert!(unsent(&call, Error::Unavailable("reset".into())).passes());
        for refused in [Error::Denied, Error::Exhausted] {
            assert!(!unsent(&call, refused("no grant".into())).passes());
        }
    }
}
