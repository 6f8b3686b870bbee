//! What there is in a model, for all calls of a dry run.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::http_tape::{HttpTape, HttpTapeError, proposal};
use super::kept::Kept;
use super::staging::Staging;
use crate::broker::https::percent_encoded;
use crate::worker::{Fault, FaultKind, HttpsMessage, HttpsResponse};

/// Of every name that nobody said anything else of; it is nobody's (RFC 5737).
pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A model; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Model(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: ModelSettings,
    kept: Mutex<Kept>,
    tape: HttpTape,
    /// Lines that the tape lacks.
    missing: Mutex<Vec<String>>,
    staging: Mutex<Option<Staging>>,
    backend: Mutex<Backend>,
}

/// What a model is made of.
#[derive(Debug)]
pub(crate) struct ModelSettings {
    /// Where its directories lie, and what it keeps.
    pub(crate) directory: PathBuf,
    pub(crate) granted: Granted,
    pub(crate) servers: Servers,
    /// Addresses of servers whose names the grants judge by them.
    pub(crate) hosts: BTreeMap<String, IpAddr>,
    /// Disks that are there from the beginning: serial numbers, and sizes in bytes.
    pub(crate) devices: Vec<(String, u64)>,
    /// What servers answer, as [`HttpTape::parse`] takes it.
    pub(crate) tape: Option<String>,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    #[error("cannot read what was kept of an earlier dry run")]
    Kept(#[from] io::Error),
    #[error(transparent)]
    Tape(#[from] HttpTapeError),
}

/// What the component may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granted {
    /// What a driver's file says.
    ByFile,
    /// Whatever it asks for: nobody has written a file yet.
    AsAsked,
}

/// Whether what is behind the component answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Backend {
    /// As there is something in the model.
    #[default]
    Answers,
    /// Nobody does.
    Away,
}

/// Who answers in the place of servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Servers {
    /// The model.
    #[default]
    Modelled,
    /// Those that the grants lead to: what they have cannot be told from outside.
    Real,
}

impl Model {
    /// With what was kept there before.
    pub(crate) fn open(mut settings: ModelSettings) -> Result<Self, ModelError> {
        let mut kept = Kept::read(&settings.directory.join(FILE))?;
        for (serial, size_bytes) in std::mem::take(&mut settings.devices) {
            let disk = kept.devices.entry(serial).or_default();
            disk.size_bytes = disk.size_bytes.max(size_bytes);
        }
        let tape = settings.tape.take().unwrap_or_default();
        Ok(Self(Arc::new(Shared {
            settings,
            kept: Mutex::new(kept),
            tape: HttpTape::parse(&tape)?,
            missing: Mutex::default(),
            staging: Mutex::default(),
            backend: Mutex::default(),
        })))
    }

    /// For the next operation.
    pub(crate) fn keep(&self) -> io::Result<()> {
        self.kept().write(&self.0.settings.directory.join(FILE))
    }

    /// What a server answers.
    pub(super) fn exchange(&self, message: &HttpsMessage) -> Result<HttpsResponse, Fault> {
        self.0.tape.answer(message).ok_or_else(|| {
            let line = proposal(message);
            let mut missing = lock(&self.0.missing);
            if !missing.contains(&line) {
                missing.push(line);
            }
            let (method, sender) = (&message.method, &message.sender);
            let reason = format!("no line of the tape answers this {method} ({sender})");
            Fault::new(FaultKind::Unreachable, reason)
        })
    }

    /// Lines that the tape lacked since this was asked last, each as it could be written.
    pub(crate) fn missing_lines(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.0.missing))
    }

    /// From now on.
    pub(crate) fn set_backend(&self, backend: Backend) {
        *lock(&self.0.backend) = backend;
    }

    pub(super) fn backend(&self) -> Backend {
        *lock(&self.0.backend)
    }

    /// The volume that is being staged now.
    pub(super) fn staging(&self) -> MutexGuard<'_, Option<Staging>> {
        lock(&self.0.staging)
    }

    /// What is there now.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.0.kept)
    }

    pub(super) fn granted(&self) -> Granted {
        self.0.settings.granted
    }

    pub(super) fn servers(&self) -> Servers {
        self.0.settings.servers
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

/// A panic elsewhere leaves it as it was.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

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
            servers: Servers::Modelled,
            hosts: BTreeMap::new(),
            devices: Vec::new(),
            tape: None,
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
