//! The operator's permission, and the one place that says yes or no.
//!
//! Decides, never acts: nothing here touches disk, network or wasm, so the policy can be read and tested
//! alone. What is not granted is refused; there is no implicit wildcard.

mod address;
mod address_range;
mod block_devices;
mod capability;
mod files;
mod https;
mod mount_option;
mod mounts;
mod origin;
mod path;
mod secrets;
mod security_label;
mod signing;
mod source_pattern;

use std::collections::BTreeMap;

pub use address::AddressGrant;
pub use address_range::AddressRange;
pub use block_devices::{
    BlockDevicesGrant, DevicePattern, FILESYSTEMS, GrantedFilesystems, PatternError, WordPattern,
};
pub use capability::{Capability, Refusal};
pub use files::FilesGrant;
pub use https::{HttpsGrant, Method};
pub use mount_option::{GrantedOption, GrantedOptionError, GrantedOptions};
pub use mounts::MountsGrant;
pub use origin::{Origin, OriginError};
pub use path::{Misread, PathPattern, misread};
pub use secrets::{BasicPart, SecretGrant, SigningUse};
pub use security_label::{is_label, takes_label};
pub use signing::{
    EnvironmentSource, FieldNames, FileSource, FormValues, KeySource, MetadataSource, OidcSource,
    SessionToken, SigningGrant,
};
pub use source_pattern::{SourcePattern, SourcePatternError};

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
    /// `[grants.secrets.NAME]`, by name
    pub secrets: BTreeMap<String, SecretGrant>,
}

impl Grants {
    /// Whether the interface may be linked at all.
    pub fn includes(&self, capability: Capability) -> bool {
        match capability {
            Capability::Mounts => self.mounts.is_some(),
            Capability::Files => self.files.is_some(),
            Capability::BlockDevices => self.block_devices.is_some(),
            Capability::Https => !self.https.is_empty(),
            Capability::Signing => {
                let mut secrets = self.secrets.values();
                !self.signing.is_empty() || secrets.any(|secret| !secret.signing.is_empty())
            }
            Capability::Secrets => !self.secrets.is_empty(),
            Capability::Log => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
