//! What a component asks for and offers, read from the names in it.
//!
//! Imports are the request, grants are the permission: a component whose imports exceed its driver's
//! grants is not loaded, and the message says which line would have to be added.

use std::fmt;

use crate::error::GuestText;
use crate::grant::Capability;

/// The contract's version this host speaks, and its package.
const PACKAGE: &str = "drivebay:driver";
const VERSION: &str = "0.1.0";

/// The contract's exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// `identity`; required.
    Identity,
    /// `controller`
    Controller,
    /// `volume-listing`
    VolumeListing,
    /// `volume-health`
    VolumeHealth,
    /// `volume-health-listing`
    VolumeHealthListing,
    /// `capacity`
    Capacity,
    /// `cloning`
    Cloning,
    /// `attachment`
    Attachment,
    /// `snapshots`
    Snapshots,
    /// `snapshot-listing`
    SnapshotListing,
    /// `group-snapshots`
    GroupSnapshots,
    /// `expansion`
    Expansion,
    /// `modification`
    Modification,
    /// `node`
    Node,
    /// `attach-limit`
    AttachLimit,
    /// `accessibility`
    Accessibility,
}

impl Export {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Identity,
        Self::Controller,
        Self::VolumeListing,
        Self::VolumeHealth,
        Self::VolumeHealthListing,
        Self::Capacity,
        Self::Cloning,
        Self::Attachment,
        Self::Snapshots,
        Self::SnapshotListing,
        Self::GroupSnapshots,
        Self::Expansion,
        Self::Modification,
        Self::Node,
        Self::AttachLimit,
        Self::Accessibility,
    ];

    /// The interface's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Controller => "controller",
            Self::VolumeListing => "volume-listing",
            Self::VolumeHealth => "volume-health",
            Self::VolumeHealthListing => "volume-health-listing",
            Self::Capacity => "capacity",
            Self::Cloning => "cloning",
            Self::Attachment => "attachment",
            Self::Snapshots => "snapshots",
            Self::SnapshotListing => "snapshot-listing",
            Self::GroupSnapshots => "group-snapshots",
            Self::Expansion => "expansion",
            Self::Modification => "modification",
            Self::Node => "node",
            Self::AttachLimit => "attach-limit",
            Self::Accessibility => "accessibility",
        }
    }

    /// From `drivebay:driver/node@0.1.0`.
    pub fn parse(name: &str) -> Option<Self> {
        let interface = Name::parse(name)
            .filter(|name| name.package == PACKAGE)?
            .interface;
        Self::ALL
            .into_iter()
            .find(|export| export.name() == interface)
    }
}

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
    let mut found: Vec<ImportProblem> = imports
        .iter()
        .filter_map(|name| import_problem(name, granted))
        .collect();
    let other_version =
        |name: &&String| Name::parse(name).is_some_and(|name| name.is_other_version());
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

/// The capabilities among a component's imports.
pub(crate) fn capabilities(imports: &[String]) -> impl Iterator<Item = Capability> {
    imports.iter().filter_map(|name| capability(name))
}

/// The capability that an import asks for.
pub(crate) fn capability(name: &str) -> Option<Capability> {
    let name = Name::parse(name).filter(|name| name.package == PACKAGE)?;
    Capability::from_name(name.interface)
}

/// Whether a component expects WASI; it gets an empty one.
pub(crate) fn wants_wasi(imports: &[String]) -> bool {
    imports.iter().any(|name| name.starts_with("wasi:"))
}

fn import_problem(text: &str, granted: &[Capability]) -> Option<ImportProblem> {
    let unknown = || {
        Some(ImportProblem::Unknown {
            name: GuestText::name(text),
        })
    };
    let Some(name) = Name::parse(text) else {
        return unknown();
    };
    if name.package.starts_with("wasi:") {
        return None;
    }
    if name.is_other_version() {
        return Some(ImportProblem::Version {
            name: GuestText::name(text),
        });
    }
    if name.package != PACKAGE {
        return unknown();
    }
    match Capability::from_name(name.interface) {
        Some(capability) if granted.contains(&capability) => None,
        Some(capability) => Some(ImportProblem::NotGranted { capability }),
        None if name.interface == "types" => None,
        None => unknown(),
    }
}

/// `package/interface@version`
struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    version: &'a str,
}

impl<'a> Name<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (package, rest) = text.split_once('/')?;
        let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
        Some(Self {
            package,
            interface,
            version,
        })
    }

    /// Within 0.1 a later patch may only add, and then linking itself says what is missing.
    fn is_other_version(&self) -> bool {
        let track = |version: &str| version.rsplit_once('.').map(|(track, _)| track.to_owned());
        self.package == PACKAGE && track(self.version) != track(VERSION)
    }
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
