//! Why one of the operator's files cannot be used: file, key and reason.

use std::path::PathBuf;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "what the fields are is in the messages")]
pub enum ConfigError {
    #[error("cannot read {}", file.display())]
    Unreadable {
        file: PathBuf,
        source: std::io::Error,
    },
    /// Someone other than root could have written it.
    #[error("{} is not trusted: {reason}", file.display())]
    Untrusted { file: PathBuf, reason: String },
    #[error("{} is not valid TOML: {reason}", file.display())]
    Syntax { file: PathBuf, reason: String },
    #[error("{}: unknown key {key:?}{}", file.display(), hint(nearest.as_deref()))]
    UnknownKey {
        file: PathBuf,
        key: String,
        nearest: Option<String>,
    },
    /// It stands in paths, metrics, logs and commands.
    #[error(
        "{} cannot name a driver: without .toml its name has to be ASCII letters, digits, \"-\", \"_\" and \".\", with no dot in front",
        file.display()
    )]
    Name { file: PathBuf },
    #[error("{}: {key} {reason}", file.display())]
    BadValue {
        file: PathBuf,
        key: String,
        reason: String,
    },
    #[error("{} and {} both serve {name}", first.display(), second.display())]
    Duplicate {
        first: PathBuf,
        second: PathBuf,
        name: String,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest
        .map(|key| format!("; did you mean {key:?}?"))
        .unwrap_or_default()
}
