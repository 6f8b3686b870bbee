//! Follows the sources of components and the drivers' files of a node: whatever changes there is looked at, and what is
//! sound serves.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use super::activate::{Activation, Outcome};
use super::compile::manifest_of;
use super::manifest::Manifest;
use super::retain::remove_unused;
use super::source::SourceDirectory;
use super::source_contents::{Offer, join};
use super::version_progress::{RefusedVersion, Step, Subject, VersionProgress};
use super::watch::{POLL_INTERVAL, Stopper, Watch, Woken};
use super::watcher_lock::WatcherLock;
use crate::config::{self, ConfigError, DriverConfig, Paths};
use crate::error::GuestText;
use crate::sys;
use crate::volume::DriverName;
use crate::worker::client::Priority;

/// Between two looks whether the process that watches is still there.
const TAKE_OVER: Duration = Duration::from_millis(500);

/// A source that changes while it is read is read again, and no more often than that at once.
const LOOKS: usize = 8;

/// The versions that made what is mounted or attached on this node, by digest; the journal knows them.
pub trait VersionsInUse: Send {
    /// For one driver, as far as it can be told.
    fn of(&self, driver: &DriverName) -> BTreeSet<String>;

    /// For all of them; none where it cannot be told.
    fn all(&self) -> Option<BTreeSet<String>>;
}

/// Between two looks for versions that nothing needs any more.
const CLEANING: Duration = Duration::from_secs(600);

/// What a node follows.
pub struct Updates {
    paths: Paths,
    sources: Vec<SourceDirectory>,
    node: String,
    in_use: Box<dyn VersionsInUse>,
    watch: Watch,
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates")
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

impl Updates {
    /// From those sources, on the node of that name. Changes are heard from now on.
    ///
    /// # Errors
    /// Where no pipe is to be had.
    pub fn new(
        paths: Paths,
        sources: Vec<SourceDirectory>,
        node: String,
        in_use: impl VersionsInUse + 'static,
    ) -> std::io::Result<Self> {
        let directories = sources.iter().map(|source| source.path().to_owned());
        let watch = Watch::new(directories.chain([paths.drivers()]), POLL_INTERVAL)?;
        Ok(Self {
            paths,
            sources,
            node,
            in_use: Box::new(in_use),
            watch,
        })
    }

    /// What ends [`Self::follow`].
    pub fn stopper(&self) -> Stopper {
        self.watch.stopper()
    }

    /// Until it is stopped. While another process of the node watches, it waits for that one to end: two would look at
    /// everything twice.
    pub fn follow(mut self) {
        let Some(lock) = self.wait_for_lock() else {
            return;
        };
        self.remove_unfinished();
        self.warn_of_foreign_writers();
        let mut cleaned = Instant::now();
        loop {
            let next = self.look(Priority::Background);
            lock.renew();
            if cleaned.elapsed() > CLEANING {
                self.remove_unused();
                cleaned = Instant::now();
            }
            if self.watch.wait(next) == Woken::Stopped {
                return;
            }
        }
    }

    fn wait_for_lock(&mut self) -> Option<WatcherLock> {
        let mut has_told = false;
        loop {
            match WatcherLock::try_hold(&self.paths) {
                Ok(Some(lock)) => return Some(lock),
                Ok(None) => {}
                Err(error) if !has_told => {
                    tracing::error!(%error, "cannot watch for new versions; trying again");
                    has_told = true;
                }
                Err(_) => {}
            }
            if self.watch.wait(Instant::now() + TAKE_OVER) == Woken::Stopped {
                return None;
            }
        }
    }

    /// Looks at everything once, and returns when to look again at the latest.
    pub fn look(&self, priority: Priority) -> Instant {
        let mut next = Instant::now() + POLL_INTERVAL;
        for _ in 0..LOOKS {
            let (has_changed, waits) = self.look_once(priority);
            if let Some(seconds) = waits {
                next = next.min(Instant::now() + Duration::from_secs(seconds));
            }
            if !has_changed {
                break;
            }
        }
        next
    }

    fn look_once(&self, priority: Priority) -> (bool, Option<u64>) {
        let drivers = match config::load_each_driver(&self.paths) {
            Ok(drivers) => drivers,
            Err(error) => {
                tracing::error!(%error, "cannot look for changed drivers");
                return (false, None);
            }
        };
        let offer = join(self.sources.iter().map(SourceDirectory::read).collect());
        let (mut has_changed, mut waits) = (false, None::<u64>);
        for (name, driver) in drivers {
            let outcome = match driver {
                Ok(driver) => self.look_for(&driver, &offer, priority),
                Err(error) => {
                    self.note_wrong_file(&name, &error);
                    continue;
                }
            };
            match outcome {
                Outcome::SourceChanged => has_changed = true,
                Outcome::Waits(seconds) => {
                    waits = Some(waits.map_or(seconds, |known| known.min(seconds)));
                }
                // What was looked at in its place is not needed any more, or what served before it.
                Outcome::Activated | Outcome::Held | Outcome::Rejected | Outcome::Refused => {
                    self.remove_unused();
                }
                Outcome::Known => {}
            }
        }
        (has_changed, waits)
    }

    /// A ConfigMap is everybody's to write where kubelet mounts it, so that it cannot be refused.
    fn warn_of_foreign_writers(&self) {
        for source in &self.sources {
            if let Err(error) = sys::check_directory(source.path()) {
                tracing::warn!(source = %source.path().display(), %error,
                    "others can deliver components there; let the drivers' files require digests or signatures");
            }
        }
    }

    /// Of a process that watched before this one and was killed.
    fn remove_unfinished(&self) {
        let paths = &self.paths;
        let [in_store, beside_store] = paths.retained();
        for directory in [
            paths.components(),
            in_store,
            beside_store,
            paths.compiled(),
            paths.versions(),
            paths.progress(),
        ] {
            sys::remove_unfinished(&directory);
        }
    }

    /// What stays too long costs space alone.
    fn remove_unused(&self) {
        let Some(in_use) = self.in_use.all() else {
            return;
        };
        match remove_unused(&self.paths, &in_use) {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => tracing::info!(
                versions = removed.join(", "),
                "removed versions that nothing needs"
            ),
            Err(error) => tracing::warn!(%error, "cannot remove versions that nothing needs"),
        }
    }

    fn look_for(&self, driver: &DriverConfig, offer: &Offer, priority: Priority) -> Outcome {
        self.note_file_as_right(&driver.name);
        self.note_problems(driver, offer);
        let in_use = || self.manifests_in_use(driver);
        let activation = Activation {
            paths: &self.paths,
            driver,
            in_use: &in_use,
            node: &self.node,
            priority,
        };
        activation.obey_driver_file();
        let taken_up = match offer.candidates.get(&driver.component) {
            Some(candidate) => activation.take_up(candidate),
            None => {
                activation.nothing_is_offered();
                Ok(Outcome::Known)
            }
        };
        // A new version brings the driver's file with it; where none serves by it, the one that does may.
        let outcome = match taken_up {
            Ok(Outcome::Activated) => Ok(Outcome::Activated),
            Ok(outcome) => activation.take_up_driver_file().map(|_| outcome),
            Err(error) => Err(error),
        };
        outcome.unwrap_or_else(|error| {
            tracing::error!(driver.name = driver.name.0, %error, "cannot look for a new version");
            Outcome::Refused
        })
    }

    /// Of versions that are gone nothing is known, and nothing can be compared.
    fn manifests_in_use(&self, driver: &DriverConfig) -> Vec<Manifest> {
        let digests = self.in_use.of(&driver.name);
        let known = |sha256: &String| manifest_of(&self.paths, sha256, driver.limits.compile);
        digests.iter().filter_map(known).collect()
    }

    /// What lies in the sources and does not count, as far as it is this driver's; it is noted for as long as it is so.
    fn note_problems(&self, driver: &DriverConfig, offer: &Offer) {
        let is_offered = offer.candidates.contains_key(&driver.component);
        let concerns = offer
            .problems
            .iter()
            .filter(|problem| match &problem.component {
                Some(component) => *component == driver.component,
                None => !is_offered,
            });
        let reasons: Vec<GuestText> = concerns
            .map(|problem| GuestText::sentence(&problem.reason))
            .collect();
        self.note(&driver.name, Subject::Sources, SOURCES, &reasons);
    }

    /// What was noted of one that could not be read; whether it fits is found out next.
    fn note_file_as_right(&self, driver: &DriverName) {
        let progress = VersionProgress::read(&self.paths, driver);
        let is_unreadable =
            |it: &RefusedVersion| it.of == Subject::DriverFile && it.content.is_none();
        if progress.refused.iter().any(is_unreadable) {
            self.note(driver, Subject::DriverFile, DRIVER_FILE, &[]);
        }
    }

    fn note_wrong_file(&self, driver: &DriverName, error: &ConfigError) {
        let reason = GuestText::sentence(&error.to_string());
        self.note(driver, Subject::DriverFile, DRIVER_FILE, &[reason]);
    }

    /// Replaces what was noted of that, where it is something else now.
    fn note(&self, driver: &DriverName, of: Subject, head: &str, reasons: &[GuestText]) {
        let mut progress = VersionProgress::read(&self.paths, driver);
        let noted = |known: &&RefusedVersion| known.of == of;
        let before: Vec<&GuestText> = progress
            .refused
            .iter()
            .filter(noted)
            .map(|it| &it.reason)
            .collect();
        if before.iter().copied().eq(reasons) {
            return;
        }
        progress.refused.retain(|known| known.of != of);
        for reason in reasons {
            tracing::error!(
                driver.name = driver.0,
                reason = reason.as_str(),
                "no version can come from there; the one that serves goes on"
            );
            progress.refused.push(RefusedVersion {
                sha256: None,
                step: Step::Read,
                reason: reason.clone(),
                since: sys::now_seconds(),
                source: head.to_owned(),
                content: None,
                of,
                tries: 1,
                again_at: None,
            });
        }
        if let Err(error) = progress.write(&self.paths, driver) {
            tracing::warn!(driver.name = driver.0, %error, "cannot note what is wrong with the sources");
        }
    }
}

/// Under which what is wrong with the sources is noted.
const SOURCES: &str = "--components-from";

/// Under which a wrong driver's file is.
const DRIVER_FILE: &str = "drivers.d";
