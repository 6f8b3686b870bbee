//! The options: a flat JSON object of strings, some of them kubelet's own, some secret.
//!
//! Error messages name keys and never values: a value may be a password in the wrong place.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::one_line;
use crate::volume::{Access, AccessType, Parameters, Secret, Secrets, SecretsError};

/// kubelet passes the options as one argument, which Linux bounds at 128 KiB (MAX_ARG_STRLEN).
const MAX_BYTES: usize = 128 << 10;

const SECRET: &str = "kubernetes.io/secret/";

/// Of a key in a message, in bytes: what is wrong with it stands behind it, and must not be what is cut.
const LONGEST_SHOWN: usize = 128;

/// Options of one call-out, taken apart.
#[derive(Debug, Clone)]
pub struct Options {
    /// The user's, in order.
    user: Vec<(String, String)>,
    /// kubelet's, `kubernetes.io/` cut off.
    system: Parameters,
    secrets: Secrets,
}

/// Why options cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Longer than an argument can be.
    #[error("the options have {0} bytes, more than {MAX_BYTES}")]
    TooLong(usize),
    /// Not an object, or not JSON.
    #[error("the options are not a JSON object of strings: {0}")]
    Malformed(String),
    /// One key twice.
    #[error("option {0:?} is given twice (case does not matter)")]
    Duplicate(String),
    /// Base64 that is none.
    #[error("secret {0:?} is not base64")]
    Secret(String),
    /// More than a call may bring.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// `kubernetes.io/readwrite` with another word.
    #[error("option \"kubernetes.io/readwrite\" is neither \"ro\" nor \"rw\"")]
    ReadWrite,
}

impl Options {
    /// From the one argument that holds them.
    pub fn parse(text: &str) -> Result<Self, OptionsError> {
        if text.len() > MAX_BYTES {
            return Err(OptionsError::TooLong(text.len()));
        }
        let pairs = strings(text)?;
        let mut user = Vec::new();
        let mut system = Vec::new();
        let mut secrets = Vec::new();
        for (key, value) in pairs {
            if let Some(name) = key.strip_prefix(SECRET) {
                let value = Zeroizing::new(value);
                let bytes = STANDARD
                    .decode(value.as_bytes())
                    .map_err(|_| OptionsError::Secret(shown(name)))?;
                secrets.push((name.to_owned(), Secret::new(bytes)));
            } else if let Some(name) = key.strip_prefix("kubernetes.io/") {
                system.push((name.to_owned(), value));
            } else {
                user.push((key, value));
            }
        }
        let options = Self {
            user,
            system: Parameters::new(system),
            secrets: Secrets::bounded(secrets)?,
        };
        match options.system.get("readwrite") {
            None | Some("ro" | "rw") => Ok(options),
            Some(_) => Err(OptionsError::ReadWrite),
        }
    }

    /// The user's own options.
    pub fn context(&self) -> Parameters {
        Parameters::new(self.user.clone())
    }

    /// `ro` if kubelet says so, or the user by an option of that meaning.
    pub fn access(&self) -> Access {
        let context = Parameters::new(self.user.clone());
        let asked = ["readOnly"]
            .iter()
            .filter_map(|key| context.get(key))
            .any(is_true);
        if asked || self.system.get("readwrite") == Some("ro") {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        }
    }

    /// Always a directory: FlexVolume has no raw block volumes.
    pub fn kind(&self) -> AccessType {
        let fs_type = self.system.get("fsType").unwrap_or_default().to_owned();
        AccessType::Filesystem {
            fs_type,
            mount_options: Vec::new(),
        }
    }

    /// The PersistentVolume's name, or the pod's own name of an inline volume.
    pub fn volume_name(&self) -> Option<&str> {
        self.system.get("pvOrVolumeName")
    }

    /// The group that has to own the volume: kubelet's key, or the documentation's and older kubelets'.
    pub fn fs_group(&self) -> Option<&str> {
        self.system
            .get("mounterArgs.FsGroup")
            .or_else(|| self.system.get("fsGroup"))
    }

    /// For the host alone.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}

fn is_true(value: &str) -> bool {
    ["true", "yes", "1"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(value))
}

/// Key and value pairs in the order written.
fn strings(text: &str) -> Result<Vec<(String, String)>, OptionsError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let pairs = reader
        .deserialize_any(Pairs)
        .and_then(|pairs| reader.end().map(|()| pairs));
    let pairs = pairs.map_err(|error| OptionsError::Malformed(place_only(&error)))?;
    let mut seen: Vec<String> = Vec::with_capacity(pairs.len());
    for (key, _) in &pairs {
        let folded = key.to_ascii_lowercase();
        if seen.contains(&folded) {
            return Err(OptionsError::Duplicate(shown(key)));
        }
        seen.push(folded);
    }
    Ok(pairs)
}

/// What serde_json says about syntax has no values in it; what it says about types does, so that is ours.
fn place_only(error: &serde_json::Error) -> String {
    if error.is_data() {
        return error
            .to_string()
            .split(" at line")
            .next()
            .unwrap_or_default()
            .to_owned();
    }
    format!(
        "syntax error at line {} column {}",
        error.line(),
        error.column()
    )
}

fn shown(key: &str) -> String {
    one_line(key, LONGEST_SHOWN)
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            let Value::String(text) = value else {
                return Err(A::Error::custom(format!(
                    "option {:?} is {}, not a string",
                    shown(&key),
                    kind_of(&value)
                )));
            };
            pairs.push((key, text));
        }
        Ok(pairs)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(A::Error::custom("they are an array"))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(E::custom("they are a string"))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Err(E::custom("they are a boolean"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Err(E::custom("they are a number"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Err(E::custom("they are a number"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Err(E::custom("they are a number"))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Err(E::custom("they are null"))
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Options {
        Options::parse(text).expect("valid")
    }

    fn refused(text: &str) -> String {
        Options::parse(text).expect_err("invalid").to_string()
    }

    #[test]
    fn kubelets_keys_users_keys_and_secrets_are_kept_apart() {
        let options = parse(
            r#"{"kubernetes.io/fsType":"ext4","kubernetes.io/pvOrVolumeName":"pv","kubernetes.io/readwrite":"ro",
                "kubernetes.io/secret/password":"aHVudGVyMg==","server":"filer"}"#,
        );
        assert_eq!(
            options.context().pairs(),
            [("server".to_owned(), "filer".to_owned())]
        );
        assert_eq!(options.volume_name(), Some("pv"));
        assert_eq!(options.access(), Access::ReadOnly);
        assert_eq!(
            options.kind(),
            AccessType::Filesystem {
                fs_type: "ext4".into(),
                mount_options: vec![]
            }
        );
        assert_eq!(
            options.secrets().get("password").map(Secret::reveal),
            Some(&b"hunter2"[..])
        );
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn both_spellings_of_the_group_are_read() {
        assert_eq!(
            parse(r#"{"kubernetes.io/fsGroup":"5"}"#).fs_group(),
            Some("5")
        );
        assert_eq!(
            parse(r#"{"kubernetes.io/mounterArgs.FsGroup":"6"}"#).fs_group(),
            Some("6")
        );
    }

    #[test]
    fn the_users_own_readonly_counts_in_any_case() {
        assert_eq!(parse(r#"{"ReadOnly":"True"}"#).access(), Access::ReadOnly);
        assert_eq!(
            parse(r#"{"readonly":"false","kubernetes.io/readwrite":"rw"}"#).access(),
            Access::ReadWrite
        );
    }

    #[test]
    fn what_is_not_an_object_of_strings_is_named() {
        for (text, part) in [
            ("[]", "they are an array"),
            ("\"x\"", "they are a string"),
            ("null", "they are null"),
            ("7", "they are a number"),
            ("{", "syntax error at line 1"),
            ("", "syntax error"),
            ("{} {}", "syntax error"),
            (r#"{"a":1}"#, "option \"a\" is a number, not a string"),
            (r#"{"a":null}"#, "option \"a\" is null, not a string"),
            (r#"{"a":{}}"#, "option \"a\" is an object, not a string"),
        ] {
            let message = refused(text);
            assert!(message.contains(part), "{text:?} gave {message:?}");
        }
    }

    #[test]
    fn duplicates_are_refused_in_any_case() {
        assert_eq!(
            refused(r#"{"a":"1","A":"2"}"#),
            "option \"A\" is given twice (case does not matter)"
        );
        assert_eq!(
            refused(r#"{"a":"1","a":"1"}"#),
            "option \"a\" is given twice (case does not matter)"
        );
    }

    #[test]
    fn more_secrets_than_a_call_may_bring_are_refused() {
        let one = |at: usize| format!("\"kubernetes.io/secret/{at}\":\"YQ==\"");
        let all: Vec<String> = (0..65).map(one).collect();
        let text = format!("{{{}}}", all.join(","));
        assert_eq!(
            refused(&text),
            "the call brings 65 secrets; 64 are the most"
        );
    }

    #[test]
    fn a_megabyte_is_refused() {
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
        assert!(refused(&text).contains("more than"));
    }

    #[test]
    fn no_message_shows_a_value() {
        for text in [
            r#"{"kubernetes.io/secret/p":"hunter2!"}"#,
            r#"{"p":"hunter2","p":"hunter2"}"#,
            r#"{"p":["hunter2"]}"#,
            r#"{"p":"hunter2""#,
            r#"{"kubernetes.io/readwrite":"hunter2"}"#,
            "\"hunter2\"",
        ] {
            assert!(!refused(text).contains("hunter2"), "{text}");
        }
    }
}
