//! Client tokens: how the same request twice has its effect once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cloud::tracked::Tracked;
use crate::error::Refusal;
use crate::wire::answer::Fields;
use crate::wire::parameters::Parameters;

/// The longest token, in ASCII characters.
const LONGEST: usize = 64;

/// What was asked with which token, and what came of it, by action and token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tokens(Tracked<String, Used>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Used {
    wish: BTreeMap<String, String>,
    outcome: Result<Fields, Refusal>,
    /// A restart ends it.
    #[serde(skip)]
    flight: Flight,
}

/// Whether the first answer has been sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flight {
    #[default]
    Landed,
    /// Until [`Tokens::land`].
    InAir,
}

/// A token of one request to one action.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    key: String,
    action: &'static str,
    wish: BTreeMap<String, String>,
}

impl Token {
    /// The token of a request to an action that takes one.
    pub(crate) fn read(
        action: &'static str,
        parameters: &Parameters,
    ) -> Result<Option<Self>, Refusal> {
        let takes_token = [
            "CreateDisk",
            "ResizeDisk",
            "CreateSnapshot",
            "CreateSnapshotGroup",
        ]
        .contains(&action);
        let Some(token) = parameters.text("ClientToken").filter(|_| takes_token) else {
            return Ok(None);
        };
        if token.len() > LONGEST || !token.is_ascii() {
            let message = "The specified parameter clientToken is not valid.";
            return Err(Refusal::denied("InvalidClientToken.Malformed", message));
        }
        Ok(Some(Self {
            key: format!("{action} {token}"),
            action,
            wish: parameters.wish(),
        }))
    }

    /// The documents disagree on the status; each action's own page is followed.
    fn mismatch(&self) -> Refusal {
        let status = if self.action.starts_with("CreateSnapshot") {
            403
        } else {
            400
        };
        let message = "The specified parameter has changed since the client token was used first.";
        Refusal::new(status, "IdempotentParameterMismatch", message)
    }

    fn in_flight(&self) -> Refusal {
        let code = match self.action {
            "CreateSnapshot" | "CreateSnapshotGroup" => "IdempotentProcessing",
            _ => "LastTokenProcessing",
        };
        Refusal::denied(code, "The last token request is processing.")
    }
}

impl Tokens {
    /// What came of this token before, if it was used before.
    pub(crate) fn recall(&self, token: &Token) -> Option<Result<Fields, Refusal>> {
        let used = self.0.get(&token.key)?;
        Some(if used.wish != token.wish {
            Err(token.mismatch())
        } else if used.flight == Flight::InAir {
            Err(token.in_flight())
        } else {
            used.outcome.clone()
        })
    }

    pub(crate) fn keep(&mut self, token: Token, outcome: Result<Fields, Refusal>, flight: Flight) {
        let used = Used {
            wish: token.wish,
            outcome,
            flight,
        };
        self.0.insert(token.key, used);
    }

    pub(crate) fn land(&mut self, token: &Token) {
        if let Some(used) = self.0.get_mut(&token.key) {
            used.flight = Flight::Landed;
        }
    }

    /// What has changed since this was asked last.
    pub(crate) fn take_changed(&mut self) -> serde_json::Result<Map<String, Value>> {
        self.0.take_changed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(pairs: &[(&str, &str)]) -> Result<Option<Token>, Refusal> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Token::read("CreateDisk", &pairs.iter().map(owned).collect())
    }

    fn code(recalled: Option<Result<Fields, Refusal>>) -> String {
        recalled.unwrap().unwrap_err().code.into_owned()
    }

    #[test]
    fn same_wish_gets_the_first_outcome_and_another_a_mismatch() {
        let mut tokens = Tokens::default();
        let first = token(&[("ClientToken", "t"), ("Size", "20")])
            .unwrap()
            .unwrap();
        assert!(tokens.recall(&first).is_none());
        let fields = Fields::from_iter([("DiskId".to_owned(), "d-1".into())]);
        tokens.keep(first.clone(), Ok(fields.clone()), Flight::Landed);
        assert_eq!(tokens.recall(&first), Some(Ok(fields)));
        let other = token(&[("ClientToken", "t"), ("Size", "21")])
            .unwrap()
            .unwrap();
        assert_eq!(code(tokens.recall(&other)), "IdempotentParameterMismatch");
    }

    #[test]
    fn signature_time_and_nonce_are_no_part_of_the_wish() {
        let one = [
            ("ClientToken", "t"),
            ("SignatureNonce", "1"),
            ("Timestamp", "1"),
        ];
        let two = [
            ("ClientToken", "t"),
            ("SignatureNonce", "2"),
            ("Timestamp", "2"),
        ];
        let (one, two) = (token(&one).unwrap().unwrap(), token(&two).unwrap().unwrap());
        assert_eq!(one.wish, two.wish);
    }

    #[test]
    fn token_whose_answer_is_on_its_way_is_refused_until_it_has_arrived() {
        let mut tokens = Tokens::default();
        let first = token(&[("ClientToken", "t")]).unwrap().unwrap();
        tokens.keep(first.clone(), Ok(Fields::new()), Flight::InAir);
        assert_eq!(code(tokens.recall(&first)), "LastTokenProcessing");
        tokens.land(&first);
        assert_eq!(tokens.recall(&first), Some(Ok(Fields::new())));
    }

    #[test]
    fn long_and_foreign_tokens_are_malformed() {
        let long = "x".repeat(65);
        for bad in [long.as_str(), "é"] {
            let refusal = token(&[("ClientToken", bad)]).unwrap_err();
            assert_eq!(refusal.code, "InvalidClientToken.Malformed");
        }
    }
}
