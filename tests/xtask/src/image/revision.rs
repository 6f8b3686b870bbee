//! Which state of the source an image is made of. Its date stands where others have the time of the build, so that the
//! same state makes the same image.

use crate::process::{answer, command};
use crate::workspace::Workspace;

/// As git knows it.
pub(super) struct Revision {
    /// None where there is no git, or where the tree has changes that no commit has.
    pub(super) commit: Option<String>,
    /// When it was committed, in UTC; the beginning of time where nobody knows.
    pub(super) date: String,
}

impl Revision {
    pub(super) fn of(workspace: &Workspace) -> Self {
        let git = |arguments: &[&str]| {
            let mut git = command("git");
            git.current_dir(workspace.root()).env("TZ", "UTC");
            let answer = answer(git.args(arguments)).ok()?;
            Some(answer.trim().to_owned())
        };
        let is_clean = git(&["status", "--porcelain"]).is_some_and(|changes| changes.is_empty());
        let commit = git(&["rev-parse", "HEAD"]).filter(|_| is_clean);
        let date = ["show", "--no-patch", "--format=%cd"];
        let format = "--date=format-local:%Y-%m-%dT%H:%M:%SZ";
        let date = git(&[&date[..], &[format]].concat());
        Self {
            commit,
            date: date.unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned()),
        }
    }
}
