//! Parameters as they were written, read by name. Pure.
//!
//! An empty value is as good as none: templates leave such behind.

use crate::bindings::drivebay::driver::types::Error;

/// Parameters, or the keys of a place.
#[derive(Clone, Copy)]
pub(crate) struct Params<'a>(pub(crate) &'a [(String, String)]);

impl<'a> Params<'a> {
    /// The host spells keys as this guest describes them; volumes of old may say them otherwise.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self
            .0
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.trim_ascii()).filter(|value| !value.is_empty())
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        let Some(written) = self.get(name) else {
            return Ok(None);
        };
        match written.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Some(true)),
            "false" | "no" | "0" => Ok(Some(false)),
            _ => Err(malformed(name, written, "write true or false")),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(written) = self.get(name) else {
            return Ok(None);
        };
        match written.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(malformed(name, written, "write a whole number")),
        }
    }

    /// Words separated by commas; empty where there is nothing.
    pub(crate) fn words(&self, name: &str) -> Vec<&'a str> {
        let written = self.get(name).unwrap_or_default();
        written
            .split(',')
            .map(str::trim_ascii)
            .filter(|word| !word.is_empty())
            .collect()
    }

    /// Parameters whose names begin so, with the rest of their names.
    pub(crate) fn with_prefix(&self, prefix: &str) -> Vec<(&'a str, &'a str)> {
        let mut found = Vec::new();
        for (key, value) in self.0 {
            if let Some((start, rest)) = key.split_at_checked(prefix.len())
                && start.eq_ignore_ascii_case(prefix)
            {
                found.push((rest, value.as_str()));
            }
        }
        found
    }
}

/// A value that cannot be meant.
pub(crate) fn malformed(name: &str, written: &str, accepted: &str) -> Error {
    Error::InvalidArgument(format!("{name} \"{written}\": {accepted}"))
}

/// Words in a message, separated by commas.
pub(crate) fn add_word(words: &mut String, word: &str) {
    if !words.is_empty() {
        *words += ", ";
    }
    *words += word;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    #[test]
    fn keys_are_found_in_any_case_and_empty_values_are_none() {
        let pairs = pairs(&[("VolumeId", "d-1"), ("zoneId", " ")]);
        let params = Params(&pairs);
        assert_eq!(
            (params.get("volumeId"), params.get("zoneid")),
            (Some("d-1"), None)
        );
    }

    #[test]
    fn flags_and_numbers_are_checked() {
        let pairs = pairs(&[
            ("a", "True"),
            ("b", "0"),
            ("c", "maybe"),
            ("d", "12"),
            ("e", "-1"),
        ]);
        let params = Params(&pairs);
        assert_eq!(params.flag("a").expect("a flag"), Some(true));
        assert_eq!(params.flag("b").expect("a flag"), Some(false));
        assert_eq!(params.flag("z").expect("absent"), None);
        assert!(matches!(params.flag("c"), Err(Error::InvalidArgument(_))));
        assert_eq!(params.number("d").expect("a number"), Some(12));
        assert!(matches!(params.number("e"), Err(Error::InvalidArgument(_))));
    }

    #[test]
    fn lists_and_prefixes_are_taken_apart() {
        let pairs = pairs(&[("type", "a, b,,c"), ("DiskTags/k/1", "v"), ("disk", "x")]);
        let params = Params(&pairs);
        assert_eq!(params.words("type"), ["a", "b", "c"]);
        assert_eq!(params.with_prefix("diskTags/"), [("k/1", "v")]);
    }
}
