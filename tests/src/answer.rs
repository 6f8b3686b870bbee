//! One answer of the shim, held to kubelet's rules.

use std::process::Output;

use serde_json::Value;

/// What came back from one call-out.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The one object.
    pub json: Value,
    /// As it was written.
    pub text: String,
}

impl Answer {
    /// Checks what kubelet demands of every answer: exit code 0, nothing on stderr, exactly one JSON object
    /// on stdout, a status it knows, and no `null` anywhere.
    pub fn of(output: &Output) -> Self {
        let text = String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "exit {:?}, stdout {text:?}, stderr {stderr:?}",
            output.status
        );
        assert!(stderr.is_empty(), "stderr has {stderr:?}");
        let json: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
        let object = json
            .as_object()
            .unwrap_or_else(|| panic!("no object: {text:?}"));
        assert!(
            object.values().all(|value| !holds_null(value)),
            "null in {text:?}"
        );
        let status = object
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default();
        assert!(
            ["Success", "Failure", "Not supported"].contains(&status),
            "unknown status in {text:?}"
        );
        Self { json, text }
    }

    /// `Success`, `Failure` or `Not supported`.
    pub fn status(&self) -> &str {
        self.json["status"].as_str().unwrap_or_default()
    }

    /// The message, or nothing.
    pub fn message(&self) -> &str {
        self.json["message"].as_str().unwrap_or_default()
    }

    /// The whole answer must be this, literally.
    #[track_caller]
    pub fn is(&self, literal: &str) {
        assert_eq!(self.text.trim_end(), literal);
    }

    /// It succeeded.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.status(), "Success", "{}", self.text);
        self
    }

    /// It failed, for a reason that has these words; the object has status and message and nothing else.
    #[track_caller]
    pub fn fails_with(self, words: &str) -> Self {
        assert_eq!(self.status(), "Failure", "{}", self.text);
        assert!(
            self.message().contains(words),
            "{:?} does not say {words:?}",
            self.message()
        );
        assert_eq!(
            self.json.as_object().map(serde_json::Map::len),
            Some(2),
            "{}",
            self.text
        );
        self
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(holds_null),
        Value::Object(pairs) => pairs.values().any(holds_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
