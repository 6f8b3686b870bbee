//! `volume_health`, `list_volume_health`, `node_volume_health`: what is wrong with volumes.
//!
//! The controller has it from the backend. On a node the host looks at what it mounted, and asks the guest besides. A
//! volume that hangs is the one that is asked about, so no lock is waited for, and a server is asked by a worker that
//! can be killed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::health_conditions::{HealthConditions, Reason};
use super::lock::LockScope;
use super::mount_table::{cached_mount, is_as_recorded, is_from_server};
use super::mounted_volume::candidate_paths;
use super::request::VolumeReference;
use super::session::Session;
use super::stale_mount::StaleMount;
use crate::error::{Condition, DriverError};
use crate::journal::{MountRecord, Progress};
use crate::store::Export;
use crate::sys::{MountEntry, errors_met};
use crate::volume::{
    Health, HealthCondition, PageToken, Parameters, Severity, VolumeHealthPage, VolumeId, VolumeKey,
};
use crate::worker::Fault;

/// For one server to say how full it is, which takes milliseconds where nothing is wrong. kubelet asks again soon, and
/// asks about all volumes of the node.
const SERVER_TIME: Duration = Duration::from_secs(5);

/// What is known of a volume on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It is mounted here, or is meant to be.
    Known,
    /// Nobody here has heard of it.
    Unheard,
}

impl Session {
    /// What is wrong with a volume, as the backend knows it.
    ///
    /// # Errors
    /// `not-found`.
    pub fn volume_health(&self, id: &VolumeId) -> Result<Vec<HealthCondition>, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.guest_with(&operation, Export::VolumeHealth, "tell a volume's health")?;
        guest.get_volume_health(operation.setup(), id)
    }

    /// A page of the volumes with which something is wrong; 0 entries means as many as the backend gives at once.
    ///
    /// # Errors
    /// `in-progress` for a token that is not valid.
    pub fn list_volume_health(
        &self,
        max_entries: u32,
        from: Option<&PageToken>,
    ) -> Result<VolumeHealthPage, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let export = Export::VolumeHealthListing;
        let guest = self.guest_with(&operation, export, "list the health of volumes")?;
        guest.list_volume_health(operation.setup(), max_entries, from)
    }

    /// What is wrong with a volume on this node: where the caller says that it is or should be mounted, and wherever
    /// the journal has it.
    ///
    /// # Errors
    /// `not-found` where nobody here has heard of it.
    pub fn node_volume_health(
        &self,
        key: &VolumeKey,
        named: &[PathBuf],
    ) -> Result<Vec<HealthCondition>, DriverError> {
        let mut found = HealthConditions::default();
        let presence = self.look_at_mounts(key, named, &mut found)?;
        // Whoever asked the same server now would wait as long.
        if !found.has(Reason::ServerUnreachable) {
            self.ask_the_guest(key, presence, &mut found)?;
        }
        Ok(found.into_list())
    }

    fn look_at_mounts(
        &self,
        key: &VolumeKey,
        named: &[PathBuf],
        found: &mut HealthConditions,
    ) -> Result<Presence, DriverError> {
        let record = self.shared.journal.load_shared(key)?;
        let mounts = record.as_deref().map_or(&[][..], |it| it.mounts.as_slice());
        for noted in mounts {
            let is_named = || {
                named
                    .iter()
                    .any(|at| candidate_paths(key, at).any(|path| path == noted.path))
            };
            match cached_mount(&noted.path)? {
                _ if noted.progress != Progress::Done => {}
                Some(entry) if is_as_recorded(noted, &entry) => {
                    self.examine(&noted.path, Some(noted), &entry, found)?;
                }
                // Elsewhere it was unmounted for a reason, as by a reboot.
                _ if is_named() => found.add_not_mounted(&noted.path),
                _ => {}
            }
        }
        let elsewhere = self.look_where_others_mount(key, named, mounts, found)?;
        let is_noted = record.as_deref().is_some_and(|record| !record.is_empty());
        Ok(match is_noted || elsewhere == Presence::Known {
            true => Presence::Known,
            false => Presence::Unheard,
        })
    }

    /// What another driver mounted is not in the journal; whether it is the volume, the guest says.
    fn look_where_others_mount(
        &self,
        key: &VolumeKey,
        named: &[PathBuf],
        mounts: &[MountRecord],
        found: &mut HealthConditions,
    ) -> Result<Presence, DriverError> {
        let mut presence = Presence::Unheard;
        for at in named {
            let paths: Vec<PathBuf> = candidate_paths(key, at).collect();
            if mounts.iter().any(|noted| paths.contains(&noted.path)) {
                continue;
            }
            match self.mounted_at(key, at) {
                Ok(mounted) => {
                    presence = Presence::Known;
                    self.examine(&mounted.path, None, &mounted.entry, found)?;
                }
                Err(error) if error.condition() == Condition::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(presence)
    }

    /// One mount of the volume.
    fn examine(
        &self,
        path: &Path,
        noted: Option<&MountRecord>,
        entry: &MountEntry,
        found: &mut HealthConditions,
    ) -> Result<(), DriverError> {
        if is_from_server(entry) {
            // One answer is enough: all mounts of a volume are of one server.
            if !found.has(Reason::ServerUnreachable) {
                let silent = self.answers(path, entry);
                silent.or_else(|fault| found.add_fault(path, fault))?;
            }
            return Ok(());
        }
        match noted.and_then(|noted| StaleMount::of(noted, entry)) {
            Some(stale) => found.add_stale(path, &stale),
            None => match errors_met(entry) {
                Some(count) if count > 0 => found.add_filesystem_errors(path, count),
                Some(_) | None => {}
            },
        }
        Ok(())
    }

    /// Whether the server of a mount does.
    pub(super) fn answers(&self, path: &Path, entry: &MountEntry) -> Result<(), Fault> {
        let now = Instant::now();
        let until = self.deadline(now).min(now + SERVER_TIME);
        self.shared.measuring.measure(path, entry, until).map(drop)
    }

    fn ask_the_guest(
        &self,
        key: &VolumeKey,
        presence: Presence,
        found: &mut HealthConditions,
    ) -> Result<(), DriverError> {
        let health = self.node_health(&VolumeReference {
            key: key.clone(),
            id: VolumeId(key.0.clone()),
            context: Parameters::default(),
        })?;
        let (severity, message) = match health {
            // A guest that looks for a disk has found it; one whose volumes are on servers has nothing to look at.
            Health::Ok if presence == Presence::Unheard && found.is_empty() => {
                return match self.capabilities()?.local_filesystem() {
                    true => Ok(()),
                    false => Err(unheard_of(key)),
                };
            }
            Health::Ok => return Ok(()),
            Health::Degraded(message) => (Severity::Degraded, message),
            Health::Inaccessible(message) => (Severity::Inaccessible, message),
        };
        found.add_reported(severity, message);
        Ok(())
    }
}

fn unheard_of(key: &VolumeKey) -> DriverError {
    DriverError::not_found(format!(
        "volume {:?} is not mounted on this node, and nothing here has mounted it",
        key.0
    ))
}
