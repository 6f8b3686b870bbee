//! Time as a budget, and what was written to the log.

use std::cell::{Cell, RefCell};

use sha2::{Digest, Sha256};

use crate::bindings::log::Level;
use crate::bindings::types::Error;
use crate::encode::hex;
use crate::host::Host;

/// A host whose calls end when a budget of milliseconds is used up by pauses, and whose chance is none.
#[derive(Debug)]
pub struct FakeHost {
    budget: Cell<u64>,
    waited: Cell<u64>,
    notes: RefCell<Vec<(Level, String)>>,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeHost {
    /// With all the time there is.
    pub fn new() -> Self {
        Self {
            budget: Cell::new(u64::MAX),
            waited: Cell::new(0),
            notes: RefCell::default(),
        }
    }

    /// From now on there is so much time.
    pub fn deadline_in(&self, milliseconds: u64) {
        self.budget.set(milliseconds);
    }

    /// Milliseconds that were let pass in all.
    pub fn waited(&self) -> u64 {
        self.waited.get()
    }

    /// The log's lines.
    pub fn notes(&self) -> Vec<String> {
        self.lines(|_| true)
    }

    /// Those that an operator is meant to act on.
    pub fn warnings(&self) -> Vec<String> {
        self.lines(|level| matches!(level, Level::Warn | Level::Error))
    }

    fn lines(&self, counts: impl Fn(Level) -> bool) -> Vec<String> {
        let notes = self.notes.borrow();
        let lines = notes.iter().filter(|(level, _)| counts(*level));
        lines.map(|(_, line)| line.clone()).collect()
    }
}

impl Host for FakeHost {
    fn pause(&self, milliseconds: u64) -> Result<(), Error> {
        match self.budget.get().checked_sub(milliseconds) {
            Some(left) => {
                self.budget.set(left);
                self.waited.set(self.waited.get() + milliseconds);
                Ok(())
            }
            None => Err(error!(Unavailable: "the deadline would come first")),
        }
    }

    fn chance(&self) -> u8 {
        128
    }

    fn digest(&self, text: &str) -> String {
        hex(&Sha256::digest(text))
    }

    fn note(&self, level: Level, line: &str) {
        self.notes.borrow_mut().push((level, line.into()));
    }
}
