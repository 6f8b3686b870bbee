//! Versions of NFS: which may be tried for a volume, and in which order.

use std::cell::Cell;

use drivebay_guest::prelude::*;

/// A version as the kernel's `vers` option spells it.
pub(crate) type Version = &'static str;

/// What users may write: an exact version, or `4` for the newest minor version that both sides have. NFS 2
/// is gone from every kernel that runs Kubernetes.
pub(crate) const ACCEPTED: &str = "3, 4, 4.0, 4.1 or 4.2";

/// As `mount.nfs` negotiates.
pub(crate) const NEWEST_FIRST: [Version; 4] = ["4.2", "4.1", "4.0", "3"];

pub(crate) const THREE_FIRST: [Version; 4] = ["3", "4.2", "4.1", "4.0"];

pub(crate) fn is_4(version: Version) -> bool {
    version.starts_with('4')
}

/// Whether `written` means `version`.
pub(crate) fn means(written: &str, version: Version) -> bool {
    written == version || (written == "4" && is_4(version))
}

/// Whether `written` means any version.
pub(crate) fn is_known(written: &str) -> bool {
    NEWEST_FIRST.iter().any(|version| means(written, version))
}

/// The versions that may be tried, in that order.
#[derive(Debug)]
pub(crate) struct Versions {
    candidates: Vec<Version>,
    /// How many of them were refused: what is unsupported once is not tried again for the next directory.
    refused: Cell<usize>,
}

impl Versions {
    pub(crate) fn new(candidates: Vec<Version>) -> Self {
        Self {
            candidates,
            refused: Cell::new(0),
        }
    }

    /// Those that were not refused yet.
    pub(crate) fn remaining(&self) -> &[Version] {
        self.candidates
            .get(self.refused.get()..)
            .unwrap_or_default()
    }

    /// Mount with the first version that both sides know.
    ///
    /// Only `unsupported` leads to the next one. `mount.nfs` also goes on to NFS 3 where NFS 4 finds no such
    /// path; here the user decides, because a volume without locks between nodes must not come about unnoticed.
    pub(crate) fn negotiate<T>(
        &self,
        mount: impl Fn(Version) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut refusals = String::from("no version of NFS that both sides have");
        while let [version, later @ ..] = self.remaining() {
            match mount(version) {
                Err(Error::Unsupported(reason)) => {
                    refusals += &format!("; {version}: {reason}");
                    self.refused.update(|refused| refused + 1);
                }
                Err(Error::NotFound(reason)) if later.contains(&"3") => {
                    bail!(NotFound: "{reason}; if NFS 3 knows the path, write vers 3, or the path as NFS {version} \
                        has it");
                }
                answer => return answer,
            }
        }
        Err(Error::Unsupported(refusals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn tried(
        versions: &Versions,
        answer: impl Fn(Version) -> Result<(), Error>,
    ) -> (Vec<Version>, Result<(), Error>) {
        let tried = RefCell::new(Vec::new());
        let result = versions.negotiate(|version| {
            tried.borrow_mut().push(version);
            answer(version)
        });
        (tried.into_inner(), result)
    }

    fn all() -> Versions {
        Versions::new(NEWEST_FIRST.to_vec())
    }

    fn since_4_0(version: Version) -> Result<(), Error> {
        match version {
            "4.2" | "4.1" => Err(Error::Unsupported("too new".into())),
            _ => Ok(()),
        }
    }

    #[test]
    fn plain_4_means_every_minor_version() {
        let meant: Vec<_> = NEWEST_FIRST
            .into_iter()
            .filter(|version| means("4", version))
            .collect();
        assert_eq!(meant, ["4.2", "4.1", "4.0"]);
    }

    #[test]
    fn an_exact_version_means_itself() {
        assert!(means("4.0", "4.0") && !means("4.0", "4.1") && !means("3", "4.0"));
    }

    #[test]
    fn other_versions_are_not_known() {
        for written in ["", "2", "4.3", "5", "4.", "v4"] {
            assert!(!is_known(written), "{written}");
        }
    }

    #[test]
    fn negotiation_stops_at_the_first_version_both_sides_know() {
        let (versions, result) = tried(&all(), since_4_0);
        assert_eq!(versions, ["4.2", "4.1", "4.0"]);
        assert!(result.is_ok());
    }

    #[test]
    fn a_version_that_was_refused_is_not_tried_again() {
        let versions = all();
        tried(&versions, since_4_0).1.unwrap();
        assert_eq!(tried(&versions, since_4_0).0, ["4.0"]);
    }

    #[test]
    fn a_missing_share_is_not_looked_for_in_other_versions() {
        let (versions, result) = tried(&all(), |_| Err(Error::NotFound("gone".into())));
        assert_eq!(versions, ["4.2"]);
        assert!(
            matches!(result, Err(Error::NotFound(message)) if message.contains("write vers 3"))
        );
    }

    #[test]
    fn a_server_that_knows_no_version_is_told_with_every_reason() {
        let refuse = |version: Version| Err(Error::Unsupported(format!("no {version}")));
        let (_, result) = tried(&all(), refuse);
        let reasons = "; 4.2: no 4.2; 4.1: no 4.1; 4.0: no 4.0; 3: no 3";
        assert!(matches!(result, Err(Error::Unsupported(message)) if message.ends_with(reasons)));
    }
}
