//! Keys from this node: files and variables, read anew for each call.
//!
//! A key that is not there is `denied`: without it nobody is let in, and nothing was asked.

use std::path::Path;

use zeroize::Zeroizing;

use super::key::Key;
use crate::error::DriverError;
use crate::grant::{EnvironmentSource, FileSource};
use crate::sys;
use crate::volume::Secret;

pub(super) fn from_files(name: &str, source: &FileSource) -> Result<Key, DriverError> {
    Ok(Key {
        id: text(name, &source.id)?,
        secret: secret(name, &source.secret)?,
        session_token: source
            .session_token
            .as_deref()
            .map(|file| secret(name, file))
            .transpose()?,
        expires: None,
    })
}

/// `read` gets a variable's value; a parameter, because tests cannot set variables.
pub(super) fn from_environment(
    name: &str,
    source: &EnvironmentSource,
    read: impl Fn(&str) -> Option<String>,
) -> Result<Key, DriverError> {
    let value = |variable: &str| {
        read(variable)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                DriverError::denied(format!(
                    "cannot use key {name}: the variable {variable} is not set, or is not text"
                ))
            })
    };
    let secret = |variable: &str| value(variable).map(|value| Secret::new(value.into_bytes()));
    Ok(Key {
        id: value(&source.id)?,
        secret: secret(&source.secret)?,
        session_token: source.session_token.as_deref().map(secret).transpose()?,
        expires: None,
    })
}

/// A file's content without the blanks and line ends that editors leave around it.
pub(super) fn secret(name: &str, file: &Path) -> Result<Secret, DriverError> {
    let content = content(name, file)?;
    let trimmed = content.trim_ascii();
    match trimmed.is_empty() {
        false => Ok(Secret::new(trimmed.to_vec())),
        true => Err(DriverError::denied(format!(
            "cannot use key {name}: {} is empty",
            file.display()
        ))),
    }
}

fn text(name: &str, file: &Path) -> Result<String, DriverError> {
    let bytes = secret(name, file)?;
    String::from_utf8(bytes.reveal().to_vec()).map_err(|_| {
        DriverError::denied(format!(
            "cannot use key {name}: {} is not text",
            file.display()
        ))
    })
}

fn content(name: &str, file: &Path) -> Result<Zeroizing<Vec<u8>>, DriverError> {
    sys::read_key_file(file).map_err(|error| {
        DriverError::denied(format!("cannot use key {name}: {}", file.display())).caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Condition;
    use std::fs;

    #[test]
    fn files_are_read_without_what_editors_add() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            fs::write(&path, content).expect("written");
            path
        };
        let mut source = FileSource {
            id: file("id", "  LTAI4\n"),
            secret: file("secret", "s3cret\r\n"),
            session_token: None,
        };
        let key = from_files("access-key", &source).expect("a key");
        assert_eq!(key.id, "LTAI4");
        assert_eq!(key.secret.reveal(), b"s3cret");
        source.session_token = Some(file("token", "tok\n"));
        let key = from_files("access-key", &source).expect("a key");
        assert_eq!(key.session_token, Some(Secret::new(b"tok".to_vec())));
        file("secret", "another");
        let key = from_files("access-key", &source).expect("a key");
        assert_eq!(key.secret.reveal(), b"another");
    }

    #[test]
    fn a_missing_or_empty_file_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let empty = directory.path().join("empty");
        fs::write(&empty, "\n").expect("written");
        for file in [empty, directory.path().join("missing")] {
            let source = FileSource {
                id: file.clone(),
                secret: file.clone(),
                session_token: None,
            };
            let error = from_files("access-key", &source).expect_err("no key");
            assert_eq!(error.condition(), Condition::Denied);
            let said = error.chain();
            assert!(said.contains(&*file.to_string_lossy()), "{said}");
        }
    }

    #[test]
    fn variables_are_read_and_a_missing_one_is_named() {
        let mut source = EnvironmentSource {
            id: "ID".into(),
            secret: "SECRET".into(),
            session_token: None,
        };
        let read = |variable: &str| match variable {
            "ID" => Some("LTAI4".to_owned()),
            "SECRET" => Some("s3cret".to_owned()),
            _ => Some(String::new()),
        };
        let key = from_environment("access-key", &source, read).expect("a key");
        assert_eq!(
            (key.id.as_str(), key.secret.reveal()),
            ("LTAI4", &b"s3cret"[..])
        );
        source.session_token = Some("TOKEN".into());
        let error = from_environment("access-key", &source, read).expect_err("empty");
        assert_eq!(
            error.to_string(),
            "cannot use key access-key: the variable TOKEN is not set, or is not text"
        );
    }
}
