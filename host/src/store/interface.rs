//! Interfaces of the contract, told by the names in a component: what it offers, what it asks for, and by which grants
//! that is linked.

use crate::grant::Capability;

/// The contract's version this host speaks, and its package.
pub(super) const PACKAGE: &str = "drivebay:driver";
pub(super) const VERSION: &str = "0.1.0";

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
        let interface = InterfaceName::parse(name).filter(|name| name.package == PACKAGE)?;
        Self::ALL
            .into_iter()
            .find(|export| export.name() == interface.interface)
    }
}

/// The contract's imports. Its words in `types` are none: they need no grant and do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Import {
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
    /// `secrets`
    Secrets,
    /// `secret-mounts`
    SecretMounts,
    /// `secret-requests`
    SecretRequests,
    /// `secret-keys`
    SecretKeys,
    /// `log`
    Log,
}

impl Import {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Mounts,
        Self::Files,
        Self::BlockDevices,
        Self::Https,
        Self::Signing,
        Self::Secrets,
        Self::SecretMounts,
        Self::SecretRequests,
        Self::SecretKeys,
        Self::Log,
    ];

    /// The interface's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mounts => "mounts",
            Self::Files => "files",
            Self::BlockDevices => "block-devices",
            Self::Https => "https",
            Self::Signing => "signing",
            Self::Secrets => "secrets",
            Self::SecretMounts => "secret-mounts",
            Self::SecretRequests => "secret-requests",
            Self::SecretKeys => "secret-keys",
            Self::Log => "log",
        }
    }

    /// What has to be granted for it to be linked: all of them.
    pub fn needs(self) -> &'static [Capability] {
        match self {
            Self::Mounts => &[Capability::Mounts],
            Self::Files => &[Capability::Files],
            Self::BlockDevices => &[Capability::BlockDevices],
            Self::Https => &[Capability::Https],
            Self::Signing => &[Capability::Signing],
            Self::Secrets => &[Capability::Secrets],
            Self::SecretMounts => &[Capability::Mounts, Capability::Secrets],
            Self::SecretRequests => &[Capability::Https, Capability::Secrets],
            // A secret that is granted for signing is a grant of both.
            Self::SecretKeys => &[Capability::Signing, Capability::Secrets],
            Self::Log => &[Capability::Log],
        }
    }

    /// From `drivebay:driver/mounts@0.1.0`.
    pub fn parse(name: &str) -> Option<Self> {
        let name = InterfaceName::parse(name).filter(|name| name.package == PACKAGE)?;
        Self::ALL
            .into_iter()
            .find(|import| import.name() == name.interface)
    }
}

/// `package/interface@version`
pub(super) struct InterfaceName<'a> {
    pub(super) package: &'a str,
    pub(super) interface: &'a str,
    version: &'a str,
}

impl<'a> InterfaceName<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (package, rest) = text.split_once('/')?;
        let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
        Some(Self {
            package,
            interface,
            version,
        })
    }

    /// Within 0.1 a later patch may only add, and then linking itself says what is missing.
    pub(super) fn is_other_version(&self) -> bool {
        let track = |version: &str| version.rsplit_once('.').map(|(track, _)| track.to_owned());
        self.package == PACKAGE && track(self.version) != track(VERSION)
    }
}
