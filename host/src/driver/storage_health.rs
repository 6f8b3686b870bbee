//! `storage_health`: what is wrong with the storage behind all volumes of a driver, seen from this node.
//!
//! The servers that volumes of this node come from are asked, each once however many volumes it has, and the disks are
//! looked for. Who asks, asks seldom: unlike calls for one volume, this one reads the whole journal of the driver.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::health_conditions::Reason;
use super::lock::LockScope;
use super::mount_table::{cached_mount, is_as_recorded, is_from_server};
use super::session::Session;
use super::stale_mount::StaleMount;
use crate::error::DriverError;
use crate::journal::{Progress, VolumeRecord};
use crate::store::Export;
use crate::sys::MountEntry;
use crate::volume::{StorageCondition, StorageSeverity};
use crate::worker::FaultKind;

/// Servers and volumes that a message names.
const NAMED: usize = 8;

/// What volumes of this node are on.
#[derive(Debug, Default)]
struct Storage {
    /// By name, with a mount of each to ask it by.
    servers: BTreeMap<String, (PathBuf, Arc<MountEntry>)>,
    /// Volumes whose disk is gone.
    lost_disks: BTreeSet<String>,
}

impl Session {
    /// What is wrong with it; nothing where no volume of the driver is mounted here.
    ///
    /// # Errors
    /// `unsupported` where the component does nothing on nodes.
    pub fn storage_health(&self) -> Result<Vec<StorageCondition>, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        self.guest_with(&operation, Export::Node, "report the health of storage")?;
        let mut storage = Storage::default();
        for record in self.shared.journal.records()? {
            storage.look_at(&record)?;
        }
        let silent = self.silent_servers(&storage)?;
        Ok(conditions(&storage, &silent))
    }

    /// Those that do not answer. One after the other, until the caller's deadline: a server that was not asked by then is
    /// none of them.
    fn silent_servers(&self, storage: &Storage) -> Result<Vec<String>, DriverError> {
        let until = self.deadline(Instant::now());
        let mut silent = Vec::new();
        for (server, (path, entry)) in &storage.servers {
            if Instant::now() >= until {
                break;
            }
            match self
                .answers(path, entry)
                .map_err(|fault| (fault.kind, fault))
            {
                // It answers: that it forgot a volume is the volume's health.
                Ok(()) | Err((FaultKind::Stale, _)) => {}
                Err((FaultKind::TimedOut | FaultKind::Stuck | FaultKind::Unreachable, _)) => {
                    silent.push(server.clone());
                }
                Err((_, fault)) => return Err(fault.into()),
            }
        }
        Ok(silent)
    }
}

impl Storage {
    fn look_at(&mut self, record: &VolumeRecord) -> Result<(), DriverError> {
        for noted in &record.mounts {
            let mounted = match noted.progress {
                Progress::Done => cached_mount(&noted.path)?,
                Progress::Intended | Progress::Adopting => None,
            };
            let Some(entry) = mounted.filter(|entry| is_as_recorded(noted, entry)) else {
                continue;
            };
            if is_from_server(&entry) {
                let server = server_of(&entry.source).to_owned();
                self.servers
                    .entry(server)
                    .or_insert_with(|| (noted.path.clone(), entry));
            } else if let Some(StaleMount::DiskGone) = StaleMount::of(noted, &entry) {
                self.lost_disks.insert(record.id().0);
            }
        }
        Ok(())
    }
}

/// `filer` of `filer:/share`; an IPv6 address has brackets.
fn server_of(source: &str) -> &str {
    let end = match source.starts_with('[') {
        true => source.find(']').map(|at| at + 1),
        false => source.find(':'),
    };
    source.get(..end.unwrap_or(source.len())).unwrap_or(source)
}

/// No two of them have severity and reason in common.
fn conditions(storage: &Storage, silent: &[String]) -> Vec<StorageCondition> {
    let all = storage.servers.len();
    let servers = (!silent.is_empty()).then(|| StorageCondition {
        severity: match silent.len() == all {
            true => StorageSeverity::Unreachable,
            false => StorageSeverity::Degraded,
        },
        reason: Reason::ServerUnreachable.name(),
        message: format!(
            "{} of the {all} servers that volumes of this node are on do not answer: {}",
            silent.len(),
            some_of(silent)
        ),
    });
    let lost: Vec<String> = storage.lost_disks.iter().cloned().collect();
    // Each disk is for itself: that some are gone says nothing of others.
    let disks = (!lost.is_empty()).then(|| StorageCondition {
        severity: StorageSeverity::Degraded,
        reason: Reason::DeviceMissing.name(),
        message: format!(
            "the disks of {} volumes that are mounted here are gone from this node: {}",
            lost.len(),
            some_of(&lost)
        ),
    });
    servers.into_iter().chain(disks).collect()
}

fn some_of(names: &[String]) -> String {
    let some = names.get(..NAMED).unwrap_or(names).join(", ");
    match names.len() > NAMED {
        true => format!("{some}, …"),
        false => some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::ToldBy;

    fn storage(servers: &[&str], lost: &[&str]) -> Storage {
        let entry = |source: &str| MountEntry {
            fs_type: "nfs4".into(),
            source: format!("{source}:/a"),
            root: "/".into(),
            device: "0:50".into(),
            read_only: false,
            told_by: ToldBy::Table,
        };
        let servers = servers.iter();
        Storage {
            servers: servers
                .map(|name| ((*name).to_owned(), ("/pod".into(), Arc::new(entry(name)))))
                .collect(),
            lost_disks: lost.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn told(storage: &Storage, silent: &[&str]) -> Vec<(StorageSeverity, &'static str)> {
        let silent: Vec<String> = silent.iter().map(|name| (*name).to_owned()).collect();
        let conditions = conditions(storage, &silent);
        conditions
            .iter()
            .map(|it| (it.severity, it.reason))
            .collect()
    }

    #[test]
    fn a_server_is_named_as_the_kernel_writes_it() {
        for (source, server) in [
            ("filer:/a", "filer"),
            ("10.0.0.1:/a:b", "10.0.0.1"),
            ("[fd00::1]:/a", "[fd00::1]"),
            ("filer", "filer"),
        ] {
            assert_eq!(server_of(source), server);
        }
    }

    #[test]
    fn storage_is_unreachable_only_where_no_server_answers() {
        let two = storage(&["a", "b"], &[]);
        assert_eq!(told(&two, &[]), []);
        assert_eq!(
            told(&two, &["a"]),
            [(StorageSeverity::Degraded, "ServerUnreachable")]
        );
        assert_eq!(
            told(&two, &["a", "b"]),
            [(StorageSeverity::Unreachable, "ServerUnreachable")]
        );
    }

    #[test]
    fn disks_that_are_gone_are_named_once_and_not_all_of_many() {
        let many: Vec<String> = (10..30).map(|number| format!("d-{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let lost = storage(&[], &many);
        assert_eq!(
            told(&lost, &[]),
            [(StorageSeverity::Degraded, "DeviceMissing")]
        );
        let message = &conditions(&lost, &[])[0].message;
        assert!(message.starts_with("the disks of 20 volumes"), "{message}");
        assert!(message.ends_with("d-17, …"), "{message}");
    }
}
