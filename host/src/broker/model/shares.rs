//! What servers have: directories beneath one of the model's.
//!
//! What is asked for first of a server is taken for an export that is there, and is empty. Beneath it there is what guests
//! made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::state::Model;
use crate::worker::{Fault, FaultKind, Remote};

impl Model {
    /// The directory that stands for what is mounted from a server.
    pub(super) fn share(&self, remote: &Remote) -> Result<PathBuf, Fault> {
        let server = self.server(&remote.server);
        let path: PathBuf = names(&remote.path).collect();
        let exported = format!("{}/{}", remote.server, path.display());
        let directory = server.join(&path);
        if self.has_exported_above(&remote.server, &path) {
            return there(&server, &path, remote).map(|()| directory);
        }
        fs::create_dir_all(&directory).map_err(|error| {
            let message = format!("cannot make {} for a dry run: {error}", directory.display());
            Fault::new(FaultKind::of(&error), message)
        })?;
        self.kept().exports.insert(exported);
        Ok(directory)
    }

    fn has_exported_above(&self, server: &str, path: &Path) -> bool {
        let kept = self.kept();
        let mut above = path.ancestors();
        above.any(|above| {
            let exported = format!("{server}/{}", above.display());
            kept.exports.contains(&exported)
        })
    }
}

/// Nobody follows a link there: it could lead out of the model.
fn there(server: &Path, path: &Path, remote: &Remote) -> Result<(), Fault> {
    let missing = |kind, reason: &dyn std::fmt::Display| {
        let message = format!("cannot mount {}: {reason}", remote.source_text());
        Err(Fault::new(kind, message))
    };
    let mut here = server.to_owned();
    for name in path {
        here.push(name);
        match fs::symlink_metadata(&here) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return missing(FaultKind::Invalid, &"Not a directory"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return missing(FaultKind::NotFound, &"No such file or directory");
            }
            Err(error) => return missing(FaultKind::of(&error), &error),
        }
    }
    Ok(())
}

/// The broker has refused names that lead elsewhere.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::broker::model::state::{ADDRESS, Granted, ModelSettings, Servers};

    fn model(directory: &Path) -> Model {
        let settings = ModelSettings {
            directory: directory.to_owned(),
            granted: Granted::AsAsked,
            servers: Servers::Modelled,
            hosts: BTreeMap::new(),
            devices: Vec::new(),
            tape: None,
        };
        Model::open(settings).expect("nothing is kept")
    }

    fn remote(server: &str, path: &str) -> Remote {
        Remote {
            fs_type: "nfs".into(),
            server: server.into(),
            address: ADDRESS,
            client: None,
            path: path.into(),
            options: Vec::new(),
            secrets: Vec::new(),
        }
    }

    #[test]
    fn what_is_asked_for_first_is_there_and_beneath_it_what_was_made() {
        let directory = tempfile::tempdir().expect("a directory");
        let model = model(directory.path());
        let export = model
            .share(&remote("filer", "/export/a"))
            .expect("the first");
        assert!(export.is_dir());
        let beneath = remote("filer", "/export/a/b/");
        let fault = model.share(&beneath).expect_err("nobody made it");
        assert_eq!(fault.kind, FaultKind::NotFound);
        assert_eq!(
            fault.message,
            "cannot mount filer:/export/a/b/: No such file or directory"
        );
        fs::create_dir(export.join("b")).expect("ours");
        assert_eq!(model.share(&beneath), Ok(export.join("b")));
        assert!(model.share(&remote("filer", "/other")).is_ok());
        assert!(model.share(&remote("another", "/export/a/b")).is_ok());
    }

    #[test]
    fn a_link_on_a_share_leads_nowhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let model = model(directory.path());
        let export = model.share(&remote("filer", "/export")).expect("the first");
        symlink("/etc", export.join("link")).expect("ours");
        for path in ["/export/link", "/export/link/ssl"] {
            let fault = model.share(&remote("filer", path)).expect_err("a link");
            assert_eq!(fault.kind, FaultKind::Invalid, "{path}");
        }
    }
}
