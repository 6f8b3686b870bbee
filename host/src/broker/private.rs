//! What crosses the line and must not be shown: keys, tokens, signatures, and what lies in files.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Goes to whom it is for as it is, and shows nothing of itself to anybody who prints it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Private<T>(pub(crate) T);

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
