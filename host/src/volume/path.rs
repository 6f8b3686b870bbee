//! Paths that callers give.

use std::path::{Path, PathBuf};

/// Where a volume is mounted once for the whole node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingPath(PathBuf);

/// Where a volume is mounted for one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPath(PathBuf);

/// Why a path given by a caller cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("path {path:?} must be absolute, and must not contain ., .. or control characters")]
pub struct PathError {
    path: String,
}

impl StagingPath {
    /// Accepts absolute paths without `.`, `..` or control characters.
    pub fn new(path: &str) -> Result<Self, PathError> {
        plain_absolute(path).map(Self)
    }

    /// The path itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl TargetPath {
    /// Accepts absolute paths without `.`, `..` or control characters.
    pub fn new(path: &str) -> Result<Self, PathError> {
        plain_absolute(path).map(Self)
    }

    /// The path itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

fn plain_absolute(path: &str) -> Result<PathBuf, PathError> {
    let mut plain = String::with_capacity(path.len());
    let mut is_dotted = false;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        is_dotted |= matches!(name, "." | "..");
        plain.push('/');
        plain.push_str(name);
    }
    let is_controlling = path.chars().any(char::is_control);
    if !path.starts_with('/') || plain.is_empty() || is_dotted || is_controlling {
        return Err(PathError {
            path: path.to_owned(),
        });
    }
    Ok(PathBuf::from(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_dotted_and_root_paths_are_refused() {
        for path in ["", "a", "/", "//", "/a/../b", "/a/./b", "../a", "/a\n/b"] {
            assert!(TargetPath::new(path).is_err(), "{path:?}");
            assert!(StagingPath::new(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn trailing_and_double_slashes_are_folded() {
        assert_eq!(
            TargetPath::new("/a//b/").map(|path| path.0),
            Ok(PathBuf::from("/a/b"))
        );
    }
}
