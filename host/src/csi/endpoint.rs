//! Where callers find us: a Unix socket, and nothing beside it.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// A Unix socket's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(PathBuf);

/// Why an endpoint cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "endpoint {text:?} is not a Unix socket; write unix:///absolute/path/csi.sock (CSI wants the name to end with .sock)"
)]
pub struct EndpointError {
    text: String,
}

impl Endpoint {
    /// Accepts `unix:///path/csi.sock`, the shorter `unix:/path/csi.sock`, and the bare path that
    /// `CSI_ENDPOINT` may hold. Also `unix://path/csi.sock`: drivers written in Go take what follows the two
    /// slashes and begin it with another, and manifests are written so.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let path = path_in(text);
        let fits = path.starts_with('/')
            && path.ends_with(".sock")
            && !path.split('/').any(|part| part == "..");
        match fits {
            true => Ok(Self(PathBuf::from(path.as_ref()))),
            false => Err(EndpointError {
                text: text.to_owned(),
            }),
        }
    }

    /// Where the socket is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn path_in(text: &str) -> Cow<'_, str> {
    match text.strip_prefix("unix://") {
        // A name alone is a mistake rather than a socket in the root directory.
        Some(path) if !path.starts_with('/') && path.contains('/') => format!("/{path}").into(),
        Some(path) => path.into(),
        None => text.strip_prefix("unix:").unwrap_or(text).into(),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.0.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_of_a_socket_is_understood() {
        for text in [
            "unix:///csi/csi.sock",
            "unix:/csi/csi.sock",
            "unix:////csi/csi.sock",
            "unix://csi/csi.sock",
            "/csi/csi.sock",
        ] {
            let endpoint = Endpoint::parse(text).expect("a socket");
            let path = endpoint.path().components();
            assert!(path.eq(Path::new("/csi/csi.sock").components()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in [
            "",
            "tcp://0.0.0.0:9000",
            "csi.sock",
            "csi/csi.sock",
            "unix://csi.sock",
            "unix:csi/csi.sock",
            "unix://../csi/csi.sock",
            "/csi/csi",
            "/a/../csi.sock",
        ] {
            let error = Endpoint::parse(text).expect_err("not a socket");
            assert!(error.to_string().contains("unix:///absolute/path/csi.sock"));
        }
    }
}
