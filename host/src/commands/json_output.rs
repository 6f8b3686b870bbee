//! JSON for a terminal.

use drivebay::error::is_harmful;
use serde_json::Value;

/// As it is printed.
pub(super) fn printed(answer: &Value) -> String {
    harmless(&answer.to_string())
}

/// The same JSON: it leaves as they are many characters that a terminal obeys, or that cannot be seen.
pub(super) fn harmless(text: &str) -> String {
    let mut printed = String::with_capacity(text.len());
    for character in text.chars() {
        match is_harmful(character) {
            true => {
                let units = character.encode_utf16(&mut [0; 2]).to_vec();
                printed.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
            }
            false => printed.push(character),
        }
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_printed_is_the_same_json_and_harmless() {
        let answer = json!({ "id": "a\n\u{9b}\u{202e}\u{e0041}ä" });
        let printed = printed(&answer);
        assert_eq!(printed, r#"{"id":"a\n\u009b\u202e\udb40\udc41ä"}"#);
        assert_eq!(
            serde_json::from_str::<Value>(&printed).expect("JSON"),
            answer
        );
    }
}
