//! A sample API, whose answers the tests write down beforehand.

use std::cell::RefCell;

use super::*;
use crate::codes::best;
use crate::create_once::Tokens;
use crate::fake::FakeHost;

keywords! {
    pub(crate) enum Verb {
        Attach = "AttachDisk",
        Create = "CreateDisk",
        Describe = "DescribeDisks",
    }
}

impl Action for Verb {
    fn repeat(self) -> Repeat {
        match self {
            Self::Attach => Repeat::AfterLooking,
            Self::Create | Self::Describe => Repeat::Freely,
        }
    }
}

/// What becomes of a call.
pub(crate) enum Answer {
    /// No answer comes.
    Lost,
    Said(u16, &'static str),
}

#[derive(Default)]
pub(crate) struct Acme {
    pub(crate) host: FakeHost,
    answers: RefCell<Vec<Answer>>,
    sent: RefCell<Vec<Call<Verb>>>,
}

impl Acme {
    /// One that answers so, and nothing but `{}` from then on.
    pub(crate) fn that_answers(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: Vec<Answer> = answers.into_iter().collect();
        answers.reverse();
        Self {
            answers: RefCell::new(answers),
            ..Self::default()
        }
    }

    /// What the calls said in a parameter.
    pub(crate) fn sent(&self, name: &str) -> Vec<String> {
        let sent = self.sent.borrow();
        let pairs = sent.iter().flat_map(|call| &call.query);
        let named = pairs.filter(|(one, _)| one == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    fn calls(&self) -> usize {
        self.sent.borrow().len()
    }
}

impl Api for Acme {
    type Action = Verb;

    const NAME: &'static str = "Acme";
    const ENDPOINT: &'static str = "api";
    const THROTTLED: &'static str = "TooOften*";
    const GAVE_UP: &'static str = "Oops";
    const LOOK_AGAIN: &'static str = "IsSo";
    const REPEATS: Rhythm = Rhythm {
        first_ms: 100,
        longest_ms: 1000,
        times: 3,
    };
    const POLLS: Rhythm = Rhythm {
        first_ms: 250,
        longest_ms: 1000,
        times: 20,
    };
    const LAG: u32 = 2;

    fn host(&self) -> &dyn Host {
        &self.host
    }

    fn send(&self, call: &Call<Verb>) -> Result<Response, Error> {
        self.sent.borrow_mut().push(call.clone());
        let answer = self.answers.borrow_mut().pop();
        let (status, body) = match answer.unwrap_or(Answer::Said(200, "{}")) {
            Answer::Lost => bail!(Unavailable: "the connection broke"),
            Answer::Said(status, body) => (status, body),
        };
        Ok(Response {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    }

    fn refusal(_: &Response, answer: &'static Json) -> Option<Refusal> {
        Some(Refusal {
            code: answer.some_text("code")?,
            message: answer.text("message"),
            request_id: "r-1",
            retry_after: answer.number("retry"),
        })
    }

    fn condition(_: Verb, code: &str) -> Condition {
        let codes = [
            (Condition::InProgress, "Busy"),
            (Condition::OutOfRange, "IsSo"),
            (Condition::Denied, "Denied"),
            (Condition::Unavailable, "TooOften*"),
        ];
        best(&codes, code).unwrap_or(Condition::Internal)
    }

    fn hint(_: Verb, code: &str) -> Option<String> {
        (code == "Denied").then(|| "look at the policy".into())
    }
}

impl Tokens for Acme {
    const TOKEN: &'static str = "Token";
    const MISMATCH: &'static str = "TokenUsed";
    const NEW: Rhythm = Rhythm {
        first_ms: 1000,
        ..Self::POLLS
    };
    const POLLS_FOR_NEW: u32 = 3;
    const POLLS_FOR_KNOWN: u32 = 2;
}

fn call(verb: Verb) -> Call<Verb> {
    Call::new(verb, "disk d-1")
}

fn refused(code: &'static str) -> Answer {
    Answer::Said(400, code)
}

const BUSY: &str = r#"{"code": "Busy"}"#;
const TOO_OFTEN: &str = r#"{"code": "TooOften.User", "retry": 1500}"#;
const IS_SO: &str = r#"{"code": "IsSo"}"#;

#[test]
fn a_refusal_says_what_was_asked_what_was_said_and_what_would_help() {
    let body = r#"{"code": "Denied", "message": "No."}"#;
    let failure = Acme::that_answers([refused(body)]).call(&call(Verb::Attach));
    let text =
        "Acme refused AttachDisk of disk d-1 with Denied: No. (request r-1); look at the policy";
    let error = Error::from(failure.expect_err("refused"));
    assert_eq!(error, Error::Denied(text.into()));
}

#[test]
fn a_long_message_is_cut() {
    let body = format!(r#"{{"code": "X", "message": "{}"}}"#, "é".repeat(5000));
    let failure = Acme::that_answers([refused(body.leak())]).call(&call(Verb::Attach));
    let (_, text) = Error::from(failure.expect_err("refused")).into_parts();
    assert_eq!(text.chars().filter(|c| *c == 'é').count(), MAX_MESSAGE);
}

#[test]
fn what_was_throttled_is_sent_again_as_often_as_there_is_patience() {
    let acme = Acme::that_answers([refused(TOO_OFTEN)]);
    assert!(acme.call(&call(Verb::Attach)).is_ok());
    assert_eq!(acme.calls(), 2);
    assert!(acme.host.waited() >= 1500);
    let acme = Acme::that_answers([0; 3].map(|_| refused(TOO_OFTEN)));
    let failure = acme.call(&call(Verb::Attach)).expect_err("throttled");
    assert_eq!((failure.kind, acme.calls()), (Kind::Throttled, 3));
}

#[test]
fn what_got_lost_is_sent_again_where_twice_is_once() {
    for lost in [
        || Answer::Lost,
        || Answer::Said(502, "<html>"),
        || Answer::Said(429, ""),
        || Answer::Said(500, r#"{"code": "NeverSeen"}"#),
        || Answer::Said(400, r#"{"code": "Oops"}"#),
        || Answer::Said(200, "{\"half"),
    ] {
        let acme = Acme::that_answers([lost()]);
        assert!(acme.call(&call(Verb::Describe)).is_ok());
        let acme = Acme::that_answers([lost()]);
        let failure = acme.call(&call(Verb::Attach)).expect_err("lost");
        assert_eq!((failure.kind, acme.calls()), (Kind::Lost, 1));
    }
}

#[test]
fn what_is_not_the_api_is_named_with_the_grant() {
    for (status, body) in [(302, ""), (404, "<html>"), (400, "{}")] {
        let answer = Acme::that_answers([Answer::Said(status, body)]).call(&call(Verb::Attach));
        let error = Error::from(answer.expect_err("no API"));
        assert!(matches!(error, Error::Internal(m) if m.contains("[grants.https.api]")));
    }
}

/// Reconciles with a state that shows after so many looks.
fn reconcile(acme: &Acme, shows_after: u32) -> Result<(), Error> {
    let mut looks = 0;
    acme.reconcile(&mut || {
        looks += 1;
        let is_so = looks > shows_after;
        Ok(if is_so {
            Step::Done
        } else {
            Step::Ask(call(Verb::Attach))
        })
    })
}

#[test]
fn what_was_accepted_is_asked_for_again_only_once_it_should_show() {
    for (shows_after, calls) in [(0, 0), (1, 1), (3, 1), (4, 2)] {
        let acme = Acme::default();
        assert_eq!(reconcile(&acme, shows_after), Ok(()));
        assert_eq!(acme.calls(), calls, "{shows_after}");
    }
}

#[test]
fn what_got_lost_or_was_refused_for_now_shows_in_the_next_look() {
    for answer in [Answer::Lost, refused(BUSY), refused(IS_SO)] {
        let acme = Acme::that_answers([answer]);
        assert_eq!(reconcile(&acme, 1), Ok(()));
    }
    let denied = Acme::that_answers([refused(r#"{"code": "Denied"}"#)]);
    assert!(matches!(reconcile(&denied, 1), Err(Error::Denied(_))));
}

#[test]
fn when_time_is_up_nothing_is_called_impossible() {
    let acme = Acme::that_answers([0; 9].map(|_| refused(IS_SO)));
    acme.host.deadline_in(2000);
    let ended = reconcile(&acme, u32::MAX);
    assert!(matches!(ended, Err(Error::InProgress(_))), "{ended:?}");
}
