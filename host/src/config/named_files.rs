//! Which other files a driver's file names.

use std::path::Path;

use super::DriverConfig;
use crate::grant::KeySource;

/// A file that a driver's file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedFile<'a> {
    /// As it is written there.
    pub path: &'a Path,
    /// What is in it.
    pub holds: Holds,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Certificates or public keys: nothing to hide.
    Public,
    /// A key, or a token that is exchanged for one.
    Secret,
}

impl DriverConfig {
    /// All of them, in no order that means anything.
    pub fn named_files(&self) -> Vec<NamedFile<'_>> {
        let keys = self.require.public_keys.iter().map(|file| &file.path);
        let endpoints = self.grants.https.values();
        let certificates = endpoints.filter_map(|endpoint| endpoint.ca.as_ref());
        let public = keys.chain(certificates).map(|path| NamedFile {
            path,
            holds: Holds::Public,
        });
        let sources = self.grants.signing.values().map(|key| &key.source);
        public.chain(sources.flat_map(of_key)).collect()
    }
}

fn of_key(source: &KeySource) -> Vec<NamedFile<'_>> {
    let file = |path, holds| NamedFile { path, holds };
    match source {
        KeySource::File(source) => {
            let files = [&source.id, &source.secret].into_iter();
            let files = files.chain(&source.session_token);
            files.map(|path| file(path, Holds::Secret)).collect()
        }
        KeySource::Oidc(source) => {
            let ca = source.ca.iter().map(|path| file(path, Holds::Public));
            ca.chain([file(&source.token_file, Holds::Secret)])
                .collect()
        }
        KeySource::Environment(_) | KeySource::Metadata(_) => Vec::new(),
    }
}
