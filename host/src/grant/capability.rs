//! What can be granted, and a refusal of it.

use std::fmt;

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
    /// `secrets`
    Secrets,
    /// `log`; needs no grant.
    Log,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Mounts,
        Self::Files,
        Self::BlockDevices,
        Self::Https,
        Self::Signing,
        Self::Secrets,
        Self::Log,
    ];

    /// Those that every driver has.
    pub const WITHOUT_GRANT: [Self; 1] = [Self::Log];

    /// The grant's name, which is also that of the interface that it has linked. What joins two of them, as mounts with
    /// secrets, is linked where both are granted.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mounts => "mounts",
            Self::Files => "files",
            Self::BlockDevices => "block-devices",
            Self::Https => "https",
            Self::Signing => "signing",
            Self::Secrets => "secrets",
            Self::Log => "log",
        }
    }

    /// The line to add to a driver's grants file.
    pub fn grant_line(self) -> &'static str {
        match self {
            Self::Mounts => "[grants.mounts]",
            Self::Files => "[grants.files]",
            Self::BlockDevices => "[grants.block-devices]",
            Self::Https => "[grants.https.NAME]",
            Self::Signing => "[grants.signing.NAME]",
            Self::Secrets => "[grants.secrets.NAME]",
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
