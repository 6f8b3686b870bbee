//! A granted directory, and the files in its `.drivebay` that say what is in it.

use crate::bindings::drivebay::driver::files::Directory;
use crate::bindings::drivebay::driver::mounts;
use crate::bindings::drivebay::driver::types::Error;
use crate::state::{Claim, Record};

/// Where our own files are. No volume's name begins with a dot.
const STATE: &str = ".drivebay";

/// Ids of the nodes that may use this pool, one a line; the operator's file. Without it, all may.
const NODES: &str = ".drivebay/nodes";

/// An open pool.
pub(crate) struct Pool {
    name: String,
    pub(crate) directory: Directory,
}

impl Pool {
    pub(crate) fn open(name: &str) -> Result<Self, Error> {
        Ok(Self {
            name: name.into(),
            directory: mounts::open_directory(name)?,
        })
    }

    /// Whether the volume is there. A listing is all that the contract has for that question.
    pub(crate) fn holds(&self, volume: &str) -> Result<bool, Error> {
        match self.directory.readdir(volume) {
            Ok(_) | Err(Error::Exhausted(_)) => Ok(true),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `not-found` if the volume is not there.
    pub(crate) fn require(&self, volume: &str) -> Result<(), Error> {
        if self.holds(volume)? {
            return Ok(());
        }
        Err(Error::NotFound(format!(
            "pool {} has no volume {volume}",
            self.name
        )))
    }

    /// The volumes made for claims, sorted.
    pub(crate) fn volumes(&self) -> Result<Vec<String>, Error> {
        let entries = match self.directory.readdir(STATE) {
            Err(Error::NotFound(_)) => return Ok(Vec::new()),
            entries => entries?,
        };
        let files = entries.iter().filter(|entry| entry.kind == "file");
        let mut volumes: Vec<String> = files
            .filter_map(|entry| entry.name.strip_suffix(".record"))
            .map(String::from)
            .collect();
        volumes.sort();
        Ok(volumes)
    }

    pub(crate) fn record(&self, volume: &str) -> Result<Option<Record>, Error> {
        self.state(&record_of(volume), Record::from_bytes)
    }

    /// Write the first record of a volume. `in-progress`: another call was faster; its retry will agree.
    pub(crate) fn add_record(&self, volume: &str, record: &Record) -> Result<(), Error> {
        match self.create(&record_of(volume), &record.to_bytes()) {
            Err(Error::AlreadyExists(_)) => Err(in_progress(volume)),
            answer => answer,
        }
    }

    pub(crate) fn replace_record(&self, volume: &str, record: &Record) -> Result<(), Error> {
        self.directory
            .write_file(&record_of(volume), &record.to_bytes())
    }

    pub(crate) fn remove_record(&self, volume: &str) -> Result<(), Error> {
        self.directory.remove_tree(&record_of(volume))
    }

    pub(crate) fn claim(&self, volume: &str) -> Result<Option<Claim>, Error> {
        self.state(&claim_of(volume), Claim::from_bytes)
    }

    /// Claim the volume, unless there is a claim: that one is returned. The host makes a file only if there is
    /// none, so of two nodes one gets it.
    pub(crate) fn add_claim(&self, volume: &str, claim: &Claim) -> Result<Claim, Error> {
        match self.create(&claim_of(volume), &claim.to_bytes()) {
            Ok(()) => Ok(claim.clone()),
            Err(Error::AlreadyExists(_)) => self.claim(volume)?.ok_or_else(|| in_progress(volume)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn remove_claim(&self, volume: &str) -> Result<(), Error> {
        self.directory.remove_tree(&claim_of(volume))
    }

    /// Whether the operator lets the node use this pool.
    pub(crate) fn admits(&self, node: &str) -> Result<bool, Error> {
        let listed = self.state(NODES, |bytes| String::from_utf8(bytes).ok())?;
        Ok(listed.is_none_or(|nodes| nodes.lines().any(|line| line == node)))
    }

    fn create(&self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.directory.mkdir(STATE, 0o700)?;
        self.directory.create_file(path, content)
    }

    /// Read one of our files; nothing where there is none.
    fn state<T>(
        &self,
        path: &str,
        parse: impl Fn(Vec<u8>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.directory.read_file(path) {
            Ok(bytes) => match parse(bytes) {
                Some(state) => Ok(Some(state)),
                None => Err(Error::Internal(format!(
                    "cannot read {path} of pool {}: it is corrupt",
                    self.name
                ))),
            },
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn record_of(volume: &str) -> String {
    format!("{STATE}/{volume}.record")
}

fn claim_of(volume: &str) -> String {
    format!("{STATE}/{volume}.claim")
}

fn in_progress(volume: &str) -> Error {
    Error::InProgress(format!("another call is at work on volume {volume}"))
}
