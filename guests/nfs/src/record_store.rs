//! Records on the share, beneath its `.drivebay`.
//!
//! ```text
//! volumes/KEY              one for each volume, by the key of its name
//! snapshots/KEY            the same for snapshots
//! directories/KEY/KEY      which volumes use a directory
//! inside/KEY/KEY           which volumes' directories lie inside it
//! indexed                  that `inside` has all of them: there was a time without it
//! ```

use crate::bindings::drivebay::driver::types::Error;
use crate::name::{self, key};
use crate::record::Record;
use crate::tree::{Tree, missing_is_none};

/// For root alone: a record decides what is deleted.
pub(crate) const MODE: u32 = 0o700;

/// The records of a share.
pub(crate) struct Store<'a> {
    pub(crate) tree: &'a dyn Tree,
    /// The share, or with a slash at its end a directory of it that is a share of its own.
    pub(crate) root: String,
}

impl<'a> Store<'a> {
    pub(crate) fn of(tree: &'a dyn Tree) -> Self {
        Self {
            tree,
            root: String::new(),
        }
    }

    /// What is known about a name.
    pub(crate) fn named<R: Record>(&self, name: &str) -> Result<Option<R>, Error> {
        self.record(&key(name))
    }

    /// What is known of what an id shows, if the record agrees that it is it.
    pub(crate) fn shown<R: Record>(
        &self,
        shown: &str,
        is_it: impl Fn(&R) -> bool,
    ) -> Result<Option<R>, Error> {
        for key in name::keys(shown) {
            let record = self.record(&key)?;
            if let Some(record) = record.filter(|record| is_it(record)) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Write the first record of a name, unless there is one: of two who try, both get the one that came first.
    pub(crate) fn add<R: Record>(&self, name: &str, record: R) -> Result<R, Error> {
        let hidden = self.hidden();
        self.tree.make_directory(&hidden, MODE)?;
        self.tree
            .make_directory(&format!("{hidden}/{}", R::KIND), MODE)?;
        let key = key(name);
        match self.tree.create(&self.path::<R>(&key), &record.to_bytes()) {
            Ok(()) => Ok(record),
            Err(Error::AlreadyExists(_)) => self.record(&key)?.ok_or_else(|| {
                Error::InProgress(format!(
                    "{name} is being made and removed at once; ask again"
                ))
            }),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn replace<R: Record>(&self, name: &str, record: &R) -> Result<(), Error> {
        self.tree
            .write(&self.path::<R>(&key(name)), &record.to_bytes())
    }

    pub(crate) fn forget<R: Record>(&self, name: &str) -> Result<(), Error> {
        self.tree.remove_tree(&self.path::<R>(&key(name)))
    }

    /// The record under a key.
    pub(crate) fn record<R: Record>(&self, key: &str) -> Result<Option<R>, Error> {
        let path = self.path::<R>(key);
        let bytes = missing_is_none(self.tree.read(&path))?;
        bytes.map(|bytes| R::from_bytes(&path, bytes)).transpose()
    }

    fn path<R: Record>(&self, key: &str) -> String {
        format!("{}/{}/{key}", self.hidden(), R::KIND)
    }
}
