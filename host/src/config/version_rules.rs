//! `[versions]`: which versions of its component a driver may take up, when, and what ends one by itself.
//!
//! ```toml
//! [versions]
//! active = "DIGEST"                           # this one and no other, whatever sources offer
//! rejected = ["DIGEST"]                       # never
//! held = ["DIGEST"]                           # not before somebody activates it by name
//! activate-within = "10m"                     # each node at its own moment of that time; "now" for all at once
//!
//! [versions.rollback]
//! within = "10m"                              # after it became active
//! calls = 20                                  # fewer of them decide nothing
//! failures = "50%"                            # of them
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::ConfigError;
use super::section::Section;
use super::sha256_digest::digests;

/// `[versions]`. Digests are 64 lower-case hex digits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionRules {
    /// The version that serves, where the operator says so for all nodes.
    pub active: Option<String>,
    /// Versions that are never activated by themselves.
    pub rejected: Vec<String>,
    /// Versions that wait for somebody to activate them by name.
    pub held: Vec<String>,
    /// The time over which nodes spread an activation; zero: at once.
    pub activate_within: Duration,
    /// `[versions.rollback]`
    pub rollback: RollbackRule,
}

/// `[versions.rollback]`: when calls of a new version break down so often that the previous one comes back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollbackRule {
    /// How long after its activation its calls are counted.
    pub within: Duration,
    /// With fewer calls than that nothing is decided.
    pub calls: u32,
    /// The share of them that breaks down.
    pub failures_percent: u32,
}

impl Default for RollbackRule {
    fn default() -> Self {
        Self {
            // A bad build shows with its first calls; what shows later may be the backend's doing.
            within: Duration::from_secs(10 * 60),
            // One pod whose volume is broken makes some calls a minute, all of which fail.
            calls: 20,
            failures_percent: 50,
        }
    }
}

pub(super) fn version_rules(root: &mut Section<'_>) -> Result<VersionRules, ConfigError> {
    let Some(mut section) = root.section("versions")? else {
        return Ok(VersionRules::default());
    };
    let rules = VersionRules {
        active: active(&mut section)?,
        rejected: digests(&mut section, "rejected")?,
        held: digests(&mut section, "held")?,
        activate_within: activate_within(&mut section)?,
        rollback: rollback(&mut section)?,
    };
    refuse_contradictions(&section, &rules)?;
    section.finish()?;
    Ok(rules)
}

fn active(section: &mut Section<'_>) -> Result<Option<String>, ConfigError> {
    let Some(text) = section.string("active")? else {
        return Ok(None);
    };
    super::sha256_digest::digest(text)
        .map(Some)
        .map_err(|reason| section.bad("active", format!("is {reason}")))
}

fn activate_within(section: &mut Section<'_>) -> Result<Duration, ConfigError> {
    const KEY: &str = "activate-within";
    if section.string(KEY)? == Some("now") {
        return Ok(Duration::ZERO);
    }
    section.duration(KEY).map(Option::unwrap_or_default)
}

fn rollback(versions: &mut Section<'_>) -> Result<RollbackRule, ConfigError> {
    let defaults = RollbackRule::default();
    let Some(mut section) = versions.section("rollback")? else {
        return Ok(defaults);
    };
    let rule = RollbackRule {
        within: section.duration("within")?.unwrap_or(defaults.within),
        calls: section.count("calls")?.unwrap_or(defaults.calls),
        failures_percent: percent(&mut section, "failures")?.unwrap_or(defaults.failures_percent),
    };
    if rule.calls == 0 {
        return Err(section.bad("calls", "must be at least 1".to_owned()));
    }
    section.finish()?;
    Ok(rule)
}

/// `"50%"`
fn percent(section: &mut Section<'_>, key: &'static str) -> Result<Option<u32>, ConfigError> {
    let Some(text) = section.string(key)? else {
        return Ok(None);
    };
    let number = text
        .strip_suffix('%')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|percent| (1..=100).contains(percent));
    match number {
        Some(percent) => Ok(Some(percent)),
        None => Err(section.bad(
            key,
            format!("is {text:?}, which is not a share from \"1%\" to \"100%\""),
        )),
    }
}

/// A version cannot be wanted and refused at once: one of the two was forgotten when the other was written.
fn refuse_contradictions(section: &Section<'_>, rules: &VersionRules) -> Result<(), ConfigError> {
    let active = rules.active.iter().map(|digest| (digest, "active"));
    let rejected = rules.rejected.iter().map(|digest| (digest, "rejected"));
    let held = rules.held.iter().map(|digest| (digest, "held"));
    let mut seen: BTreeMap<&String, &str> = BTreeMap::new();
    for (digest, key) in active.chain(rejected).chain(held) {
        match seen.insert(digest, key) {
            Some(other) if other != key => {
                let reason = format!("names {digest}, which {other} names too; take it out of one");
                return Err(section.bad(key, reason));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const DIGEST: &str = "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865";

    fn parse(text: &str) -> Result<VersionRules, String> {
        let table: toml::Table = toml::from_str(&text.replace("DIGEST", DIGEST)).expect("TOML");
        version_rules(&mut Section::root(Path::new("/x.toml"), &table))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_rule_can_be_set() {
        let other = "0".repeat(64);
        let rules = parse(&format!(
            r#"
            [versions]
            active = "sha256:DIGEST"
            rejected = ["{other}"]
            held = ["{}"]
            activate-within = "10m"
            [versions.rollback]
            within = "1h"
            calls = 7
            failures = "1%"
            "#,
            "1".repeat(64)
        ))
        .expect("valid");
        let expected = VersionRules {
            active: Some(DIGEST.to_owned()),
            rejected: vec![other],
            held: vec!["1".repeat(64)],
            activate_within: Duration::from_secs(600),
            rollback: RollbackRule {
                within: Duration::from_secs(3600),
                calls: 7,
                failures_percent: 1,
            },
        };
        assert_eq!(rules, expected);
    }

    #[test]
    fn without_rules_a_new_version_is_activated_at_once_and_watched_for_ten_minutes() {
        for text in ["", "[versions]", "[versions]\nactivate-within = \"now\""] {
            assert_eq!(
                parse(text).expect("valid"),
                VersionRules::default(),
                "{text:?}"
            );
        }
        let defaults = VersionRules::default();
        assert_eq!(defaults.activate_within, Duration::ZERO);
        assert_eq!(defaults.rollback.within, Duration::from_secs(600));
    }

    #[test]
    fn rules_that_nothing_could_keep_are_refused() {
        for (text, part) in [
            (
                "[versions]\nactive = \"4355a46b\"",
                "versions.active is \"4355a46b\", which is not 64 lower-case hex digits",
            ),
            (
                "[versions]\nrejected = [\"DIGESt\"]",
                "versions.rejected holds \"DIGESt\", which is not 64 lower-case hex digits",
            ),
            (
                "[versions]\nactive = \"DIGEST\"\nrejected = [\"sha256:DIGEST\"]",
                "which active names too",
            ),
            (
                "[versions]\nrejected = [\"DIGEST\"]\nheld = [\"DIGEST\"]",
                "versions.held names 4355",
            ),
            (
                "[versions]\nactivate-within = \"soon\"",
                "versions.activate-within is \"soon\", which is not a duration",
            ),
            (
                "[versions.rollback]\ncalls = 0",
                "versions.rollback.calls must be at least 1",
            ),
            (
                "[versions.rollback]\nfailures = 50",
                "versions.rollback.failures must be a string",
            ),
            (
                "[versions.rollback]\nfailures = \"0%\"",
                "versions.rollback.failures is \"0%\", which is not a share",
            ),
            ("[versions.rollback]\nfailures = \"+5%\"", "not a share"),
            (
                "[versions.rollback]\nfailure = \"5%\"",
                "did you mean \"versions.rollback.failures\"?",
            ),
            (
                "[versions]\nreject = []",
                "did you mean \"versions.rejected\"?",
            ),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text:?} gave {error:?}");
        }
    }
}
