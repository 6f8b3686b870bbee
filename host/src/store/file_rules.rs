//! What `versions` of a driver's file says of a version, whoever wants it to serve.

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
