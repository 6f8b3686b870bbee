//! Whether anybody but root could have a hand in what the host keeps, writes and believes on this node.

use std::collections::HashSet;
use std::io::ErrorKind;

use drivebay::config::{DriverConfig, Holds, Paths};
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
    let named = drivers.iter().flat_map(DriverConfig::named_files);
    let keys = named
        .filter(|file| file.holds == Holds::Secret)
        .map(|file| sys::check_parents(file.path));
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
