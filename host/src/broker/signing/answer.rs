//! A key out of a JSON answer, and nothing else of it: no other value is kept, and what is kept is wiped.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::key::Key;
use super::time;
use crate::grant::FieldNames;
use crate::volume::Secret;

/// Why an answer is no key. Says which field, never what is in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("the answer is not JSON")]
    NotJson,
    #[error("the answer has no text at {field:?} (fields of the grant)")]
    Missing { field: String },
    #[error("the answer has at {field:?} no time such as \"2026-11-21T04:53:18Z\"")]
    NoTime { field: String },
}

/// The key in an answer.
pub(super) fn key_in(body: &[u8], fields: &FieldNames) -> Result<Key, AnswerError> {
    let mut found = Found::wanted(fields);
    let mut json = serde_json::Deserializer::from_slice(body);
    // The parser's own words can quote from the answer.
    let read = Walk {
        found: &mut found,
        at: String::new(),
    }
    .deserialize(&mut json);
    read.and_then(|()| json.end())
        .map_err(|_| AnswerError::NotJson)?;
    let id = found.take(&fields.id)?;
    let secret = found.take(&fields.secret)?;
    let token = fields.session_token.as_ref();
    let token = token.map(|field| found.take(field)).transpose()?;
    let expires = found.take(&fields.expires)?;
    let expires = time::parse(&expires).ok_or_else(|| AnswerError::NoTime {
        field: fields.expires.clone(),
    })?;
    Ok(Key {
        id: (*id).clone(),
        secret: Secret::new(secret.as_bytes().to_vec()),
        session_token: token.map(|token| Secret::new(token.as_bytes().to_vec())),
        expires: Some(expires),
    })
}

/// Text at places that were asked for.
struct Found(Vec<(String, Option<Zeroizing<String>>)>);

impl Found {
    fn wanted(fields: &FieldNames) -> Self {
        let all = [
            Some(&fields.id),
            Some(&fields.secret),
            fields.session_token.as_ref(),
            Some(&fields.expires),
        ];
        let slot = |field: &String| (field.clone(), None);
        Self(all.into_iter().flatten().map(slot).collect())
    }

    fn put(&mut self, at: &str, text: &str) {
        for (_, value) in self.0.iter_mut().filter(|(field, _)| field == at) {
            *value = Some(Zeroizing::new(text.to_owned()));
        }
    }

    fn take(&mut self, field: &str) -> Result<Zeroizing<String>, AnswerError> {
        let value = self
            .0
            .iter()
            .find(|(name, _)| name == field)
            .and_then(|(_, value)| value.clone());
        value
            .filter(|text| !text.is_empty())
            .ok_or_else(|| AnswerError::Missing {
                field: field.to_owned(),
            })
    }
}

/// Goes through an answer value by value. Its depth is bounded by the parser.
struct Walk<'a> {
    found: &'a mut Found,
    at: String,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.found.put(&self.at, text);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let at = match self.at.is_empty() {
                true => name,
                false => format!("{}.{name}", self.at),
            };
            let found = &mut *self.found;
            map.next_value_seed(Walk { found, at })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> FieldNames {
        FieldNames {
            id: "Credentials.AccessKeyId".into(),
            secret: "Credentials.AccessKeySecret".into(),
            session_token: Some("Credentials.SecurityToken".into()),
            expires: "Credentials.Expiration".into(),
        }
    }

    const ANSWER: &str = r#"{"RequestId":"1","List":[{"a":1},null],"Credentials":{"AccessKeyId":"STS.x",
        "AccessKeySecret":"s\u0033cret","SecurityToken":"tok","Expiration":"2026-11-21T04:53:18Z","N":-1.5}}"#;

    #[test]
    fn a_key_is_found_where_the_grant_says() {
        let key = key_in(ANSWER.as_bytes(), &fields()).expect("a key");
        assert_eq!(key.id, "STS.x");
        assert_eq!(key.secret.reveal(), b"s3cret");
        assert_eq!(key.session_token, Some(Secret::new(b"tok".to_vec())));
        assert_eq!(key.expires, Some(1_795_236_798));
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_quoted() {
        for (from, to, error) in [
            (
                "AccessKeySecret",
                "Secret",
                "the answer has no text at \"Credentials.AccessKeySecret\" (fields of the grant)",
            ),
            (
                "\"tok\"",
                "7",
                "the answer has no text at \"Credentials.SecurityToken\" (fields of the grant)",
            ),
            (
                "\"STS.x\"",
                "\"\"",
                "the answer has no text at \"Credentials.AccessKeyId\" (fields of the grant)",
            ),
            (
                "2026-11-21T04:53:18Z",
                "tomorrow",
                "the answer has at \"Credentials.Expiration\" no time such as \"2026-11-21T04:53:18Z\"",
            ),
            ("}}", "}", "the answer is not JSON"),
            ("}}", "}} x", "the answer is not JSON"),
        ] {
            let said = key_in(ANSWER.replace(from, to).as_bytes(), &fields()).expect_err(to);
            assert_eq!(said.to_string(), error);
        }
        for body in ["", "<html>", "\"s3cret\"", "[]", &"[".repeat(100_000)] {
            assert!(key_in(body.as_bytes(), &fields()).is_err());
        }
    }
}
