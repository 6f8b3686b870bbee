//! Values that nobody may see.

use std::fmt;

use zeroize::Zeroizing;

/// A value that never shows itself: not in `Debug`, not in logs, wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The only way to the bytes; search for callers when reviewing.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Named secrets of one request.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<(String, Secret)>);

impl Secrets {
    /// Keeps the pairs as they are.
    pub fn new(pairs: Vec<(String, Secret)>) -> Self {
        Self(pairs)
    }

    /// A secret by its name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, secret)| secret)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows_itself() {
        let secrets = Secrets::new(vec![("password".into(), Secret::new(b"hunter2".to_vec()))]);
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }
}
