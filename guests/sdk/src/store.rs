//! Records on the share, beneath its `.drivebay`.
//!
//! ```text
//! volumes/KEY              one for each volume, by the key of its name
//! snapshots/KEY            the same for snapshots
//! directories/KEY/KEY      which volumes use a directory
//! inside/KEY/KEY           which volumes' directories lie inside it
//! indexed                  that `inside` has all of them: there was a time without it
//! ```
//!
//! Each is written whole or not at all, and read back: of two who begin the same work, both go on with what the first one
//! wrote. The last three are those of [`directories`](crate::directories).
//!
//! ```
//! use drivebay_guest::fake::FakeTree;
//! use drivebay_guest::records::State;
//! use drivebay_guest::store::Store;
//!
//! drivebay_guest::record! {
//!     struct Volume in "volumes" {
//!         state: State = "state",
//!         name: String = "name",
//!     }
//! }
//!
//! let tree = FakeTree::new();
//! let store: Store<'_> = Store::of(&tree);
//! let wanted = Volume { state: State::Making, name: "pvc-1".into() };
//! let record = match store.named(&wanted.name)? {
//!     Some(record) => record,
//!     None => store.add("pvc-1", wanted)?,
//! };
//! store.replace("pvc-1", &Volume { state: State::Ready, ..record })?;
//! assert_eq!(store.named::<Volume>("pvc-1")?.map(|record| record.state), Some(State::Ready));
//! # Ok::<(), drivebay_guest::types::Error>(())
//! ```

use std::marker::PhantomData;

use crate::bindings::types::Error;
use crate::error::missing_is_none;
use crate::name::{self, key};
use crate::records::Record;
use crate::sub_dir::HIDDEN;
use crate::tree::Tree;

/// For root alone: a record decides what is deleted.
pub const MODE: u32 = 0o700;

/// A share, or a directory of it that is a share of its own; by its [`Layout`](crate::layout::Layout) it knows whose ids
/// are in its records.
#[expect(
    missing_debug_implementations,
    reason = "there is nothing to show of a tree"
)]
pub struct Store<'a, Layout = ()> {
    /// The share.
    pub tree: &'a dyn Tree,
    /// Where on it this one is: nothing, or a path with a slash at its end.
    pub(crate) root: String,
    layout: PhantomData<Layout>,
}

impl<'a, Layout> Store<'a, Layout> {
    /// That of the whole share.
    pub fn of(tree: &'a dyn Tree) -> Self {
        Self::beneath(tree, String::new())
    }

    pub(crate) fn beneath(tree: &'a dyn Tree, root: String) -> Self {
        Self {
            tree,
            root,
            layout: PhantomData,
        }
    }

    /// What is known about a name.
    pub fn named<R: Record>(&self, name: &str) -> Result<Option<R>, Error> {
        self.record(&key(name))
    }

    /// What is known of what an id shows, if the record agrees that it is it.
    pub fn shown<R: Record>(
        &self,
        shown: &str,
        is_it: &dyn Fn(&R) -> bool,
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
    pub fn add<R: Record>(&self, name: &str, record: R) -> Result<R, Error> {
        let hidden = self.hidden();
        self.tree.make_directory(&hidden, MODE)?;
        self.tree
            .make_directory(&format!("{hidden}/{}", R::KIND), MODE)?;
        self.tree.add_record(&self.path::<R>(&key(name)), record)
    }

    /// Write what has become of it.
    pub fn replace<R: Record>(&self, name: &str, record: &R) -> Result<(), Error> {
        self.tree
            .write(&self.path::<R>(&key(name)), &record.to_bytes())
    }

    /// It is gone, and nothing is left to be done.
    pub fn forget<R: Record>(&self, name: &str) -> Result<(), Error> {
        self.tree.remove_tree(&self.path::<R>(&key(name)))
    }

    /// The record under a key.
    pub fn record<R: Record>(&self, key: &str) -> Result<Option<R>, Error> {
        self.tree.record(&self.path::<R>(key))
    }

    fn path<R: Record>(&self, key: &str) -> String {
        format!("{}/{}/{key}", self.hidden(), R::KIND)
    }

    /// Our own directory.
    pub fn hidden(&self) -> String {
        format!("{}{HIDDEN}", self.root)
    }
}

impl dyn Tree + '_ {
    /// A record that lies anywhere; nothing where there is none, `internal` for a file that is none of ours.
    pub fn record<R: Record>(&self, path: &str) -> Result<Option<R>, Error> {
        let bytes = missing_is_none(self.read(path))?;
        bytes.map(|bytes| R::from_bytes(path, bytes)).transpose()
    }

    /// Write the first record of something, unless there is one: of two who try, both get the one that came first.
    /// `in-progress`: it was there and went.
    pub fn add_record<R: Record>(&self, path: &str, record: R) -> Result<R, Error> {
        match self.create(path, &record.to_bytes()) {
            Ok(()) => Ok(record),
            Err(Error::AlreadyExists(_)) => self.record(path)?.ok_or_else(|| {
                error!(InProgress: "what {path} is about is being made and removed at once; ask again")
            }),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeTree;
    use crate::records::State;

    crate::record! {
        struct Sample in "samples" {
            state: State = "state",
            name: String = "name",
        }
    }

    fn sample(state: State) -> Sample {
        Sample {
            state,
            name: "one".into(),
        }
    }

    #[test]
    fn of_two_who_begin_both_go_on_with_the_first_ones_record() {
        let tree = FakeTree::new();
        let store: Store<'_> = Store::of(&tree);
        assert_eq!(store.named::<Sample>("one"), Ok(None));
        assert_eq!(
            store.add("one", sample(State::Ready)),
            Ok(sample(State::Ready))
        );
        assert_eq!(
            store.add("one", sample(State::Making)),
            Ok(sample(State::Ready))
        );
        assert_eq!(store.named("one"), Ok(Some(sample(State::Ready))));
        assert_eq!(tree.mode(".drivebay"), MODE);
    }

    #[test]
    fn a_record_is_replaced_and_forgotten() {
        let tree = FakeTree::new();
        let store: Store<'_> = Store::of(&tree);
        store.add("one", sample(State::Making)).expect("added");
        store
            .replace("one", &sample(State::Deleting))
            .expect("replaced");
        assert_eq!(store.named("one"), Ok(Some(sample(State::Deleting))));
        store.forget::<Sample>("one").expect("forgotten");
        assert_eq!(store.named::<Sample>("one"), Ok(None));
    }

    #[test]
    fn what_an_id_shows_counts_if_the_record_agrees() {
        let tree = FakeTree::new();
        let store: Store<'_> = Store::of(&tree);
        store.add("one", sample(State::Ready)).expect("added");
        let shown = |agrees: bool| store.shown("one", &|_: &Sample| agrees);
        assert_eq!(shown(true), Ok(Some(sample(State::Ready))));
        assert_eq!(shown(false), Ok(None));
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_named() {
        let tree = FakeTree::new();
        let path = format!(".drivebay/samples/{}", key("one"));
        tree.put(&path, "nonsense");
        let refused = Store::<()>::of(&tree).named::<Sample>("one");
        assert!(matches!(refused, Err(Error::Internal(text)) if text.starts_with(&path)));
    }
}
