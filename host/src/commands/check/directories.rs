//! Whether anybody but root could have a hand in what the host keeps, writes and believes on this node.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::PathBuf;

use drivebay::config::{DriverConfig, Paths};
use drivebay::grant::{KeySource, SigningGrant};
use drivebay::sys::{self, TrustError};

/// One sentence for each directory that is too open, the outer ones first. Nothing is changed; what is missing is no
/// problem.
pub(super) fn problems(paths: &Paths, drivers: &[DriverConfig]) -> Vec<String> {
    let mut directories = vec![paths.state.clone(), paths.run.clone()];
    directories.extend([paths.compiled(), paths.serving()]);
    directories.extend(
        drivers
            .iter()
            .flat_map(|driver| paths.trusted(&driver.name)),
    );
    let directories = directories.iter().map(|path| sys::check_directory(path));
    let keys = drivers
        .iter()
        .flat_map(|driver| driver.grants.signing.values());
    let keys = keys.flat_map(key_files).map(|file| sys::check_way(&file));
    // Who keeps the logs is a group's business on some distributions.
    let log = [sys::check_directory_itself(&paths.log)];
    let mut found: Vec<String> = directories
        .chain(keys)
        .chain(log)
        .filter_map(problem)
        .collect();
    let mut known = HashSet::new();
    // One that is above several is found with each of them.
    found.retain(|problem| known.insert(problem.clone()));
    found
}

fn problem(checked: Result<(), TrustError>) -> Option<String> {
    match checked {
        Err(TrustError::Untrusted(reason)) => Some(reason),
        Err(TrustError::Io(error)) if error.kind() != ErrorKind::NotFound => {
            Some(error.to_string())
        }
        Ok(()) | Err(TrustError::Io(_)) => None,
    }
}

fn key_files(grant: &SigningGrant) -> Vec<PathBuf> {
    match &grant.source {
        KeySource::File(source) => {
            let files = [&source.id, &source.secret].into_iter();
            files.chain(&source.session_token).cloned().collect()
        }
        KeySource::Oidc(source) => vec![source.token_file.clone()],
        KeySource::Environment(_) | KeySource::Metadata(_) => Vec::new(),
    }
}
