//! From a driver's configuration to a guest that can be called.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use wasmtime::Engine;
use wasmtime::component::{InstancePre, Linker};

use super::call::{LineSource, TraceDetail};
use super::clock::Clock;
use super::state::State;
use super::{host, wasi};
use crate::config::{DriverConfig, Limits, Paths};
use crate::error::DriverError;
use crate::grant::Capability;
use crate::store::{self, CallEnd, CompiledError, ComponentFile, Manifest, Trial};

/// Versions of one driver's component that stay loaded: the current one, and those that volumes in use were
/// made by.
const KEPT: usize = 4;

/// Loads guests of one driver. Cheap to make: the engine comes with the first guest.
pub struct Runtime {
    paths: Paths,
    traces: TraceDetail,
    loaded: Mutex<Loaded>,
    /// Held by whoever loads: all callers come at once when another version serves, and each would load it.
    loading: Mutex<()>,
}

/// What was loaded once, for the calls that follow in this process.
#[derive(Default)]
struct Loaded {
    engine: Option<(Engine, Arc<Clock>)>,
    /// The least recently loaded first.
    guests: Vec<LoadedGuest>,
    /// Of the component that was asked about last, which may never be called in this process.
    manifest: Option<Arc<Manifest>>,
}

/// A guest, and whom it was linked for.
struct LoadedGuest {
    config: Arc<DriverConfig>,
    guest: Arc<Guest>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

/// A component, loaded and linked for one driver.
pub struct Guest {
    pub(super) engine: Engine,
    pub(super) clock: Arc<Clock>,
    pub(super) ready: InstancePre<State>,
    pub(super) limits: Limits,
    /// Where its calls are counted; none that serve no driver are.
    pub(super) trial: Option<Trial>,
    /// Of its source, for its traces.
    pub(super) lines: LineSource,
    /// What is known of it.
    pub manifest: Arc<Manifest>,
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

impl Guest {
    /// What it answered cannot be true, as was found when it was used. The error is the guest's then.
    pub fn count_wrong_answer(&self) {
        self.count(CallEnd::WrongAnswer);
    }

    pub(super) fn count(&self, end: CallEnd) {
        if let Some(trial) = &self.trial {
            trial.count(end);
        }
    }
}

impl Runtime {
    /// For the components and compiled code beneath these paths.
    pub fn new(paths: Paths, traces: TraceDetail) -> Self {
        Self {
            paths,
            traces,
            loaded: Mutex::default(),
            loading: Mutex::default(),
        }
    }

    /// What is known of a driver's component. Neither compiles nor maps code.
    ///
    /// # Errors
    /// `failed-precondition` where it is not compiled yet.
    pub fn manifest(
        &self,
        config: &DriverConfig,
        file: &ComponentFile,
    ) -> Result<Arc<Manifest>, DriverError> {
        self.known_manifest(file).map_err(|error| {
            DriverError::failed_precondition(format!(
                "component {:?} is not ready on this node; run `drivebay install` or `drivebay compile {}`",
                config.component,
                file.path.display()
            ))
            .caused_by(error)
        })
    }

    /// The same before an operation that needs the code anyway: what is missing is compiled now.
    ///
    /// # Errors
    /// As for [`Self::guest`].
    pub fn prepared_manifest(
        &self,
        config: &DriverConfig,
        file: &ComponentFile,
        deadline: Instant,
    ) -> Result<Arc<Manifest>, DriverError> {
        self.known_manifest(file).or_else(|error| {
            tracing::warn!(error = %error, "compiling the component now");
            self.ask_for_compile(config, file, deadline)?;
            self.known_manifest(file)
                .map_err(|error| not_loadable(config, error))
        })
    }

    fn known_manifest(&self, file: &ComponentFile) -> Result<Arc<Manifest>, CompiledError> {
        let kept = self.lock().manifest.clone();
        if let Some(known) = kept.filter(|known| known.component_sha256 == file.sha256) {
            return Ok(known);
        }
        let manifest = match self.loaded(&file.sha256) {
            Some(guest) => Arc::clone(&guest.manifest),
            None => store::read_manifest(&self.paths, &file.sha256).map(Arc::new)?,
        };
        self.lock().manifest = Some(Arc::clone(&manifest));
        Ok(manifest)
    }

    /// What this process has loaded, the least recently loaded first: the version that serves calls now, as far as one
    /// came, and others that calls in flight or volumes in use are of.
    pub fn loaded_versions(&self) -> Vec<Arc<Manifest>> {
        let loaded = self.lock();
        let mut manifests: Vec<Arc<Manifest>> = Vec::new();
        for known in &loaded.guests {
            let manifest = &known.guest.manifest;
            let mut told = manifests.iter();
            // One that was linked for two states of the driver's file is one component.
            if !told.any(|it| it.component_sha256 == manifest.component_sha256) {
                manifests.push(Arc::clone(manifest));
            }
        }
        manifests
    }

    fn loaded(&self, sha256: &str) -> Option<Arc<Guest>> {
        let loaded = self.lock();
        let mut guests = loaded.guests.iter().map(|known| &known.guest);
        guests
            .find(|guest| guest.manifest.component_sha256 == sha256)
            .cloned()
    }

    /// What it was granted is part of a guest that is linked.
    fn loaded_for(&self, config: &Arc<DriverConfig>, sha256: &str) -> Option<Arc<Guest>> {
        let loaded = self.lock();
        let mut guests = loaded.guests.iter();
        guests
            .find(|known| {
                known.guest.manifest.component_sha256 == sha256
                    && Arc::ptr_eq(&known.config, config)
            })
            .map(|known| Arc::clone(&known.guest))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A certain version, kept for a volume it made.
    ///
    /// # Errors
    /// As for [`Self::guest`]; `failed-precondition` where it is gone.
    pub fn guest_of(
        &self,
        config: &Arc<DriverConfig>,
        sha256: &str,
        deadline: Instant,
    ) -> Result<Arc<Guest>, DriverError> {
        let file = store::locate_digest(&self.paths, sha256)
            .map_err(|error| DriverError::failed_precondition("it is gone").caused_by(error))?;
        self.guest(config, &file, deadline)
    }

    /// A component, ready to be called for a driver; compiled where that has not been done.
    ///
    /// # Errors
    /// `denied` or `failed-precondition` where it may not serve this driver or cannot.
    pub fn guest(
        &self,
        config: &Arc<DriverConfig>,
        file: &ComponentFile,
        deadline: Instant,
    ) -> Result<Arc<Guest>, DriverError> {
        let guest = match self.loaded_for(config, &file.sha256) {
            Some(guest) => guest,
            None => self.load_guest(config, file, deadline)?,
        };
        let version = guest.manifest.description.version.as_str();
        tracing::Span::current().record("component.version", version);
        Ok(guest)
    }

    fn load_guest(
        &self,
        config: &Arc<DriverConfig>,
        file: &ComponentFile,
        deadline: Instant,
    ) -> Result<Arc<Guest>, DriverError> {
        self.load_once(config, file)?.or_else(|error| {
            tracing::warn!(error = %error, "compiling the component now");
            self.ask_for_compile(config, file, deadline)?;
            self.load_once(config, file)?
                .map_err(|error| not_loadable(config, error))
        })
    }

    /// Whoever comes while another loads waits for that one, which is a matter of milliseconds; nobody waits here for a
    /// compile. The inner error is of the code.
    fn load_once(
        &self,
        config: &Arc<DriverConfig>,
        file: &ComponentFile,
    ) -> Result<Result<Arc<Guest>, CompiledError>, DriverError> {
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(guest) = self.loaded_for(config, &file.sha256) {
            return Ok(Ok(guest));
        }
        let (engine, clock) = self.engine()?;
        let (manifest, component) = match self.load(&engine, file) {
            Ok(loaded) => loaded,
            Err(error) => return Ok(Err(error)),
        };
        let guest = Arc::new(Guest {
            ready: link(&engine, &component, &manifest, config)?,
            engine,
            clock,
            limits: config.limits.clone(),
            trial: Some(Trial::new(
                self.paths.clone(),
                Arc::clone(config),
                &file.sha256,
            )),
            lines: self.traces.source(file),
            manifest: Arc::new(manifest),
        });
        let guests = &mut self.lock().guests;
        guests.push(LoadedGuest {
            config: Arc::clone(config),
            guest: Arc::clone(&guest),
        });
        if guests.len() > KEPT {
            guests.remove(0);
        }
        Ok(Ok(guest))
    }

    fn engine(&self) -> Result<(Engine, Arc<Clock>), DriverError> {
        let mut loaded = self.lock();
        if let Some(started) = &loaded.engine {
            return Ok(started.clone());
        }
        let engine = start_engine()?;
        let started = (engine.clone(), Arc::new(Clock::new(engine)));
        Ok(loaded.engine.insert(started).clone())
    }

    fn load(
        &self,
        engine: &Engine,
        file: &ComponentFile,
    ) -> Result<(Manifest, wasmtime::component::Component), CompiledError> {
        let manifest = store::read_manifest(&self.paths, &file.sha256)?;
        let component = store::load(engine, &self.paths, &manifest)?;
        Ok((manifest, component))
    }

    /// Whoever waited for another one finds the work done.
    fn ask_for_compile(
        &self,
        config: &DriverConfig,
        file: &ComponentFile,
        deadline: Instant,
    ) -> Result<(), DriverError> {
        store::have_compiled(&self.paths, config, file, deadline, || {
            let (engine, _) = self.engine()?;
            Ok(self.load(&engine, file).is_ok())
        })
    }
}

fn start_engine() -> Result<Engine, DriverError> {
    store::engine()
        .map_err(|error| DriverError::internal(format!("cannot start wasmtime: {error:#}")))
}

fn not_loadable(config: &DriverConfig, error: CompiledError) -> DriverError {
    DriverError::failed_precondition(format!("cannot load component {:?}", config.component))
        .caused_by(error)
}

fn link(
    engine: &Engine,
    component: &wasmtime::component::Component,
    manifest: &Manifest,
    config: &DriverConfig,
) -> Result<InstancePre<State>, DriverError> {
    let granted = config.capabilities();
    let problems = store::problems(&manifest.imports, &manifest.exports, &granted);
    if !problems.is_empty() {
        let message = format!(
            "component {:?} cannot serve driver {}: {}",
            config.component,
            config.name,
            store::in_words(&problems)
        );
        return Err(DriverError::denied(message));
    }
    let linked = link_granted(engine, component, manifest, &granted)
        .and_then(|linker| linker.instantiate_pre(component));
    linked.map_err(|error| {
        let message = format!(
            "component {:?} does not fit this host: {error:#}",
            config.component
        );
        DriverError::failed_precondition(message)
    })
}

/// Links what is both imported and granted, and nothing else.
fn link_granted(
    engine: &Engine,
    component: &wasmtime::component::Component,
    manifest: &Manifest,
    granted: &[Capability],
) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    host::link_types(&mut linker)?;
    for import in manifest.imported() {
        if import.needs().iter().all(|it| granted.contains(it)) {
            host::link(&mut linker, import)?;
        }
    }
    if store::wants_wasi(&manifest.imports) {
        wasi::link(&mut linker, engine, component)?;
    }
    Ok(linker)
}
