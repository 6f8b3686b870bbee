//! The operator's permission, and the one place that says yes or no.
//!
//! Decides, never acts: nothing here touches disk, network or wasm, so the policy can be read and tested
//! alone. What is not granted is refused; there is no implicit wildcard.

mod address;
mod block_devices;
mod https;
mod mount_option;
mod origin;
mod path;
mod range;
mod signing;
mod source;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

pub use address::AddressGrant;
pub use block_devices::{
    BlockDevicesGrant, DevicePattern, FILESYSTEMS, GrantedFilesystems, PatternError, WordPattern,
};
pub use https::{HttpsGrant, Method};
pub use mount_option::{GrantedOption, GrantedOptionError, GrantedOptions};
pub use origin::{Origin, OriginError};
pub use path::{Misread, PathPattern, misread};
pub use range::AddressRange;
pub use signing::{
    EnvironmentSource, FieldNames, FileSource, FormValues, KeySource, MetadataSource, OidcSource,
    SessionToken, SigningGrant,
};
pub use source::{SourcePattern, SourcePatternError};

/// The contract's capabilities, by the name of their interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// `mounts`
    Mounts,
    /// `files`
    Files,
    /// `block-devices`
    BlockDevices,
    /// `https`
    Https,
    /// `signing`
    Signing,
    /// `log`; needs no grant.
    Log,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Mounts,
        Self::Files,
        Self::BlockDevices,
        Self::Https,
        Self::Signing,
        Self::Log,
    ];

    /// The interface's name, which is also the grant's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mounts => "mounts",
            Self::Files => "files",
            Self::BlockDevices => "block-devices",
            Self::Https => "https",
            Self::Signing => "signing",
            Self::Log => "log",
        }
    }

    /// The capability with that interface name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.name() == name)
    }

    /// The line to add to a driver's grants file.
    pub fn grant_line(self) -> &'static str {
        match self {
            Self::Mounts => "[grants.mounts]",
            Self::Files => "[grants.files]",
            Self::BlockDevices => "[grants.block-devices]",
            Self::Https => "[grants.https.NAME]",
            Self::Signing => "[grants.signing.NAME]",
            Self::Log => "(log needs no grant)",
        }
    }
}

/// A refusal: which capability, what was asked for, and what would have allowed it. Logged once, by the
/// host; the guest gets it as `denied`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The capability that refused.
    pub capability: Capability,
    /// What was asked for.
    pub scope: String,
    /// The key of the grants file that decides, with what it says now.
    pub grant: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not granted ({})", self.scope, self.grant)
    }
}

/// All that one driver was granted.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// `[grants.mounts]`
    pub mounts: Option<MountsGrant>,
    /// `[grants.files]`
    pub files: Option<FilesGrant>,
    /// `[grants.block-devices]`
    pub block_devices: Option<BlockDevicesGrant>,
    /// `[grants.https.NAME]`, by name
    pub https: BTreeMap<String, HttpsGrant>,
    /// `[grants.signing.NAME]`, by name
    pub signing: BTreeMap<String, SigningGrant>,
}

impl Grants {
    /// Whether the interface may be linked at all.
    pub fn includes(&self, capability: Capability) -> bool {
        match capability {
            Capability::Mounts => self.mounts.is_some(),
            Capability::Files => self.files.is_some(),
            Capability::BlockDevices => self.block_devices.is_some(),
            Capability::Https => !self.https.is_empty(),
            Capability::Signing => !self.signing.is_empty(),
            Capability::Log => true,
        }
    }
}

/// `[grants.mounts]`: what may be mounted.
#[derive(Debug, Clone, Default)]
pub struct MountsGrant {
    /// Kernel names of filesystems for remote mounts.
    pub filesystems: Vec<String>,
    /// Servers and paths for remote mounts.
    pub sources: Vec<SourcePattern>,
    /// Mount options, but for the words that need no grant.
    pub options: GrantedOptions,
    /// Directories of the node that can be opened by name.
    pub directories: BTreeMap<String, PathBuf>,
}

impl MountsGrant {
    /// Whether the filesystem may be mounted.
    ///
    /// # Errors
    /// The refusal.
    pub fn allows_filesystem(&self, fs_type: &str) -> Result<(), Refusal> {
        let granted = self.filesystems.iter().any(|name| name == fs_type);
        granted.then_some(()).ok_or_else(|| {
            refusal(
                format!("filesystem {fs_type:?}"),
                format!("grants.mounts.filesystems = {:?}", self.filesystems),
            )
        })
    }

    /// Whether the option may be used with that value.
    ///
    /// # Errors
    /// The refusal.
    pub fn allows_option(&self, name: &str, value: Option<&str>) -> Result<(), Refusal> {
        self.options
            .allow("grants.mounts.options", name, value)
            .map_err(|(scope, grant)| refusal(scope, grant))
    }

    /// Whether any pattern could allow the source once its address is known. Asked before the name is
    /// resolved, so that a guest cannot send bytes out by asking for made-up names.
    ///
    /// # Errors
    /// The refusal.
    pub fn could_allow_source(&self, server: &str, path: &str) -> Result<(), Refusal> {
        let possible = self
            .sources
            .iter()
            .any(|pattern| pattern.could_match(server, path));
        possible
            .then_some(())
            .ok_or_else(|| self.source_refusal(server, path))
    }

    /// Whether the source may be mounted from that address.
    ///
    /// # Errors
    /// The refusal.
    pub fn allows_source(&self, server: &str, address: IpAddr, path: &str) -> Result<(), Refusal> {
        let granted = self
            .sources
            .iter()
            .any(|pattern| pattern.matches(server, address, path));
        granted
            .then_some(())
            .ok_or_else(|| self.source_refusal(server, path))
    }

    /// The directory granted under that name.
    ///
    /// # Errors
    /// The refusal.
    pub fn directory(&self, name: &str) -> Result<&Path, Refusal> {
        self.directories
            .get(name)
            .map(PathBuf::as_path)
            .ok_or_else(|| {
                let names: Vec<_> = self.directories.keys().collect();
                refusal(
                    format!("directory {name:?}"),
                    format!("grants.mounts.directories has {names:?}"),
                )
            })
    }

    fn source_refusal(&self, server: &str, path: &str) -> Refusal {
        let patterns: Vec<_> = self.sources.iter().map(ToString::to_string).collect();
        refusal(
            format!("source {server:?} {path:?}"),
            format!("grants.mounts.sources = {patterns:?}"),
        )
    }
}

/// `[grants.files]`: whether work beneath a directory handle may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesGrant {
    /// Look only.
    ReadOnly,
    /// Make, change and remove.
    ReadWrite,
}

impl FilesGrant {
    /// Whether something may be changed.
    ///
    /// # Errors
    /// The refusal.
    pub fn allows_change(self, operation: &str) -> Result<(), Refusal> {
        match self {
            Self::ReadWrite => Ok(()),
            Self::ReadOnly => Err(Refusal {
                capability: Capability::Files,
                scope: operation.to_owned(),
                grant: "grants.files.access = \"read-only\"".to_owned(),
            }),
        }
    }
}

fn refusal(scope: String, grant: String) -> Refusal {
    Refusal {
        capability: Capability::Mounts,
        scope,
        grant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> MountsGrant {
        MountsGrant {
            filesystems: vec!["nfs".into()],
            sources: vec!["10.0.0.0/8:/exports/**".parse().expect("a pattern")],
            options: ["vers", "sec=sys"]
                .map(|text| text.parse().expect("an option"))
                .into_iter()
                .collect(),
            directories: BTreeMap::from([("pool".into(), PathBuf::from("/srv/pool"))]),
        }
    }

    #[test]
    fn what_is_granted_is_allowed() {
        let grant = grant();
        assert_eq!(grant.allows_filesystem("nfs"), Ok(()));
        assert_eq!(grant.allows_option("vers", Some("4.1")), Ok(()));
        assert_eq!(grant.allows_option("sec", Some("sys")), Ok(()));
        assert_eq!(grant.directory("pool"), Ok(Path::new("/srv/pool")));
        assert_eq!(
            grant.allows_source("filer", "10.1.2.3".parse().expect("ip"), "/exports/a"),
            Ok(())
        );
    }

    #[test]
    fn what_is_not_granted_is_refused_with_the_key_that_decides() {
        let grant = grant();
        let refusal = grant.allows_filesystem("cifs").expect_err("not granted");
        assert_eq!(
            refusal.to_string(),
            "filesystem \"cifs\" is not granted (grants.mounts.filesystems = [\"nfs\"])"
        );
        assert!(grant.allows_option("soft", None).is_err());
        assert_eq!(
            grant
                .allows_option("sec", Some("krb5"))
                .expect_err("not granted")
                .to_string(),
            "mount option \"sec=krb5\" is not granted (grants.mounts.options has \"sec=sys\")"
        );
        assert!(grant.directory("etc").is_err());
        assert!(
            grant
                .allows_source("filer", "192.0.2.1".parse().expect("ip"), "/exports/a")
                .is_err()
        );
        assert!(grant.could_allow_source("filer", "/other").is_err());
        assert!(FilesGrant::ReadOnly.allows_change("remove-tree").is_err());
    }

    #[test]
    fn nothing_is_granted_by_default_but_log() {
        let grants = Grants::default();
        for capability in Capability::ALL {
            assert_eq!(
                grants.includes(capability),
                capability == Capability::Log,
                "{capability:?}"
            );
        }
    }
}
