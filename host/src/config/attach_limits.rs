//! `[attach-limit]`: how many volumes a node can have, by what machine it is.
//!
//! ```toml
//! [attach-limit]
//! otherwise = 15                              # types that are not listed; without it the backend is asked
//!
//! [attach-limit.instance-types]               # `drivebay attach-limits DRIVER` prints them
//! "ecs.g7.large" = 16
//! ```

use std::collections::BTreeMap;

use super::ConfigError;
use super::section::Section;

/// `[attach-limit]`. No number is 0, which would say to CSI that there is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachLimits {
    /// By the backend's names of machine types.
    pub instance_types: BTreeMap<String, u32>,
    /// For types that are not listed.
    pub otherwise: Option<u32>,
}

impl AttachLimits {
    /// Whether the operator gave none.
    pub fn is_empty(&self) -> bool {
        self.instance_types.is_empty() && self.otherwise.is_none()
    }

    /// For a machine of that type.
    pub fn of(&self, instance_type: &str) -> Option<u32> {
        self.instance_types
            .get(instance_type)
            .copied()
            .or(self.otherwise)
    }
}

pub(super) fn attach_limits(root: &mut Section<'_>) -> Result<AttachLimits, ConfigError> {
    let Some(mut section) = root.section("attach-limit")? else {
        return Ok(AttachLimits::default());
    };
    let otherwise = section.count("otherwise")?;
    if otherwise == Some(0) {
        return Err(section.bad("otherwise", no_limit()));
    }
    let mut instance_types = BTreeMap::new();
    for (name, count) in section.named_counts("instance-types")? {
        if count == 0 {
            return Err(section.bad(&format!("instance-types.{name:?}"), no_limit()));
        }
        instance_types.insert(name.to_owned(), count);
    }
    section.finish()?;
    Ok(AttachLimits {
        instance_types,
        otherwise,
    })
}

fn no_limit() -> String {
    "is 0, which would say that there is no limit; give at least 1".to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse_driver;
    use super::*;

    fn parse(text: &str) -> Result<AttachLimits, String> {
        let text = format!("component = \"x\"\n{text}");
        parse_driver(Path::new("/etc/drivebay/drivers.d/x.toml"), &text)
            .map(|config| config.attach_limits)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_listed_type_has_its_number_and_others_what_is_left_to_them() {
        let listed = "[attach-limit.instance-types]\n\"ecs.g7.large\" = 16\n";
        let limits = parse(listed).expect("valid");
        assert_eq!(limits.of("ecs.g7.large"), Some(16));
        assert_eq!(limits.of("ecs.g8i.large"), None);
        let limits = parse(&format!("[attach-limit]\notherwise = 7\n{listed}")).expect("valid");
        assert_eq!(limits.of("ecs.g7.large"), Some(16));
        assert_eq!(limits.of("ecs.g8i.large"), Some(7));
        let inline = "[attach-limit]\ninstance-types = { \"ecs.g7.large\" = 16 }";
        assert_eq!(parse(inline).expect("valid").of("ecs.g7.large"), Some(16));
        assert!(parse("").expect("valid").is_empty());
    }

    #[test]
    fn what_would_be_no_limit_or_no_number_is_refused_by_its_key() {
        for (text, part) in [
            ("otherwise = 0", "attach-limit.otherwise is 0"),
            (
                "otherwise = -1",
                "attach-limit.otherwise must be a whole number",
            ),
            (
                "instance-types = { \"ecs.g7.large\" = 0 }",
                "attach-limit.instance-types.\"ecs.g7.large\" is 0",
            ),
            (
                "instance-types = { \"ecs.g7.large\" = \"16\" }",
                "must be a whole number, not string",
            ),
            ("types = {}", "unknown key \"attach-limit.types\""),
        ] {
            let error = parse(&format!("[attach-limit]\n{text}")).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
