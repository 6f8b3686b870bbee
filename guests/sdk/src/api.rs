//! An API of actions, asked with patience: calls that outlast throttling and lost connections, and waiting for what was
//! asked for.
//!
//! A backend says by [`Api`] how a call is sent and what the API's codes amount to; the rest is here. Answers are
//! [`Json`], and nothing is decided by the HTTP status that a code decides.

use crate::backoff::{Rhythm, Waiting};
use crate::bindings::https::Response;
use crate::bindings::types::Error;
use crate::call::{Action, Call, Repeat};
use crate::codes::is_among;
use crate::error::Condition;
use crate::failure::{Failure, Kind, Refusal};
use crate::host::Host;
use crate::json::Json;
use crate::keywords::Keyword;

/// A message of an API is cut here: it is a stranger's text, and events of Kubernetes hold 1024 characters.
const MAX_MESSAGE: usize = 400;

/// What a look at the state says is to be done.
#[derive(Debug)]
pub enum Step<A> {
    /// Nothing: all is as it should be.
    Done,
    /// Nothing but wait, for this reason.
    Wait(String),
    /// This call.
    Ask(Call<A>),
}

/// A call that was accepted, while its effect is not to be seen yet.
struct Accepted<A> {
    action: Option<A>,
    polls_left: u32,
}

/// An API, and the outside that it is asked through.
pub trait Api {
    /// What can be asked.
    type Action: Action;

    /// What messages call it.
    const NAME: &'static str;

    /// The name of its endpoint in the driver's grants.
    const ENDPOINT: &'static str;

    /// [Codes](crate::codes) by which it says that it was asked too often.
    const THROTTLED: &'static str;

    /// Codes after which nobody knows whether anything was done.
    const GAVE_UP: &'static str;

    /// Codes after which the next look at the state tells more than they do.
    const LOOK_AGAIN: &'static str;

    /// How a call is repeated.
    const REPEATS: Rhythm;

    /// How the state is looked at, until it is as it should be.
    const POLLS: Rhythm;

    /// How often the state may look as if nothing had been asked for, before it is asked for again.
    const LAG: u32;

    /// Time and chance.
    fn host(&self) -> &dyn Host;

    /// Send one call, signed anew.
    fn send(&self, call: &Call<Self::Action>) -> Result<Response, Error>;

    /// What an answer says that is none; `None` where it names no code.
    fn refusal(response: &Response, answer: &'static Json) -> Option<Refusal>;

    /// What a code amounts to. One that nobody knows is best called `internal`, by which callers try again later.
    fn condition(action: Self::Action, code: &str) -> Condition;

    /// What the operator can do about it.
    fn hint(action: Self::Action, code: &str) -> Option<String>;

    /// One call. Throttled ones are repeated, since nothing was done; lost ones only where twice is the same as once. The
    /// caller looks at the state before it repeats any other.
    fn call(&self, call: &Call<Self::Action>) -> Result<&'static Json, Failure> {
        let mut attempt = 0;
        loop {
            let answer = match self.send(call) {
                Ok(response) => Self::read(call, &response),
                Err(error) => Err(Failure::unsent(call, error)),
            };
            let failure = match answer {
                Ok(json) => return Ok(json),
                Err(failure) => failure,
            };
            let may_repeat = match failure.kind {
                Kind::Throttled => true,
                Kind::Lost => call.action.repeat() == Repeat::Freely,
                Kind::Refused | Kind::NotSent => false,
            };
            attempt += 1;
            let host = self.host();
            let pause = Self::REPEATS.backoff(attempt, failure.retry_after, host.chance());
            if !may_repeat || attempt == Self::REPEATS.times || host.pause(pause).is_err() {
                return Err(failure);
            }
        }
    }

    /// Read an answer.
    fn read(call: &Call<Self::Action>, response: &Response) -> Result<&'static Json, Failure> {
        let nonsense = |reason: &str| {
            error!(Internal: "{call} was answered with HTTP {} and text that cannot be read: \
            {reason}; check that [grants.https.{}] names the {} endpoint", u64::from(response.status), Self::ENDPOINT,
            Self::NAME)
        };
        let json = Json::read(&response.body);
        if (200..300).contains(&response.status) {
            return json.map_err(|reason| Failure::lost(nonsense(&reason)));
        }
        let Some(refusal) = Self::refusal(response, json.unwrap_or(&Json::Null)) else {
            // Not from the API, or not all of it: from a gateway in trouble, or from something else altogether.
            return Err(match response.status {
                status @ (429 | 500..) => Failure::lost(
                    error!(Unavailable: "{call} was answered with HTTP {} and no reason", u64::from(status)),
                ),
                _ => Failure::not_sent(nonsense("it names no error code")),
            });
        };
        let condition = Self::condition(call.action, refusal.code);
        let is_unknown_trouble = response.status >= 500 && condition == Condition::Internal;
        let (kind, condition) = if is_among(Self::THROTTLED, refusal.code) {
            (Kind::Throttled, condition)
        } else if is_among(Self::GAVE_UP, refusal.code) || is_unknown_trouble {
            (Kind::Lost, Condition::Unavailable)
        } else {
            (Kind::Refused, condition)
        };
        let hint = Self::hint(call.action, refusal.code);
        let error = condition.error(sentence(Self::NAME, call, &refusal, hint.as_deref()));
        Err(Failure::said(kind, &refusal, error))
    }

    /// Waiting for a change, as this API's changes come.
    fn waiting(&self) -> Waiting<'_> {
        Waiting::new(self.host(), Self::POLLS)
    }

    /// Look, do one thing, and look again, until all is as it should be. By this, calls without a token can be
    /// repeated: what got lost shows in the next look, and an answer that comes before its effect does no harm.
    fn reconcile(
        &self,
        poll: &mut dyn FnMut() -> Result<Step<Self::Action>, Error>,
    ) -> Result<(), Error> {
        let mut waiting = self.waiting();
        let mut accepted = Accepted {
            action: None,
            polls_left: 0,
        };
        loop {
            let otherwise = match poll()? {
                Step::Done => return Ok(()),
                Step::Wait(reason) => Error::InProgress(reason),
                Step::Ask(call) => ask(self, &call, &mut accepted)?,
            };
            waiting.pause(otherwise)?;
        }
    }
}

/// Ask, unless that was done a moment ago; the answer is what to end with if time is up now.
fn ask<A: Api + ?Sized>(
    api: &A,
    call: &Call<A::Action>,
    accepted: &mut Accepted<A::Action>,
) -> Result<Error, Error> {
    if accepted.action == Some(call.action) && accepted.polls_left > 0 {
        accepted.polls_left -= 1;
    } else if let Err(failure) = api.call(call) {
        let is_seen_by_polling = failure.passes() || is_among(A::LOOK_AGAIN, failure.code);
        return if is_seen_by_polling {
            Ok(for_now(failure.into()))
        } else {
            Err(failure.into())
        };
    } else {
        *accepted = Accepted {
            action: Some(call.action),
            polls_left: A::LAG,
        };
    }
    Ok(error!(InProgress: "{call} was accepted and does not show yet; ask again"))
}

/// A size that is refused because the disk has it already was reached by a call whose answer got lost. Should that not
/// show before time is up, nobody may take the size for impossible.
fn for_now(error: Error) -> Error {
    let Error::OutOfRange(reason) = error else {
        return error;
    };
    Error::InProgress(reason)
}

/// The whole sentence for the operator.
fn sentence<A: Keyword>(
    api: &str,
    call: &Call<A>,
    refusal: &Refusal,
    hint: Option<&str>,
) -> String {
    let (code, message) = (refusal.code, shortened(refusal.message));
    let mut sentence = format!(
        "{api} refused {call} with {code}: {message} (request {})",
        refusal.request_id
    );
    if let Some(hint) = hint {
        sentence += "; ";
        sentence += hint;
    }
    sentence
}

fn shortened(message: &str) -> &str {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => message.get(..end).unwrap_or_default(),
        None => message,
    }
}

#[cfg(test)]
pub(crate) mod tests;
