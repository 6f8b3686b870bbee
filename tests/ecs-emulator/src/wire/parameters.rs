//! An action's parameters, read the way the API reads them.
//!
//! Everything is text: Python sends `True`, Node and Go send `true`; lists are flattened to `Tag.1.Key`. A
//! blank value counts as no value.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use crate::error::Refusal;

/// Parameters every request may carry, which say nothing about what is asked for.
const COMMON: [&str; 13] = [
    "Action",
    "Version",
    "Format",
    "AccessKeyId",
    "SignatureMethod",
    "SignatureVersion",
    "SignatureType",
    "SignatureNonce",
    "Signature",
    "Timestamp",
    "SecurityToken",
    "ClientToken",
    "RegionId",
];

/// Parameters that would let a reader of a log act as the sender.
const CONFIDENTIAL: [&str; 3] = ["Signature", "SecurityToken", "OIDCToken"];

/// The parameters of one request, from its query and its form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        (!value.is_empty()).then_some(value)
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)
            .ok_or_else(|| Refusal::missing_parameter(name))
    }

    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let parse = |text: &str| text.parse().map_err(|_| Refusal::invalid_parameter(name));
        self.text(name).map(parse).transpose()
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Refusal::invalid_parameter(name)),
        };
        self.text(name).map(parse).transpose()
    }

    /// A list in the form of a JSON array of strings. An empty array is a list, unlike an absent parameter.
    pub(crate) fn array(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let parse =
            |text: &str| serde_json::from_str(text).map_err(|_| Refusal::invalid_parameter(name));
        self.text(name).map(parse).transpose()
    }

    /// The values of `Name.1`, `Name.2` and so on, by number.
    pub(crate) fn numbered(&self, name: &str) -> Vec<&str> {
        let entry = |(key, value): (&String, _)| {
            let number = key.strip_prefix(name)?.strip_prefix('.')?;
            Some((number.parse().ok()?, value))
        };
        let found: BTreeMap<u32, &String> = self.0.iter().filter_map(entry).collect();
        found.into_values().map(String::as_str).collect()
    }

    /// The pairs of `Tag.1.Key` and `Tag.1.Value` and so on, by number.
    pub(crate) fn tags(&self) -> Vec<(&str, &str)> {
        let key = |(name, value)| -> Option<(u32, (&str, &str))> {
            let name: &String = name;
            let value: &String = value;
            let number = name.strip_prefix("Tag.")?.strip_suffix(".Key")?;
            let tag_value = self.0.get(&format!("Tag.{number}.Value"));
            let tag_value = tag_value.map(String::as_str).unwrap_or_default();
            Some((number.parse().ok()?, (value.as_str(), tag_value)))
        };
        let found: BTreeMap<u32, (&str, &str)> = self.0.iter().filter_map(key).collect();
        found.into_values().collect()
    }

    /// What is asked for, to tell a repeated request from another one with the same client token.
    pub(crate) fn wish(&self) -> BTreeMap<String, String> {
        let asks = |(name, _): &(&String, &String)| !COMMON.contains(&name.as_str());
        let own = |(name, value): (&String, &String)| (name.clone(), value.clone());
        self.0.iter().filter(asks).map(own).collect()
    }

    /// For the log.
    pub(crate) fn shown(&self) -> Value {
        let shown = |(name, _): &(&String, &String)| !CONFIDENTIAL.contains(&name.as_str());
        self.0
            .iter()
            .filter(shown)
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect()
    }

    /// Whether each of these parameters has this value.
    pub(crate) fn contain(&self, wanted: &BTreeMap<String, String>) -> bool {
        let same = |(name, value): (&String, &String)| self.0.get(name) == Some(value);
        wanted.iter().all(same)
    }
}

impl FromIterator<(String, String)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn booleans_are_read_in_either_case() {
        let read = parameters(&[("Encrypted", "False"), ("Force", "true"), ("DryRun", "1")]);
        assert_eq!(read.flag("Encrypted"), Ok(Some(false)));
        assert_eq!(read.flag("Force"), Ok(Some(true)));
        assert!(read.flag("DryRun").is_err());
        assert_eq!(read.flag("Absent"), Ok(None));
    }

    #[test]
    fn lists_are_ordered_by_number_and_not_by_text() {
        let read = parameters(&[
            ("ResourceId.10", "j"),
            ("ResourceId.2", "b"),
            ("ResourceIdx.1", "no"),
            ("Tag.2.Key", "k2"),
            ("Tag.1.Value", "v1"),
            ("Tag.1.Key", "k1"),
        ]);
        assert_eq!(read.numbered("ResourceId"), ["b", "j"]);
        assert_eq!(read.tags(), [("k1", "v1"), ("k2", "")]);
    }

    #[test]
    fn empty_array_is_not_an_absent_one() {
        assert_eq!(
            parameters(&[("DiskIds", "[]")]).array("DiskIds"),
            Ok(Some(vec![]))
        );
        assert_eq!(parameters(&[]).array("DiskIds"), Ok(None));
        assert!(parameters(&[("DiskIds", "d-1")]).array("DiskIds").is_err());
    }

    #[test]
    fn logged_parameters_hold_nothing_to_act_with() {
        let shown =
            parameters(&[("Signature", "s"), ("OIDCToken", "t"), ("DiskId", "d-1")]).shown();
        assert_eq!(shown, serde_json::json!({ "DiskId": "d-1" }));
    }
}
