//! What an operator decides for this node and this moment: back to an earlier version, or on to a certain one.
//!
//! Nobody waits for anything here, and nothing is skipped: the driver's file allows the version, its component is kept
//! as it was, fits what the driver is granted, and is compiled, which it has to survive once more where its code is gone.

use super::active::{self, VersionError};
use super::compile::{self, CompileError};
use super::components::{self, ComponentBytes, ComponentError};
use super::file_rules::{self, RuleError};
use super::imports::{ImportProblem, in_words, problems};
use super::installed::installed_version;
use super::known_versions::{DigestError, KnownAs, KnownVersion, find, known_versions};
use super::manifest::Manifest;
use super::store_lock::hold_store;
use super::version_change::{DecisionError, log_change};
use super::version_progress::VersionProgress;
use super::version_record::{ActiveVersion, RecordError, RejectedBy, VersionRecord};
use crate::config::{DriverConfig, Paths};
use crate::error::GuestText;
use crate::sys::{Lock, LockError};
use crate::volume::DriverName;

/// The reason of a version that `drivebay rollback` ended.
const ROLLED_BACK: &str = "rolled back by `drivebay rollback`";

/// What serves now, and what did.
#[derive(Debug)]
pub struct VersionChange {
    /// From this moment on.
    pub now: ActiveVersion,
    /// Until this moment, as far as anything did.
    pub before: Option<ActiveVersion>,
}

/// Why a version is not activated by name.
#[derive(Debug, thiserror::Error)]
pub enum ByNameError {
    /// The digest names none.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The record cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store cannot be kept as it is meanwhile.
    #[error("cannot lock the store of components")]
    Locked(#[source] LockError),
    /// There is nothing to go back to, or nothing to do.
    #[error("cannot change which version of driver {driver} serves: {reason}")]
    Undecided {
        /// Whose versions.
        driver: DriverName,
        /// What stands in the way.
        reason: DecisionError,
    },
    /// The operator said otherwise for all nodes.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// Neither its digest nor a signature that is known of it will do.
    #[error(
        "{0}; where its keys changed, or the version was never verified here, deliver it anew with its signature"
    )]
    NotRequired(VersionError),
    /// It was removed from the store, or cannot be read.
    #[error("version {sha256} is no longer in the store; deliver it anew")]
    Gone {
        /// The digest.
        sha256: String,
        /// As the store says it.
        source: ComponentError,
    },
    /// Its bytes have another digest.
    #[error(
        "{} is no longer the component that it was; remove it, and deliver the version anew",
        component.path.display()
    )]
    Changed {
        /// As it is now.
        component: Box<ComponentBytes>,
    },
    /// It cannot be compiled any more, or breaks down when it is tried.
    #[error("version {sha256} cannot serve")]
    Unfit {
        /// The digest.
        sha256: String,
        /// As the compiler says it.
        source: CompileError,
    },
    /// It asks for what the driver was not granted.
    #[error(
        "version {sha256} cannot serve driver {driver}: {}",
        in_words(problems)
    )]
    NotGranted {
        /// The digest.
        sha256: String,
        /// Whose grants.
        driver: DriverName,
        /// All of them.
        problems: Vec<ImportProblem>,
    },
    /// The driver's file named another component when it served.
    #[error(
        "version {sha256} is of component {component:?}, and the file of driver {driver} names {named:?}"
    )]
    OfFormer {
        /// The digest.
        sha256: String,
        /// The component's name in the driver's file of then.
        component: String,
        /// Which driver.
        driver: DriverName,
        /// The one of today.
        named: String,
    },
    /// The store keeps the components of all drivers.
    #[error(
        "version {sha256} is of component {found:?}, and driver {driver} is served by {serving:?}"
    )]
    OfAnother {
        /// The digest.
        sha256: String,
        /// Its own name for itself.
        found: GuestText,
        /// Which driver.
        driver: DriverName,
        /// The name of what serves it.
        serving: GuestText,
    },
}

/// Lets the version of that digest serve, whatever it was before.
///
/// # Errors
/// [`ByNameError`]; nothing changes then.
pub fn activate_by_name(
    paths: &Paths,
    config: &DriverConfig,
    digest: &str,
) -> Result<VersionChange, ByNameError> {
    let _storing = storing(paths)?;
    let record = VersionRecord::read(paths, &config.name)?.unwrap_or_default();
    let progress = VersionProgress::read(paths, &config.name);
    let known = find(&known_versions(paths, &record, &progress), digest)?;
    if known.known_as == KnownAs::Active {
        let sha256 = known.sha256;
        return Err(undecided(config, DecisionError::ServesAlready { sha256 }));
    }
    let manifest = admitted(paths, config, &known)?;
    let now = known.activated(manifest.description.version, config);
    let offered = progress.offered.as_ref();
    change(paths, config, |record| {
        record.activate_by_name(now.clone(), offered).map(|()| now)
    })
}

/// Lets the latest version before serve again that the driver's file does not reject, because it rejects the one that
/// serves.
///
/// # Errors
/// [`ByNameError`]; nothing changes then.
pub(super) fn reject_by_file(
    paths: &Paths,
    config: &DriverConfig,
) -> Result<VersionChange, ByNameError> {
    let record = VersionRecord::read(paths, &config.name)?.unwrap_or_default();
    let rejected = &config.versions.rejected;
    let mut previous = record.previous.iter().map(|it| it.sha256.as_str());
    let to = previous.find(|sha256| !rejected.iter().any(|known| known == sha256));
    let reason = "versions.rejected of the driver's file names it";
    go_back(paths, config, to, (RejectedBy::DriverFile, reason))
}

/// Lets the version serve again that did before, or the one of that digest among those that did.
///
/// # Errors
/// [`ByNameError`]; nothing changes then.
pub fn roll_back(
    paths: &Paths,
    config: &DriverConfig,
    to: Option<&str>,
) -> Result<VersionChange, ByNameError> {
    go_back(paths, config, to, (RejectedBy::Operator, ROLLED_BACK))
}

fn go_back(
    paths: &Paths,
    config: &DriverConfig,
    to: Option<&str>,
    (by, reason): (RejectedBy, &str),
) -> Result<VersionChange, ByNameError> {
    let _storing = storing(paths)?;
    let record = VersionRecord::read(paths, &config.name)?.unwrap_or_default();
    let known = known_versions(paths, &record, &VersionProgress::default());
    let to = to.map(|digest| find(&known, digest)).transpose()?;
    let target = record
        .version_before(to.as_ref().map(|known| known.sha256.as_str()))
        .map_err(|reason| undecided(config, reason))?;
    let target = find(&known, &target.sha256)?;
    let manifest = admitted(paths, config, &target)?;
    let sha256 = target.sha256.clone();
    // With the driver's file of today, by which it was checked just now: that of then may allow more.
    let now = target.activated(manifest.description.version, config);
    change(paths, config, |record| {
        record.roll_back(Some(&sha256), by, reason.to_owned())?;
        record.active = Some(now.clone());
        Ok(now)
    })
}

fn change(
    paths: &Paths,
    config: &DriverConfig,
    decide: impl FnOnce(&mut VersionRecord) -> Result<ActiveVersion, DecisionError>,
) -> Result<VersionChange, ByNameError> {
    let installed = installed_version(paths, config);
    let decided = VersionRecord::change(paths, &config.name, |record| {
        let mut changed = record.clone();
        changed.active = changed.active.or(installed);
        let before = changed.active.clone();
        let now = decide(&mut changed)?;
        *record = changed;
        Ok(VersionChange { now, before })
    })?;
    let change = decided.map_err(|reason| undecided(config, reason))?;
    forget_pending(paths, config, &change.now);
    log_change(&config.name, &change.now, change.before.as_ref());
    Ok(change)
}

/// What was found in the store stays there until the record names it.
fn storing(paths: &Paths) -> Result<Lock, ByNameError> {
    hold_store(paths).map_err(ByNameError::Locked)
}

/// It waits no longer. Who cannot be told so learns it with the next look.
fn forget_pending(paths: &Paths, config: &DriverConfig, now: &ActiveVersion) {
    let progress = VersionProgress::read(paths, &config.name);
    let pending = progress.pending.as_ref().and_then(|it| it.sha256.as_ref());
    if pending == Some(&now.sha256) {
        let progress = VersionProgress {
            pending: None,
            ..progress
        };
        if let Err(error) = progress.write(paths, &config.name) {
            tracing::warn!(driver.name = config.name.0, %error, "cannot note that a version waits no longer");
        }
    }
}

fn undecided(config: &DriverConfig, reason: DecisionError) -> ByNameError {
    ByNameError::Undecided {
        driver: config.name.clone(),
        reason,
    }
}

/// Whether a version may serve that driver, and can.
fn admitted(
    paths: &Paths,
    config: &DriverConfig,
    known: &KnownVersion,
) -> Result<Manifest, ByNameError> {
    file_rules::follow(config, &known.sha256)?;
    of_its_component(config, known)?;
    let sha256 = || known.sha256.clone();
    let gone = |source| ByNameError::Gone {
        sha256: sha256(),
        source,
    };
    let file = components::locate_digest(paths, &known.sha256).map_err(gone)?;
    active::check_required(config, &file.sha256, known.verified_by.as_deref())
        .map_err(ByNameError::NotRequired)?;
    let component = ComponentBytes::read(&file.path).map_err(gone)?;
    if component.sha256 != known.sha256 {
        let component = Box::new(component);
        return Err(ByNameError::Changed { component });
    }
    let compiled = compile::compile(paths, &component, config.limits.compile);
    let manifest = compiled.map_err(|source| ByNameError::Unfit {
        sha256: sha256(),
        source,
    })?;
    let problems = problems(&manifest.imports, &manifest.exports, &config.capabilities());
    if !problems.is_empty() {
        let driver = config.name.clone();
        return Err(ByNameError::NotGranted {
            sha256: sha256(),
            driver,
            problems,
        });
    }
    if known.known_as == KnownAs::Stored {
        same_component(paths, config, &manifest)?;
    }
    Ok(manifest)
}

fn of_its_component(config: &DriverConfig, known: &KnownVersion) -> Result<(), ByNameError> {
    match &known.component {
        Some(component) if *component != config.component => Err(ByNameError::OfFormer {
            sha256: known.sha256.clone(),
            component: component.clone(),
            driver: config.name.clone(),
            named: config.component.clone(),
        }),
        _ => Ok(()),
    }
}

/// Of versions that the driver never had, the store has those of other drivers too. Where nothing serves yet, the operator
/// alone knows.
fn same_component(
    paths: &Paths,
    config: &DriverConfig,
    manifest: &Manifest,
) -> Result<(), ByNameError> {
    let serving = active::ActiveVersions::new(paths.clone(), config.clone().into()).resolve();
    let serving = serving
        .component
        .ok()
        .and_then(|file| super::compiled::read_manifest(paths, &file.sha256).ok());
    match serving {
        Some(serving) if serving.description.name != manifest.description.name => {
            Err(ByNameError::OfAnother {
                sha256: manifest.component_sha256.clone(),
                found: manifest.description.name.clone(),
                driver: config.name.clone(),
                serving: serving.description.name,
            })
        }
        _ => Ok(()),
    }
}
