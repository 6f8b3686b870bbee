//! Origins: scheme, host and port, and nothing else.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Where requests go. Written by the operator alone; no guest ever names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// Why a text is no origin, with an example of one that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an origin: {reason}; examples: \"https://ecs.example.com\", \"https://10.0.0.7:8443\", \"http://[fd00::1]\""
)]
pub struct OriginError {
    text: String,
    reason: &'static str,
}

impl Origin {
    /// The name or address to look up, IPv6 without brackets.
    pub fn host(&self) -> &str {
        self.host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(&self.host)
    }

    /// The port, the scheme's own where none was written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the `host` header says: without the scheme's own port (RFC 9110 section 4.2.3).
    pub fn authority(&self) -> String {
        match self.port == self.scheme.port() {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.authority())
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| OriginError {
            text: text.to_owned(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Origin, &'static str> {
    let (scheme, authority) = text.split_once("://").ok_or("it has no scheme")?;
    let scheme = match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err("its scheme is neither https nor http"),
    };
    if authority.contains(['/', '?', '#', '@']) {
        return Err("it has more than scheme, host and port");
    }
    // The colons of an IPv6 address are inside brackets.
    let behind = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[behind..].find(':') {
        None => (authority, scheme.port()),
        Some(at) => {
            let (host, port) = authority.split_at(behind + at);
            (host, parse_port(&port[1..])?)
        }
    };
    Ok(Origin {
        scheme,
        host: parse_host(host)?,
        port,
    })
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    let digits = text.chars().all(|c| c.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|port| digits && *port > 0)
        .ok_or("its port is not a number from 1 to 65535")
}

/// Lower case, an address in its shortest form: what a certificate and a `host` header are compared with.
fn parse_host(text: &str) -> Result<String, &'static str> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Option<Ipv6Addr> = inner
            .strip_suffix(']')
            .and_then(|address| address.parse().ok());
        return address
            .map(|address| format!("[{address}]"))
            .ok_or("what stands in brackets is not an IPv6 address");
    }
    if let Ok(IpAddr::V4(address)) = text.parse() {
        return Ok(address.to_string());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(plain);
    match text.len() <= 253 && text.split('.').all(label) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("its host is neither a name nor an address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_host_a_port_and_an_authority() {
        for (text, host, port, authority) in [
            (
                "https://ECS.example.com",
                "ecs.example.com",
                443,
                "ecs.example.com",
            ),
            ("https://a.b:443", "a.b", 443, "a.b"),
            (
                "http://100.100.100.200",
                "100.100.100.200",
                80,
                "100.100.100.200",
            ),
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
            (
                "https://[FD00:0::1]:8443",
                "fd00::1",
                8443,
                "[fd00::1]:8443",
            ),
            ("https://[::1]", "::1", 443, "[::1]"),
        ] {
            let origin: Origin = text.parse().expect(text);
            assert_eq!(
                (origin.host(), origin.port(), origin.authority().as_str()),
                (host, port, authority)
            );
        }
        let origin: Origin = "https://x:443".parse().expect("an origin");
        assert_eq!(origin.to_string(), "https://x");
    }

    #[test]
    fn anything_more_or_less_is_refused() {
        for text in [
            "",
            "ecs.example.com",
            "ftp://x",
            "HTTPS://x",
            "https://",
            "https://x/",
            "https://x/path",
            "https://x?y",
            "https://x#y",
            "https://user@x",
            "https://x:0",
            "https://x:+1",
            "https://x:65536",
            "https://x:",
            "https://a..b",
            "https://a b",
            "https://ä",
            "https://[::1",
            "https://[::1]x",
            "https://[127.0.0.1]",
            "https://::1",
            "https://x\r\nhost: y",
        ] {
            let error = text.parse::<Origin>().expect_err(text);
            assert!(error.to_string().contains("examples"), "{error}");
        }
    }
}
