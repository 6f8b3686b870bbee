//! `[grants.https.NAME]`, read.
//!
//! ```toml
//! [grants.https.ecs]
//! origin = "https://ecs.{region}.example.com" # scheme, host, port if another than the scheme's; http only here
//! region = "cn-hangzhou"                      # fills {region}; what guests are told
//! methods = ["POST"]                          # required
//! paths = ["/", "/v1/**"]                     # required; exact, or with everything beneath
//! addresses = ["10.0.0.0/8"]                  # besides public ones; a metadata service by its exact address only
//! ca = "ca.pem"                               # besides the platform's; root's alone to write; beside this file
//! rate = 600                                  # requests a minute, of all processes of the machine
//! timeout = "15s"                             # one request, look-up and TLS included
//! max-response = "1Mi"                        # of an answer's body, at most 16Mi
//! ```

use std::time::Duration;

use crate::config::ConfigError;
use crate::config::section::Section;
use crate::grant::{
    AddressGrant, AddressRange, Capability, HttpsGrant, Method, Origin, PathPattern,
};

/// Ten a second is what a busy driver needs, and far below what clouds begin to refuse at.
const RATE: u32 = 600;

/// A cloud's API answers in a second or two; what takes longer is asked again.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A page of a hundred disks has some hundred kilobytes.
const MAX_RESPONSE: usize = 1 << 20;

/// The body is held whole, three times over, on its way to the guest.
const MAX_MAX_RESPONSE: usize = 16 << 20;

pub(super) fn grant(name: &str, mut section: Section<'_>) -> Result<HttpsGrant, ConfigError> {
    let region = section.string("region")?.map(str::to_owned);
    let grant = HttpsGrant {
        name: name.to_owned(),
        origin: origin(&mut section, region.as_deref())?,
        region,
        methods: methods(&mut section)?,
        paths: paths(&mut section)?,
        addresses: addresses(&mut section, Capability::Https, name)?,
        ca: section.file("ca")?,
        rate: rate(&mut section)?,
        timeout: section.duration("timeout")?.unwrap_or(TIMEOUT),
        max_response_bytes: max_response(&mut section)?,
    };
    section.finish()?;
    Ok(grant)
}

/// The origin with the region filled in.
pub(super) fn origin(
    section: &mut Section<'_>,
    region: Option<&str>,
) -> Result<Origin, ConfigError> {
    const PLACEHOLDER: &str = "{region}";
    let text = section
        .string("origin")?
        .ok_or_else(|| section.missing("origin"))?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let text = match region {
        None if text.contains(PLACEHOLDER) => return Err(section.missing("region")),
        None => text.to_owned(),
        // A region with a dot or a slash in it would be another host.
        Some(region) if region.is_empty() || !region.chars().all(plain) => {
            let reason =
                format!("is {region:?}; only lower-case letters, digits and dashes are allowed");
            return Err(section.bad("region", reason));
        }
        Some(region) => text.replace(PLACEHOLDER, region),
    };
    text.parse()
        .map_err(|error| section.bad("origin", format!("is wrong: {error}")))
}

/// Addresses besides the public ones.
pub(super) fn addresses(
    section: &mut Section<'_>,
    capability: Capability,
    name: &str,
) -> Result<AddressGrant, ConfigError> {
    let texts = section.strings("addresses")?.unwrap_or_default();
    let range = |text: &str| -> Result<AddressRange, ConfigError> {
        text.parse().map_err(|reason| {
            let reason = format!(
                "holds {text:?}: {reason}; examples: \"10.0.0.0/8\", \"100.100.100.200\", \"fd00::/8\""
            );
            section.bad("addresses", reason)
        })
    };
    Ok(AddressGrant {
        capability,
        key: format!("grants.{}.{name}.addresses", capability.name()),
        ranges: texts.into_iter().map(range).collect::<Result<_, _>>()?,
    })
}

fn methods(section: &mut Section<'_>) -> Result<Vec<Method>, ConfigError> {
    let method = |section: &Section<'_>, name: &str| {
        Method::from_name(name).ok_or_else(|| {
            let known: Vec<_> = Method::ALL.into_iter().map(Method::name).collect();
            section.bad(
                "methods",
                format!("holds {name:?}, which is none of {known:?}"),
            )
        })
    };
    let names = not_empty(section, "methods")?;
    names
        .into_iter()
        .map(|name| method(section, name))
        .collect()
}

fn paths(section: &mut Section<'_>) -> Result<Vec<PathPattern>, ConfigError> {
    let texts = not_empty(section, "paths")?;
    let pattern = |text: &str| {
        text.parse()
            .map_err(|reason| section.bad("paths", format!("holds {text:?}: {reason}")))
    };
    texts.into_iter().map(pattern).collect()
}

fn not_empty<'a>(
    section: &mut Section<'a>,
    key: &'static str,
) -> Result<Vec<&'a str>, ConfigError> {
    match section.strings(key)? {
        None => Err(section.missing(key)),
        Some(list) if list.is_empty() => Err(section.bad(key, "must not be empty".to_owned())),
        Some(list) => Ok(list),
    }
}

fn rate(section: &mut Section<'_>) -> Result<u32, ConfigError> {
    match section.count("rate")? {
        Some(0) => Err(section.bad("rate", "must not be 0".to_owned())),
        rate => Ok(rate.unwrap_or(RATE)),
    }
}

fn max_response(section: &mut Section<'_>) -> Result<usize, ConfigError> {
    match section.bytes("max-response")? {
        Some(bytes) if bytes > MAX_MAX_RESPONSE => {
            Err(section.bad("max-response", "is larger than \"16Mi\"".to_owned()))
        }
        bytes => Ok(bytes.unwrap_or(MAX_RESPONSE)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::tests::{grants, refusal};
    use super::*;

    const LEAST: &str = r#"
        [grants.https.ecs]
        origin = "https://ecs.{region}.example.com"
        region = "cn-hangzhou"
        methods = ["POST"]
        paths = ["/"]
    "#;

    #[test]
    fn what_has_to_be_written_is_enough() {
        let grant = grants(LEAST).https.remove("ecs").expect("granted");
        assert_eq!(
            grant.origin.to_string(),
            "https://ecs.cn-hangzhou.example.com"
        );
        assert_eq!(grant.region.as_deref(), Some("cn-hangzhou"));
        assert_eq!(
            (grant.rate, grant.timeout, grant.max_response_bytes),
            (600, Duration::from_secs(15), 1 << 20)
        );
        assert_eq!((grant.addresses.ranges.len(), grant.ca), (0, None));
    }

    #[test]
    fn everything_can_be_written() {
        let text = format!(
            "{LEAST}\naddresses = [\"10.0.0.0/8\", \"100.100.100.200\"]\nca = \"/etc/ca.pem\"\nrate = 7\ntimeout = \"3s\"\nmax-response = \"64KiB\""
        );
        let grant = grants(&text).https.remove("ecs").expect("granted");
        assert_eq!(grant.addresses.key, "grants.https.ecs.addresses");
        assert_eq!(grant.addresses.ranges.len(), 2);
        assert_eq!(grant.ca, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(
            (grant.rate, grant.timeout, grant.max_response_bytes),
            (7, Duration::from_secs(3), 64 << 10)
        );
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_key() {
        for (from, to, error) in [
            (
                "methods = [\"POST\"]",
                "",
                "grants.https.ecs.methods is missing",
            ),
            (
                "[\"POST\"]",
                "[]",
                "grants.https.ecs.methods must not be empty",
            ),
            (
                "\"POST\"",
                "\"CONNECT\"",
                "grants.https.ecs.methods holds \"CONNECT\"",
            ),
            ("paths = [\"/\"]", "", "grants.https.ecs.paths is missing"),
            (
                "[\"/\"]",
                "[\"v1\"]",
                "grants.https.ecs.paths holds \"v1\": the path does not begin with /",
            ),
            (
                "[\"/\"]",
                "[\"/*/x\"]",
                "the only wildcard in a path is /** at its end",
            ),
            (
                "region = \"cn-hangzhou\"",
                "",
                "grants.https.ecs.region is missing",
            ),
            (
                "\"cn-hangzhou\"",
                "\"evil.com/\"",
                "grants.https.ecs.region is \"evil.com/\"",
            ),
            (
                "example.com",
                "example.com/path",
                "grants.https.ecs.origin is wrong",
            ),
            (
                "paths",
                "rate = 0\npaths",
                "grants.https.ecs.rate must not be 0",
            ),
            (
                "paths",
                "max-response = \"17MiB\"\npaths",
                "grants.https.ecs.max-response is larger than",
            ),
            (
                "paths",
                "addresses = [\"10.0.0.1/8\"]\npaths",
                "grants.https.ecs.addresses holds \"10.0.0.1/8\": the address has bits set",
            ),
            (
                "paths",
                "ca = \"../ca.pem\"\npaths",
                "grants.https.ecs.ca is \"../ca.pem\", which is neither an absolute path nor one beneath the directory",
            ),
            (
                "paths",
                "adresses = []\npaths",
                "unknown key \"grants.https.ecs.adresses\"; did you mean \"grants.https.ecs.addresses\"?",
            ),
            (
                "https.ecs",
                "https.\"a/b\"",
                "grants.https.a/b is not a plain name",
            ),
        ] {
            let said = refusal(&LEAST.replace(from, to));
            assert!(said.contains(error), "{said} lacks {error}");
        }
    }
}
