//! What a component asks for, against what its driver may have.
//!
//! Imports are the request, grants are the permission: a component whose imports exceed its driver's
//! grants is not loaded, and the message says which line would have to be added.

use std::fmt;

use super::interface::{Export, Import, InterfaceName, PACKAGE, VERSION};
use crate::error::GuestText;
use crate::grant::Capability;

/// Why a component cannot serve a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportProblem {
    /// Made for another version of the contract.
    Version {
        /// The name with its version.
        name: GuestText,
    },
    /// Asks for what the driver was not granted.
    NotGranted {
        /// The capability that the grant lacks.
        capability: Capability,
    },
    /// Asks for something this host does not have.
    Unknown {
        /// The name.
        name: GuestText,
    },
    /// Does not say who it is.
    NoIdentity,
}

impl fmt::Display for ImportProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { name } => {
                write!(
                    f,
                    "it uses {name}; this host speaks {PACKAGE} {VERSION}: rebuild the component against that version"
                )
            }
            Self::NotGranted { capability } => write!(
                f,
                "it imports {}, which is not granted; if it may, add {} to the driver's grants file",
                capability.name(),
                capability.grant_line()
            ),
            Self::Unknown { name } => {
                write!(f, "it imports {name}, which this host does not offer")
            }
            Self::NoIdentity => write!(f, "it does not export {PACKAGE}/identity@{VERSION}"),
        }
    }
}

/// Everything that stands between a component and a driver that has those capabilities; empty means it may be loaded.
pub fn problems(
    imports: &[String],
    exports: &[String],
    granted: &[Capability],
) -> Vec<ImportProblem> {
    let mut found: Vec<ImportProblem> = Vec::new();
    for problem in imports
        .iter()
        .flat_map(|name| import_problems(name, granted))
    {
        // Two interfaces may lack the same grant.
        if !found.contains(&problem) {
            found.push(problem);
        }
    }
    let other_version =
        |name: &&String| InterfaceName::parse(name).is_some_and(|name| name.is_other_version());
    found.extend(
        exports
            .iter()
            .filter(other_version)
            .map(|name| ImportProblem::Version {
                name: GuestText::name(name),
            }),
    );
    // Of another version it has one, and that was said.
    let is_other_version = found
        .iter()
        .any(|problem| matches!(problem, ImportProblem::Version { .. }));
    if !is_other_version
        && !exports
            .iter()
            .any(|name| Export::parse(name) == Some(Export::Identity))
    {
        found.push(ImportProblem::NoIdentity);
    }
    found
}

/// Those that stand between a component and a driver, as the end of a sentence.
pub fn in_words(problems: &[ImportProblem]) -> String {
    let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
    words.join("; ")
}

/// Whether a component expects WASI; it gets an empty one.
pub(crate) fn wants_wasi(imports: &[String]) -> bool {
    imports.iter().any(|name| name.starts_with("wasi:"))
}

fn import_problems(text: &str, granted: &[Capability]) -> Vec<ImportProblem> {
    let name = || GuestText::name(text);
    let unknown = || vec![ImportProblem::Unknown { name: name() }];
    let Some(parsed) = InterfaceName::parse(text) else {
        return unknown();
    };
    if parsed.package.starts_with("wasi:") {
        return Vec::new();
    }
    if parsed.is_other_version() {
        return vec![ImportProblem::Version { name: name() }];
    }
    if parsed.package == PACKAGE && parsed.interface == "types" {
        return Vec::new();
    }
    let Some(import) = Import::parse(text) else {
        return unknown();
    };
    let lacking = import.needs().iter().copied();
    let lacking = lacking.filter(|capability| !granted.contains(capability));
    lacking
        .map(|capability| ImportProblem::NotGranted { capability })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    const NOTHING: &[Capability] = &Capability::WITHOUT_GRANT;

    const IDENTITY: &[&str] = &["drivebay:driver/identity@0.1.0"];

    #[test]
    fn a_granted_import_is_no_problem() {
        let imports = texts(&[
            "drivebay:driver/mounts@0.1.0",
            "drivebay:driver/types@0.1.0",
            "wasi:io/streams@0.2.6",
        ]);
        assert_eq!(
            problems(&imports, &texts(IDENTITY), &[Capability::Mounts]),
            []
        );
    }

    #[test]
    fn an_import_without_a_grant_names_the_line_to_add() {
        let found = problems(
            &texts(&["drivebay:driver/https@0.1.0"]),
            &texts(IDENTITY),
            NOTHING,
        );
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "it imports https, which is not granted; if it may, add [grants.https.NAME] to the driver's grants file"
            ]
        );
    }

    #[test]
    fn an_interface_that_joins_two_needs_both_grants_and_each_is_named_once() {
        let imports = [Import::Mounts, Import::Secrets, Import::SecretMounts]
            .map(|import| format!("drivebay:driver/{}@0.1.0", import.name()));
        let lacking = |granted: &[Capability]| {
            let found = problems(&imports, &texts(IDENTITY), granted).into_iter();
            let capability = |problem| match problem {
                ImportProblem::NotGranted { capability } => capability,
                problem @ (ImportProblem::Version { .. }
                | ImportProblem::Unknown { .. }
                | ImportProblem::NoIdentity) => panic!("{problem}"),
            };
            found.map(capability).collect::<Vec<_>>()
        };
        let (mounts, secrets) = (Capability::Mounts, Capability::Secrets);
        assert_eq!(lacking(NOTHING), [mounts, secrets]);
        assert_eq!(lacking(&[mounts]), [secrets]);
        assert_eq!(lacking(&[secrets]), [mounts]);
        assert_eq!(lacking(&[mounts, secrets]), []);
    }

    #[test]
    fn another_version_names_both() {
        let exports = texts(&["drivebay:driver/identity@0.2.0"]);
        let found = problems(&[], &exports, NOTHING);
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "it uses drivebay:driver/identity@0.2.0; this host speaks drivebay:driver 0.1.0: rebuild the component against that version"
            ]
        );
    }

    #[test]
    fn foreign_imports_and_missing_identity_are_named() {
        assert_eq!(problems(&[], &[], NOTHING), [ImportProblem::NoIdentity]);
        let found = problems(&texts(&["acme:fs/raw@1.0.0"]), &texts(IDENTITY), NOTHING);
        assert_eq!(
            found,
            [ImportProblem::Unknown {
                name: GuestText::name("acme:fs/raw@1.0.0")
            }]
        );
        let found = problems(&texts(&["drivebay:driver/mounts@0.1.0"]), &[], NOTHING);
        assert_eq!(
            found,
            [
                ImportProblem::NotGranted {
                    capability: Capability::Mounts
                },
                ImportProblem::NoIdentity
            ]
        );
    }
}
