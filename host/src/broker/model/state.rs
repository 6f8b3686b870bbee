//! What there is in a model, for all calls of a dry run.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kept::Kept;
use crate::broker::https::percent_encoded;

/// Of every name that nobody said anything else of; it is nobody's (RFC 5737).
pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A model; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Model(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: ModelSettings,
    kept: Mutex<Kept>,
}

/// What a model is made of.
#[derive(Debug)]
pub(crate) struct ModelSettings {
    /// Where its directories lie, and what it keeps.
    pub(crate) directory: PathBuf,
    pub(crate) granted: Granted,
    /// Addresses of servers whose names the grants judge by them.
    pub(crate) hosts: BTreeMap<String, IpAddr>,
}

/// What the component may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granted {
    /// What a driver's file says.
    ByFile,
    /// Whatever it asks for: nobody has written a file yet.
    AsAsked,
}

impl Model {
    /// With what was kept there before.
    pub(crate) fn open(settings: ModelSettings) -> io::Result<Self> {
        let kept = Kept::read(&settings.directory.join(FILE))?;
        Ok(Self(Arc::new(Shared {
            settings,
            kept: Mutex::new(kept),
        })))
    }

    /// For the next operation.
    pub(crate) fn keep(&self) -> io::Result<()> {
        self.kept().write(&self.0.settings.directory.join(FILE))
    }

    /// A panic elsewhere leaves it as it was.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn granted(&self) -> Granted {
        self.0.settings.granted
    }

    /// What a name is looked up as.
    pub(super) fn address(&self, host: &str) -> IpAddr {
        let told = self.0.settings.hosts.get(host);
        told.copied().unwrap_or(ADDRESS)
    }

    /// Where the directory lies that is granted under that name.
    pub(super) fn directory(&self, name: &str) -> PathBuf {
        Self::directory_in(&self.0.settings.directory, name)
    }

    /// The same of a model in that directory.
    pub(crate) fn directory_in(model: &Path, name: &str) -> PathBuf {
        model.join("directories").join(file_name(name))
    }

    /// Where that server's directories lie.
    pub(super) fn server(&self, name: &str) -> PathBuf {
        let name = file_name(&name.to_ascii_lowercase());
        self.0.settings.directory.join("shares").join(name)
    }

    pub(super) fn is_beneath(&self, path: &Path) -> bool {
        path.starts_with(&self.0.settings.directory)
    }
}

const FILE: &str = "model.json";

/// A guest says the name: it is one of a directory, whatever is in it.
fn file_name(name: &str) -> String {
    match name {
        "" | "." | ".." => format!("%{name}"),
        name => percent_encoded(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_guest_says_is_one_of_a_directory() {
        let model = Model::open(ModelSettings {
            directory: "/model".into(),
            granted: Granted::AsAsked,
            hosts: BTreeMap::new(),
        });
        let model = model.expect("nothing is kept");
        let parent = Path::new("/model/directories");
        for name in ["pool", "a/b", "../x", "..", ".", "", "\u{ff0e}\0/", "%2e"] {
            let path = model.directory(name);
            assert_eq!(path.parent(), Some(parent), "{name:?}");
            assert!(path.file_name().is_some(), "{name:?}");
        }
        assert_ne!(model.directory(".."), model.directory("."));
    }
}
