//! What `versions` and `require` of a driver's file say of a version, whoever wants it to serve.

use super::components::ComponentBytes;
use super::signature::{SignatureError, verify};
use crate::config::DriverConfig;
use crate::volume::DriverName;

/// Why the driver's file does not let a version serve. The operator said so for all nodes.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// `versions.rejected` names it.
    #[error(
        "the file of driver {driver} lists {sha256} in versions.rejected; take it out there first"
    )]
    Rejected {
        /// Whose file.
        driver: DriverName,
        /// The digest.
        sha256: String,
    },
    /// `versions.active` names another one.
    #[error(
        "the file of driver {driver} says versions.active = {active:?}, and no other version; change it there"
    )]
    Fixed {
        /// Whose file.
        driver: DriverName,
        /// The digest that it names.
        active: String,
    },
}

/// Whether a version may serve that driver, as far as its file names versions.
pub(super) fn follow(config: &DriverConfig, sha256: &str) -> Result<(), RuleError> {
    let (rules, driver) = (&config.versions, config.name.clone());
    if rules.rejected.iter().any(|rejected| rejected == sha256) {
        let sha256 = sha256.to_owned();
        return Err(RuleError::Rejected { driver, sha256 });
    }
    match &rules.active {
        Some(active) if active != sha256 => Err(RuleError::Fixed {
            driver,
            active: active.clone(),
        }),
        _ => Ok(()),
    }
}

/// Why `require` of the driver's file does not want a component that was delivered.
#[derive(Debug, thiserror::Error)]
pub enum RequireError {
    /// Digests are all that it has.
    #[error("it has digest {sha256}, which require.sha256 of the driver's file does not list")]
    NotListed {
        /// The component's.
        sha256: String,
    },
    /// No listed key signed it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// The fingerprint of the key that signed a component, where its digest alone does not do.
pub(super) fn require(
    config: &DriverConfig,
    component: &ComponentBytes,
    signature: Option<&[u8]>,
) -> Result<Option<String>, RequireError> {
    let require = &config.require;
    if require.allows_digest(&component.sha256) {
        return Ok(None);
    }
    if require.public_keys.is_empty() {
        let sha256 = component.sha256.clone();
        return Err(RequireError::NotListed { sha256 });
    }
    let verified = verify(&component.bytes, signature, &require.public_keys)?;
    Ok(Some(verified.fingerprint))
}
