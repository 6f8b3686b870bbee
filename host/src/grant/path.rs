//! Patterns for paths, of remote mounts and of requests alike.

use std::fmt;
use std::str::FromStr;

/// An exact path, or one that ends in `/**`: itself and everything beneath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// That path alone.
    Exact(String),
    /// That path and what lies beneath it.
    Beneath(String),
}

impl PathPattern {
    /// Whether the path is one of those meant; it holds no `..` by then.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == path,
            Self::Beneath(parent) => path
                .strip_prefix(parent.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

impl FromStr for PathPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('/') {
            return Err("the path does not begin with /");
        }
        match text.strip_suffix("/**") {
            Some(parent) if !parent.contains('*') => Ok(Self::Beneath(parent.to_owned())),
            None if !text.contains('*') => Ok(Self::Exact(text.to_owned())),
            _ => Err("the only wildcard in a path is /** at its end"),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Beneath(parent) => write!(f, "{parent}/**"),
        }
    }
}
