//! Questions and answers as values that people can read and write.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Bytes are `{"text": "…"}`, or `{"base64": "…"}` where they are no text. Nothing else in a message is a list of numbers.
pub(super) fn readable(message: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(message).unwrap_or_default();
    make_readable(&mut value);
    value
}

fn make_readable(value: &mut Value) {
    match value {
        Value::Array(list) => match bytes_of(list) {
            Some(bytes) => *value = in_text(bytes),
            None => list.iter_mut().for_each(make_readable),
        },
        Value::Object(object) => object.values_mut().for_each(make_readable),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What [`readable`] made of a message; none where it is no such message.
pub(super) fn from_readable<T: DeserializeOwned>(mut value: Value) -> Option<T> {
    make_bytes(&mut value)?;
    serde_json::from_value(value).ok()
}

fn make_bytes(value: &mut Value) -> Option<()> {
    match value {
        Value::Array(list) => list.iter_mut().try_for_each(make_bytes),
        Value::Object(object) => {
            let text = |key: &str| match (object.len(), object.get(key)) {
                (1, Some(Value::String(text))) => Some(text.clone()),
                _ => None,
            };
            let bytes = match (text("text"), text("base64")) {
                (Some(text), _) => text.into_bytes(),
                (None, Some(text)) => STANDARD.decode(text).ok()?,
                (None, None) => return object.values_mut().try_for_each(make_bytes),
            };
            *value = bytes.into();
            Some(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(()),
    }
}

fn bytes_of(list: &[Value]) -> Option<Vec<u8>> {
    let byte = |value: &Value| value.as_u64().and_then(|number| u8::try_from(number).ok());
    let bytes: Option<Vec<u8>> = list.iter().map(byte).collect();
    bytes.filter(|bytes| !bytes.is_empty())
}

fn in_text(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(error) => json!({ "base64": STANDARD.encode(error.as_bytes()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::answer::Answer;
    use crate::broker::ask::tests::samples;
    use crate::broker::private::Private;

    #[test]
    fn bytes_are_a_text_where_they_are_one() {
        let content = |bytes: &[u8]| readable(&Answer::Content(Private(bytes.to_vec())));
        assert_eq!(content(b"a\n"), json!({ "content": { "text": "a\n" } }));
        assert_eq!(content(&[0xff]), json!({ "content": { "base64": "/w==" } }));
        assert_eq!(content(&[]), json!({ "content": [] }));
    }

    #[test]
    fn each_question_and_each_answer_comes_back() {
        for ask in samples() {
            assert_eq!(from_readable(readable(&ask)), Some(ask));
        }
        for bytes in [&b"a\n"[..], &[0xff, 0], &[]] {
            let answer = Answer::Content(Private(bytes.to_vec()));
            assert_eq!(from_readable(readable(&answer)), Some(answer));
        }
        assert_eq!(
            from_readable::<Answer>(json!({ "content": { "base64": "?" } })),
            None
        );
        assert_eq!(from_readable::<Answer>(json!("undone")), None);
    }

    #[test]
    fn no_question_has_a_list_of_numbers_left() {
        for ask in samples() {
            let text = readable(&ask).to_string();
            let digits = |at: usize| text.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
            assert!(!text.match_indices('[').any(|(at, _)| digits(at)), "{text}");
        }
    }
}
