//! Paths of guests, and the open parent in which their last component is worked on.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use nix::errno::Errno;

use super::openat2::{Crossing, crossing, open_directory_beneath};
use super::partial_name::is_partial;
use crate::worker::errno::{kind_of, reason};
use crate::worker::{Fault, FaultKind};

/// One name in an open directory. The name is a single component, so nothing done to it leads out.
#[derive(Debug)]
pub(crate) struct ResolvedPath {
    pub(crate) parent: OwnedFd,
    pub(crate) name: OsString,
    /// As the guest wrote it, for messages.
    pub(crate) path: String,
}

impl ResolvedPath {
    /// Opens the parent, which must exist; the name itself need not.
    pub(crate) fn of(dir: &Dir, path: &str) -> Result<Self, Fault> {
        Self::reached(dir, path, Crossing::Allowed)
    }

    /// The same for what may be removed: its parent is on the filesystem that the directory is on.
    pub(crate) fn on_same_filesystem(dir: &Dir, path: &str) -> Result<Self, Fault> {
        Self::reached(dir, path, Crossing::Refused)
    }

    fn reached(dir: &Dir, path: &str, across: Crossing) -> Result<Self, Fault> {
        let parts = named_parts(path)?;
        let above = parts.parent().unwrap_or(Path::new(""));
        let parent = open_directory_beneath(dir.as_fd(), above, across)
            .map_err(|error| unreached("open the parent of", path, error))?;
        let name = parts.file_name().unwrap_or_default().to_owned();
        Ok(Self {
            parent,
            name,
            path: path.to_owned(),
        })
    }
}

/// Why a directory on the way was not opened. A symlink there is whoever's could write to the directory it lies in: a
/// pod's, that leads into a neighbour's volume.
pub(crate) fn unreached(attempt: &str, path: &str, error: rustix::io::Errno) -> Fault {
    match error {
        rustix::io::Errno::LOOP => Fault::new(
            FaultKind::Denied,
            format!(
                "cannot {attempt} {path:?}: a symlink is on the way, and none is followed; name the directory that it leads to"
            ),
        ),
        rustix::io::Errno::XDEV => crossing(Path::new(path)),
        error => failed(attempt, path, error),
    }
}

/// The components of a relative path; empty for the directory itself.
pub(super) fn parts(path: &str) -> Result<PathBuf, Fault> {
    let refused =
        |kind, why: &str| Err(Fault::new(kind, format!("path {path:?} is refused: {why}")));
    if path.chars().any(char::is_control) {
        return refused(FaultKind::Invalid, "it holds a control character");
    }
    if path.starts_with('/') {
        return refused(FaultKind::Denied, "it is absolute");
    }
    let mut parts = PathBuf::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        match part {
            ".." => return refused(FaultKind::Denied, "it leads out through .."),
            "." => return refused(FaultKind::Invalid, "it holds a . component"),
            part if is_partial(part.as_bytes()) => {
                return refused(
                    FaultKind::Denied,
                    "such names are the host's own, for work that is not finished",
                );
            }
            part => parts.push(part),
        }
    }
    Ok(parts)
}

/// As [`parts`], for what needs a name.
pub(super) fn named_parts(path: &str) -> Result<PathBuf, Fault> {
    let parts = parts(path)?;
    if parts.as_os_str().is_empty() {
        return Err(Fault::new(
            FaultKind::Denied,
            "an empty path is the directory itself, which this operation does not take",
        ));
    }
    Ok(parts)
}

/// What was attempted on what, and why it failed.
pub(crate) fn failed(
    attempt: &str,
    path: impl AsRef<Path> + Debug,
    error: impl Into<io::Error>,
) -> Fault {
    let error = error.into();
    let path = shown(path.as_ref());
    // Ours, on its way through what reads and writes.
    if let Some(fault) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Fault>())
    {
        return Fault::new(
            fault.kind,
            format!("cannot {attempt} {path}: {}", fault.message),
        );
    }
    if let Some(code) = error.raw_os_error() {
        let errno = Errno::from_raw(code);
        return Fault::new(
            kind_of(errno),
            format!("cannot {attempt} {path}: {}", reason(errno)),
        );
    }
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "kinds that libraries use are few"
    )]
    let kind = match error.kind() {
        // cap-std's word for a path that leads out.
        io::ErrorKind::PermissionDenied => FaultKind::Denied,
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            FaultKind::Invalid
        }
        _ => FaultKind::Other,
    };
    Fault::new(kind, format!("cannot {attempt} {path}: {error}"))
}

/// Trees of pods can be deeper than any message should be long.
fn shown(path: &Path) -> String {
    const LONGEST: usize = 300;
    let text = path.to_string_lossy();
    match text.char_indices().nth_back(LONGEST) {
        Some((at, _)) => format!("{:?}", format!("…{}", &text[at..])),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_relative_paths_are_taken_apart() {
        assert_eq!(parts("a//b/"), Ok(PathBuf::from("a/b")));
        assert_eq!(parts(""), Ok(PathBuf::new()));
        assert_eq!(named_parts(".hidden/..x"), Ok(PathBuf::from(".hidden/..x")));
    }

    #[test]
    fn what_leads_out_is_denied_by_its_text_alone() {
        for path in [
            "/",
            "/a",
            "..",
            "a/..",
            "../a",
            "a/../../b",
            "a/.x.drivebay-partial",
        ] {
            assert_eq!(
                parts(path).expect_err(path).kind,
                FaultKind::Denied,
                "{path:?}"
            );
        }
        for path in [".", "./a", "a/./b", "a\0b", "a\nb", "\u{85}"] {
            assert_eq!(
                parts(path).expect_err(path).kind,
                FaultKind::Invalid,
                "{path:?}"
            );
        }
        assert_eq!(named_parts("").expect_err("empty").kind, FaultKind::Denied);
    }

    #[test]
    fn a_refusal_names_the_path() {
        assert!(
            parts("a/../b")
                .expect_err("refused")
                .message
                .contains("\"a/../b\"")
        );
    }
}
