//! Patterns for remote mount sources: `SERVER:PATH`.
//!
//! `SERVER` is a name, `*.suffix`, an address, a CIDR range (IPv6 in brackets) or `*`. `PATH` is an exact
//! path, or ends in `/**` for itself and everything beneath. A range is matched against the address that
//! the mount will really use, so a name cannot be re-pointed past it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::address_range::AddressRange;
use super::path::PathPattern;

/// One granted source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePattern {
    text: String,
    server: ServerPattern,
    path: PathPattern,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ServerPattern {
    Any,
    Name(String),
    Suffix(String),
    Range(AddressRange),
}

/// Why a pattern is none, with an example of one that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a source pattern: {reason}; examples: \"10.0.0.0/8:/exports/**\", \"[fd00::/8]:/**\", \"*.example.com:/data\""
)]
pub struct SourcePatternError {
    text: String,
    reason: &'static str,
}

impl SourcePattern {
    /// Whether the source could be allowed, its address not yet known.
    pub fn could_match(&self, server: &str, path: &str) -> bool {
        let server = match (&self.server, server.parse::<IpAddr>()) {
            (ServerPattern::Range(_), Err(_)) => true,
            (_, Ok(address)) => self.server.matches(server, address),
            (ServerPattern::Any, Err(_)) => true,
            (ServerPattern::Name(name), Err(_)) => name.eq_ignore_ascii_case(server),
            (ServerPattern::Suffix(suffix), Err(_)) => has_suffix(server, suffix),
        };
        server && self.path.matches(path)
    }

    /// Whether the source is allowed from that address.
    pub fn matches(&self, server: &str, address: IpAddr, path: &str) -> bool {
        self.server.matches(server, address) && self.path.matches(path)
    }
}

impl ServerPattern {
    fn matches(&self, server: &str, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => name.eq_ignore_ascii_case(server),
            Self::Suffix(suffix) => has_suffix(server, suffix),
            Self::Range(range) => range.contains(address),
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(suffix) = text.strip_prefix("*.") {
            return Ok(Self::Suffix(suffix.to_owned()));
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        let (address, prefix) = match bare.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (bare, None),
        };
        match (address.parse::<IpAddr>(), prefix) {
            (Ok(address), prefix) => AddressRange::new(address, prefix).map(Self::Range),
            (Err(_), None) if !text.is_empty() && !text.contains(['*', '[']) => {
                Ok(Self::Name(text.to_owned()))
            }
            (Err(_), _) => Err("the server is neither a name, an address, a range, *.suffix nor *"),
        }
    }
}

impl FromStr for SourcePattern {
    type Err = SourcePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |reason| SourcePatternError {
            text: text.to_owned(),
            reason,
        };
        // Brackets keep the colons and the slash of an IPv6 range apart from what separates the path.
        let bracket = if text.starts_with('[') {
            text.find(']').unwrap_or(0)
        } else {
            0
        };
        let at = text[bracket..]
            .find(":/")
            .map(|at| bracket + at)
            .ok_or_else(|| fail("there is no ':/' between server and path"))?;
        let (server, path) = (&text[..at], &text[at + 1..]);
        Ok(Self {
            text: text.to_owned(),
            server: ServerPattern::parse(server).map_err(fail)?,
            path: path.parse().map_err(fail)?,
        })
    }
}

impl fmt::Display for SourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn has_suffix(server: &str, suffix: &str) -> bool {
    let server = server.to_ascii_lowercase();
    server
        .strip_suffix(&suffix.to_ascii_lowercase())
        .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> SourcePattern {
        text.parse().expect("a pattern")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_range_judges_the_address_and_not_the_name() {
        let range = pattern("10.0.0.0/8:/exports/**");
        assert!(range.matches("filer", ip("10.9.8.7"), "/exports/a"));
        assert!(!range.matches("filer", ip("11.0.0.1"), "/exports/a"));
        assert!(range.could_match("filer", "/exports"));
        assert!(!range.could_match("11.0.0.1", "/exports"));
    }

    #[test]
    fn a_mapped_address_counts_as_the_ipv4_address_it_is() {
        assert!(pattern("10.0.0.0/8:/**").matches("x", ip("::ffff:10.0.0.1"), "/a"));
        assert!(!pattern("[::/0]:/**").matches("x", ip("::ffff:10.0.0.1"), "/a"));
    }

    #[test]
    fn ranges_of_every_length_are_possible() {
        assert!(pattern("0.0.0.0/0:/**").matches("x", ip("203.0.113.1"), "/"));
        assert!(pattern("[::/0]:/**").matches("x", ip("fd00::1"), "/"));
        assert!(pattern("192.0.2.7:/a").matches("x", ip("192.0.2.7"), "/a"));
        assert!(!pattern("192.0.2.7:/a").matches("x", ip("192.0.2.8"), "/a"));
    }

    #[test]
    fn a_suffix_covers_sub_domains_only() {
        let suffix = pattern("*.example.com:/**");
        assert!(suffix.could_match("nas.Example.com", "/a"));
        assert!(!suffix.could_match("example.com", "/a"));
        assert!(!suffix.could_match("evilexample.com", "/a"));
    }

    #[test]
    fn beneath_covers_the_directory_itself_but_no_look_alike() {
        let beneath = pattern("*:/exports/a/**");
        assert!(beneath.could_match("x", "/exports/a"));
        assert!(beneath.could_match("x", "/exports/a/b"));
        assert!(!beneath.could_match("x", "/exports/ab"));
        assert!(pattern("*:/**").could_match("x", "/"));
        assert!(pattern("*:/a]b/**").could_match("x", "/a]b/c"));
    }

    #[test]
    fn broken_patterns_teach_the_form() {
        for text in [
            "",
            "server",
            "server:path",
            "10.0.0.1/8:/a",
            "10.0.0.0/33:/a",
            "a*b:/x",
            "*:/a/*/b",
            "*:/a**",
        ] {
            let error = text.parse::<SourcePattern>().expect_err(text);
            assert!(error.to_string().contains("examples"), "{error}");
        }
    }
}
