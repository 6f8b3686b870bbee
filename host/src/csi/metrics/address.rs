//! Where a process tells how it is: an address, or a Unix socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The operator's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsAddress {
    /// Plain HTTP for everybody who can reach it.
    Tcp(SocketAddr),
    /// Root's alone.
    Unix(PathBuf),
}

/// Why an address cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address for metrics; write IP:PORT, or unix:///absolute/path")]
pub struct MetricsAddressError {
    text: String,
}

impl FromStr for MetricsAddress {
    type Err = MetricsAddressError;

    fn from_str(text: &str) -> Result<Self, MetricsAddressError> {
        let wrong = || MetricsAddressError {
            text: text.to_owned(),
        };
        let Some(path) = text.strip_prefix("unix:") else {
            return text.parse().map(Self::Tcp).map_err(|_| wrong());
        };
        let path = Path::new(path.strip_prefix("//").unwrap_or(path));
        let is_plain = path.is_absolute()
            && path.file_name().is_some()
            && !path.components().any(|part| part.as_os_str() == "..");
        match is_plain {
            true => Ok(Self::Unix(path.to_owned())),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_socket_is_understood_and_shown_as_it_is_written() {
        for text in [
            "127.0.0.1:9808",
            "[::1]:9808",
            "unix:///run/drivebay/health.sock",
        ] {
            let address: MetricsAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
        let short: MetricsAddress = "unix:/run/health".parse().expect("a socket");
        assert_eq!(short, MetricsAddress::Unix("/run/health".into()));
    }

    #[test]
    fn anything_else_is_refused_with_both_forms() {
        for text in [
            "",
            "9808",
            ":9808",
            "localhost:9808",
            "/run/health.sock",
            "unix://health.sock",
            "unix:///run/../health.sock",
            "unix:///",
        ] {
            let error = text.parse::<MetricsAddress>().expect_err(text).to_string();
            assert!(error.contains("IP:PORT") && error.contains("unix:///"));
        }
    }
}
