//! From a driver's configuration to a guest that can be called.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use wasmtime::Engine;
use wasmtime::component::{InstancePre, Linker};

use super::clock::Clock;
use super::compile_refusals::Refusal;
use super::components::ComponentFile;
use super::state::State;
use super::{CompiledError, Manifest, compiled, components, engine, imports, wasi};
use crate::capability;
use crate::config::{DriverConfig, Limits, Paths};
use crate::error::{Condition, DriverError};
#[cfg(feature = "compiler")]
use crate::grant::Capability;
use crate::grant::Grants;
use crate::sys::{self, Afterwards};
use crate::worker::client::{self, CompileLimits, CompilerError};

/// Versions of one driver's component that stay loaded: the current one, and those that volumes in use were
/// made by.
const KEPT: usize = 4;

/// Loads guests of one driver. Cheap to make: the engine comes with the first guest.
pub struct Runtime {
    paths: Paths,
    loaded: Mutex<Loaded>,
}

/// What was loaded once, for the calls that follow in this process.
#[derive(Default)]
struct Loaded {
    engine: Option<(Engine, Arc<Clock>)>,
    /// The least recently loaded first.
    guests: Vec<Arc<Guest>>,
    /// Of the component that was asked about last, which may never be called in this process.
    manifest: Option<Arc<Manifest>>,
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
    pub(super) grants: Grants,
    pub(super) limits: Limits,
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

impl Runtime {
    /// For the components and compiled code beneath these paths.
    pub fn new(paths: Paths) -> Self {
        Self {
            paths,
            loaded: Mutex::default(),
        }
    }

    /// What is known of a driver's current component. Neither compiles nor maps code.
    ///
    /// # Errors
    /// `not-found` without component, `failed-precondition` where it is not compiled yet or not allowed.
    pub fn manifest(&self, config: &DriverConfig) -> Result<Arc<Manifest>, DriverError> {
        let file = self.current(config)?;
        self.known_manifest(&file).map_err(|error| {
            DriverError::failed_precondition(format!(
                "component {:?} is not ready on this node; run `drivebay install` or `drivebay compile {}`",
                config.component,
                file.path.display()
            ))
            .caused_by(error)
        })
    }

    /// What was known of the component that was asked about last, without looking whether it still is the
    /// current one.
    pub fn last_manifest(&self) -> Option<Arc<Manifest>> {
        self.lock().manifest.clone()
    }

    /// The same before an operation that needs the code anyway: what is missing is compiled now.
    ///
    /// # Errors
    /// As for [`Self::current_guest`].
    pub fn prepared_manifest(
        &self,
        config: &DriverConfig,
        deadline: Instant,
    ) -> Result<Arc<Manifest>, DriverError> {
        let file = self.current(config)?;
        self.known_manifest(&file).or_else(|error| {
            tracing::warn!(error = %error, "compiling the component now");
            self.ask_for_compile(config, &file, deadline)?;
            self.known_manifest(&file)
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
            None => compiled::read_manifest(&self.paths, &file.sha256).map(Arc::new)?,
        };
        self.lock().manifest = Some(Arc::clone(&manifest));
        Ok(manifest)
    }

    fn loaded(&self, sha256: &str) -> Option<Arc<Guest>> {
        self.lock()
            .guests
            .iter()
            .find(|guest| guest.manifest.component_sha256 == sha256)
            .cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The driver's current guest.
    ///
    /// # Errors
    /// `not-found` without component, `failed-precondition` where it may not serve this driver.
    pub fn current_guest(
        &self,
        config: &DriverConfig,
        deadline: Instant,
    ) -> Result<Arc<Guest>, DriverError> {
        self.guest(config, &self.current(config)?, deadline)
    }

    /// The version that made a volume, for undoing what it did; the current one where that is gone, or where this host
    /// refuses what an earlier one ran.
    ///
    /// # Errors
    /// As for [`Self::current_guest`].
    pub fn guest_of(
        &self,
        config: &DriverConfig,
        sha256: &str,
        deadline: Instant,
    ) -> Result<Arc<Guest>, DriverError> {
        let of_then = match components::locate_digest(&self.paths, sha256) {
            Ok(file) => self.guest(config, &file, deadline),
            Err(error) => Err(DriverError::failed_precondition("it is gone").caused_by(error)),
        };
        match of_then {
            Err(error) if error.condition() == Condition::FailedPrecondition => {
                tracing::warn!(
                    component.sha256 = sha256,
                    error = error.chain(),
                    "the version that made the volume cannot be used; using the current one"
                );
                self.current_guest(config, deadline)
            }
            guest => guest,
        }
    }

    fn current(&self, config: &DriverConfig) -> Result<ComponentFile, DriverError> {
        let file =
            components::locate(&self.paths, &config.component).map_err(|error| match error {
                components::ComponentError::Missing { .. } => {
                    DriverError::not_found(error.to_string())
                }
                error @ (components::ComponentError::Io { .. }
                | components::ComponentError::Unreadable { .. }
                | components::ComponentError::TooLarge { .. }) => {
                    DriverError::unavailable("cannot load the driver").caused_by(error)
                }
            })?;
        if !config.require.allows_digest(&file.sha256) {
            let message = format!(
                "component {:?} has digest {}, which require.sha256 of driver {} does not list",
                config.component, file.sha256, config.name
            );
            return Err(DriverError::denied(message));
        }
        Ok(file)
    }

    fn guest(
        &self,
        config: &DriverConfig,
        file: &ComponentFile,
        deadline: Instant,
    ) -> Result<Arc<Guest>, DriverError> {
        let guest = match self.loaded(&file.sha256) {
            Some(guest) => guest,
            None => self.load_guest(config, file, deadline)?,
        };
        let version = guest.manifest.description.version.as_str();
        tracing::Span::current().record("component.version", version);
        Ok(guest)
    }

    fn load_guest(
        &self,
        config: &DriverConfig,
        file: &ComponentFile,
        deadline: Instant,
    ) -> Result<Arc<Guest>, DriverError> {
        let (engine, clock) = self.engine()?;
        let (manifest, component) = match self.load(&engine, file) {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::warn!(error = %error, "compiling the component now");
                self.ask_for_compile(config, file, deadline)?;
                self.load(&engine, file)
                    .map_err(|error| not_loadable(config, error))?
            }
        };
        let ready = link(&engine, &component, &manifest, config)?;
        let guest = Arc::new(Guest {
            engine,
            clock,
            ready,
            grants: config.grants.clone(),
            limits: config.limits.clone(),
            manifest: Arc::new(manifest),
        });
        let guests = &mut self.lock().guests;
        guests.push(Arc::clone(&guest));
        if guests.len() > KEPT {
            guests.remove(0);
        }
        Ok(guest)
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
        let manifest = compiled::read_manifest(&self.paths, &file.sha256)?;
        let component = compiled::load(engine, &self.paths, &manifest)?;
        Ok((manifest, component))
    }

    /// One compile at a time for each component; whoever waited finds the work done.
    fn ask_for_compile(
        &self,
        config: &DriverConfig,
        file: &ComponentFile,
        deadline: Instant,
    ) -> Result<(), DriverError> {
        self.paths.close().map_err(|error| {
            DriverError::failed_precondition("cannot rely on what the host keeps on this node")
                .caused_by(error)
        })?;
        let lock = self
            .paths
            .locks()
            .join(format!("compile-{}.lock", file.sha256));
        let lock = sys::Lock::acquire(&lock, deadline).map_err(|error| {
            DriverError::unavailable(format!(
                "cannot compile component {:?} now",
                config.component
            ))
            .caused_by(error)
            .from_process()
        })?;
        let _lock = lock.and(Afterwards::Goes);
        let (engine, _) = self.engine()?;
        if self.load(&engine, file).is_ok() {
            return Ok(());
        }
        let refusal = Refusal::of(&self.paths, &file.sha256, config.limits.compile);
        let compiled = match refusal.noted() {
            Some(reason) => Err(CompilerError::Refused(reason)),
            None => self.compile(&refusal, file, config.limits.compile, deadline),
        };
        compiled.map_err(|error| {
            DriverError::failed_precondition(format!(
                "cannot compile component {:?}",
                config.component
            ))
            .caused_by(error)
        })
    }

    fn compile(
        &self,
        refusal: &Refusal,
        file: &ComponentFile,
        limits: CompileLimits,
        deadline: Instant,
    ) -> Result<(), CompilerError> {
        let compiled = client::run_compiler(
            &self.paths.compiler(),
            &[
                "compile",
                &file.path.to_string_lossy(),
                "--compile-time",
                &format!("{}ms", limits.time.as_millis()),
                "--compile-memory",
                &format!("{}KiB", limits.memory_bytes >> 10),
            ],
            &self.paths.to_environment(),
            deadline,
        );
        match &compiled {
            Ok(()) => refusal.forget(),
            Err(CompilerError::Refused(reason)) => refusal.note(reason),
            Err(CompilerError::NotRun { .. } | CompilerError::TooSlow(_)) => {}
        }
        compiled
    }
}

fn start_engine() -> Result<Engine, DriverError> {
    engine::engine()
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
    let problems = imports::problems(&manifest.imports, &manifest.exports, &config.grants);
    if !problems.is_empty() {
        let reasons: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let message = format!(
            "component {:?} cannot serve driver {}: {}",
            config.component,
            config.name,
            reasons.join("; ")
        );
        return Err(DriverError::denied(message));
    }
    let linked = link_granted(engine, component, manifest, &config.grants)
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
    grants: &Grants,
) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    capability::link_types(&mut linker, State::context)?;
    for capability in
        imports::capabilities(&manifest.imports).filter(|capability| grants.includes(*capability))
    {
        capability::link(&mut linker, capability, State::context)?;
    }
    if imports::wants_wasi(&manifest.imports) {
        wasi::link(&mut linker, engine, component)?;
    }
    Ok(linker)
}

/// For describing a component before anyone granted anything: all we have is linked and denies.
#[cfg(feature = "compiler")]
pub(super) fn link_for_description(
    engine: &Engine,
    component: &wasmtime::component::Component,
    imports: &[String],
) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = Linker::new(engine);
    capability::link_types(&mut linker, State::context)?;
    for capability in Capability::ALL {
        capability::link(&mut linker, capability, State::context)?;
    }
    if imports::wants_wasi(imports) {
        wasi::link(&mut linker, engine, component)?;
    }
    linker.instantiate_pre(component)
}
