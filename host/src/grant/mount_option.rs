//! Mount options that may be used: by name whatever their value, or with one value.

use std::str::FromStr;

use super::security_label::{is_label, takes_label, unquoted};

/// One that the operator wrote: `noatime`, `rsize` with any value, `sec=sys` with that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedOption {
    name: String,
    value: Option<String>,
}

/// All of a driver's, under the key that they stand at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantedOptions(Vec<GrantedOption>);

impl GrantedOption {
    /// Without its value.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The one value that is allowed; none where any is.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// As the operator wrote it.
    pub fn text(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.name),
            None => self.name.clone(),
        }
    }

    fn allows(&self, name: &str, value: Option<&str>) -> bool {
        let value = match takes_label(name) {
            true => value.map(unquoted),
            false => value,
        };
        self.name == name && (self.value.is_none() || self.value.as_deref() == value)
    }
}

impl GrantedOptions {
    /// In the operator's order.
    pub fn iter(&self) -> impl Iterator<Item = &GrantedOption> {
        self.0.iter()
    }

    /// Whether the option may be used with that value, or without one.
    ///
    /// # Errors
    /// What was asked for, and what the key named `key` has instead.
    pub(super) fn allow(
        &self,
        key: &str,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), (String, String)> {
        if self.iter().any(|granted| granted.allows(name, value)) {
            return Ok(());
        }
        let of_name = self.iter().filter(|granted| granted.name == name);
        let others: Vec<String> = of_name.map(GrantedOption::text).collect();
        let (asked, has) = match others.is_empty() {
            true => (name.to_owned(), format!("{key} lacks {name:?}")),
            false => {
                let asked = value.map_or(name.to_owned(), |value| format!("{name}={value}"));
                (asked, format!("{key} has {}", quoted(&others)))
            }
        };
        Err((format!("mount option {asked:?}"), has))
    }
}

fn quoted(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    texts.join(", ")
}

impl FromIterator<GrantedOption> for GrantedOptions {
    fn from_iter<I: IntoIterator<Item = GrantedOption>>(options: I) -> Self {
        Self(options.into_iter().collect())
    }
}

/// Why a text is no mount option, with examples of some that are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} can match no mount option: {reason}; examples: \"noatime\", \"rsize\" (with any value), \"sec=sys\" (with this one)"
)]
pub struct GrantedOptionError {
    text: String,
    reason: &'static str,
}

impl FromStr for GrantedOption {
    type Err = GrantedOptionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |reason| GrantedOptionError {
            text: text.to_owned(),
            reason,
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let label = value.filter(|_| takes_label(name));
        if label.is_none() && text.contains(',') {
            return Err(fail("it holds a comma; write each option by itself"));
        }
        if label.is_some_and(|value| !is_label(&format!("\"{}\"", unquoted(value)))) {
            return Err(fail("its value is no label of SELinux's"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(fail("it holds blanks"));
        }
        if name.is_empty() || value == Some("") {
            return Err(fail("its name or its value is empty"));
        }
        Ok(Self {
            name: name.to_owned(),
            value: label.map(unquoted).or(value).map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(texts: &[&str]) -> GrantedOptions {
        let parse = |text: &&str| text.parse::<GrantedOption>().expect(text);
        texts.iter().map(parse).collect()
    }

    fn refusal(texts: &[&str], name: &str, value: Option<&str>) -> String {
        let refused = granted(texts).allow("key", name, value);
        let (scope, grant) = refused.expect_err("not granted");
        format!("{scope}: {grant}")
    }

    #[test]
    fn a_name_allows_every_value_and_a_value_itself() {
        let granted = granted(&["sec=sys", "sec=krb5", "rsize", "noatime"]);
        for (name, value) in [
            ("sec", Some("sys")),
            ("sec", Some("krb5")),
            ("rsize", Some("4096")),
            ("noatime", None),
        ] {
            assert_eq!(granted.allow("key", name, value), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_label_is_granted_by_name_or_as_it_is_with_quotes_or_without() {
        let label = "system_u:object_r:container_file_t:s0:c1,c2";
        let quoted = format!("\"{label}\"");
        for grant in [
            "context".to_owned(),
            format!("context={label}"),
            format!("context={quoted}"),
        ] {
            let granted = granted(&[&grant]);
            assert_eq!(
                granted.allow("key", "context", Some(&quoted)),
                Ok(()),
                "{grant}"
            );
            assert!(granted.allow("key", "fscontext", Some(&quoted)).is_err());
        }
        let other = refusal(
            &["context=system_u:object_r:nfs_t:s0"],
            "context",
            Some(&quoted),
        );
        assert!(
            other.ends_with("key has \"context=system_u:object_r:nfs_t:s0\""),
            "{other}"
        );
    }

    #[test]
    fn what_is_not_granted_is_named_with_what_is() {
        assert_eq!(
            refusal(&["sec=sys", "sec=krb5"], "sec", Some("none")),
            "mount option \"sec=none\": key has \"sec=sys\", \"sec=krb5\""
        );
        assert_eq!(
            refusal(&["sec=sys"], "sec", None),
            "mount option \"sec\": key has \"sec=sys\""
        );
        assert_eq!(
            refusal(&["sec=sys"], "soft", None),
            "mount option \"soft\": key lacks \"soft\""
        );
        // No other spelling of the value is the value.
        for value in ["SYS", "sys:krb5", "sys ", ""] {
            refusal(&["sec=sys"], "sec", Some(value));
        }
    }

    #[test]
    fn what_can_match_nothing_is_no_grant() {
        for text in [
            "",
            "a,b",
            "a b",
            "=x",
            "sec=",
            "noatime\n",
            "hard,nolock",
            "context=a,b",
            "context=a:b:c,suid=\"",
        ] {
            let error = text.parse::<GrantedOption>().expect_err(text);
            assert!(error.to_string().contains("examples"), "{error}");
        }
    }
}
