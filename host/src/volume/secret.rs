//! Values that nobody may see.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// What one call may bring: kubelet's one argument has room for twice as much, and a Secret with a key and a certificate
/// takes a tenth.
const MAX_BYTES: usize = 64 << 10;

/// A Secret that a driver reads has a handful.
const MAX_SECRETS: usize = 64;

/// Kubernetes' own bound on the name of a Secret's entry.
const MAX_NAME: usize = 253;

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

/// The secrets that one call brought, by their names. Clones share them; they are wiped with the last.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Option<Arc<Vec<(String, Secret)>>>);

/// Why a call's secrets are not taken. Says how much there is, and nothing of what.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// Too many.
    #[error("the call brings {0} secrets; {MAX_SECRETS} are the most")]
    Number(usize),
    /// Too long a name.
    #[error("the name of a secret has {0} bytes; {MAX_NAME} are the most")]
    Name(usize),
    /// Too much in all.
    #[error("the call's secrets have {0} bytes together; {MAX_BYTES} are the most")]
    Size(usize),
}

impl Secrets {
    /// Keeps the pairs as they are.
    ///
    /// # Errors
    /// [`SecretsError`] where there are too many, or they are too large.
    pub fn bounded(pairs: Vec<(String, Secret)>) -> Result<Self, SecretsError> {
        let longest = pairs.iter().map(|(name, _)| name.len()).max();
        let size = pairs.iter().map(|(_, secret)| secret.reveal().len()).sum();
        match (pairs.len(), longest.unwrap_or_default(), size) {
            (number, ..) if number > MAX_SECRETS => Err(SecretsError::Number(number)),
            (_, name, _) if name > MAX_NAME => Err(SecretsError::Name(name)),
            (.., size) if size > MAX_BYTES => Err(SecretsError::Size(size)),
            _ => Ok(Self::of(pairs)),
        }
    }

    /// Most calls bring none, and pay for none.
    fn of(pairs: Vec<(String, Secret)>) -> Self {
        Self((!pairs.is_empty()).then(|| Arc::new(pairs)))
    }

    fn pairs(&self) -> &[(String, Secret)] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Those that somebody may use; the others are needed no longer.
    #[must_use]
    pub fn keeping(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = self.pairs().iter().filter(|(name, _)| is_wanted(name));
        Self::of(wanted.cloned().collect())
    }

    /// A secret by its name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        let mut pairs = self.pairs().iter();
        pairs.find(|(key, _)| key == name).map(|(_, secret)| secret)
    }

    /// All of them, without names.
    pub fn values(&self) -> impl Iterator<Item = &Secret> {
        self.pairs().iter().map(|(_, secret)| secret)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pairs().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(size: usize) -> Secret {
        Secret::new(vec![b'x'; size])
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let pair = ("password".into(), Secret::new(b"hunter2".to_vec()));
        let secrets = Secrets::bounded(vec![pair]).expect("one");
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    #[test]
    fn what_a_call_brings_is_bounded_in_number_and_size() {
        let pairs = |number: usize, size: usize| {
            let name = |at: usize| (format!("{at}"), secret(size));
            Secrets::bounded((0..number).map(name).collect()).map(drop)
        };
        assert_eq!(pairs(MAX_SECRETS, 1), Ok(()));
        assert_eq!(pairs(MAX_SECRETS + 1, 1), Err(SecretsError::Number(65)));
        assert_eq!(pairs(2, MAX_BYTES / 2), Ok(()));
        assert_eq!(pairs(1, MAX_BYTES + 1), Err(SecretsError::Size(65_537)));
        let long = Secrets::bounded(vec![("n".repeat(MAX_NAME + 1), secret(1))]);
        assert_eq!(long.map(drop), Err(SecretsError::Name(254)));
    }

    #[test]
    fn what_nobody_may_use_is_not_kept() {
        let pairs = ["password", "other"].map(|name| (name.to_owned(), secret(1)));
        let all = Secrets::bounded(pairs.to_vec()).expect("two");
        let kept = all.keeping(|name| name == "password");
        assert_eq!((kept.len(), kept.get("other").is_some()), (1, false));
        assert!(kept.get("password").is_some() && kept.get("Password").is_none());
    }
}
