//! One call: a fresh store, its limits armed before the guest's first instruction, one export, the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wasmtime::component::{Instance, Resource, ResourceTable};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::guest::Guest;
use super::limiter::{Budget, LimitError, Limiter};
#[cfg(feature = "compiler")]
use super::manifest::{Description, Need, Parameter, Scope};
use crate::bindings::drivebay::driver::types as wit;
use crate::bindings::exports::drivebay::driver as exports;
#[cfg(feature = "compiler")]
use crate::capability::plain_text;
use crate::capability::{CallContext, LogBudget, Target, from_wit};
use crate::error::DriverError;
use crate::sys::{Kernel, MountAccess, MountEntry};
use crate::volume::{Access, AccessType, NodeId, Parameters, VolumeId};

/// How often a running guest is asked whether its time is up. A call that ends sooner is never asked.
const TICK: Duration = Duration::from_millis(20);

/// Bytes a guest may have copied out of its memory by one host call: the largest file the contract lets
/// through is 64 KiB, a request body some hundred.
const HOST_CALL_BYTES: usize = 2 << 20;

/// Handles a guest may hold at once; none needs more than a few.
const MAX_HANDLES: usize = 256;

/// What a call needs besides its arguments.
pub struct CallSetup {
    /// The way to the kernel, holding the volume's lock.
    pub kernel: Box<dyn Kernel>,
    /// When everything has to be over.
    pub deadline: Instant,
}

impl std::fmt::Debug for CallSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallSetup")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// What belongs where.
#[derive(Debug)]
pub struct StageRequest<'a> {
    /// The backend's name of it.
    pub id: &'a VolumeId,
    /// The volume's parameters.
    pub context: &'a Parameters,
    /// What attaching returned.
    pub publish_context: &'a Parameters,
    /// Read-only or not.
    pub access: Access,
    /// Device or directory.
    pub kind: &'a AccessType,
    /// Where; checked by the caller, opened again by the worker.
    pub target: std::path::PathBuf,
    /// What is mounted there already.
    pub mounted: Option<MountEntry>,
}

/// A volume and a node.
#[derive(Debug)]
pub struct AttachRequest<'a> {
    /// The backend's name of the volume.
    pub id: &'a VolumeId,
    /// The volume's parameters.
    pub context: &'a Parameters,
    /// What attaching returned, where it happened already.
    pub publish_context: &'a Parameters,
    /// Which node.
    pub node: &'a NodeId,
}

/// Everything in the store of one call.
pub(super) struct State {
    context: CallContext,
    limiter: Limiter,
}

impl State {
    pub(super) fn context(&mut self) -> &mut CallContext {
        &mut self.context
    }
}

impl WasiView for State {
    /// Empty: no environment, no arguments, no files, no sockets, output discarded.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self
            .context
            .wasi
            .get_or_insert_with(|| WasiCtx::builder().build());
        WasiCtxView {
            ctx: wasi,
            table: &mut self.context.table,
        }
    }
}

impl Guest {
    /// `node.stage-volume`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn stage_volume(
        &self,
        setup: CallSetup,
        request: &StageRequest<'_>,
    ) -> Result<(), DriverError> {
        let access = match request.access {
            Access::ReadOnly => MountAccess::ReadOnly,
            Access::ReadWrite => MountAccess::ReadWrite,
        };
        let target = Target {
            path: request.target.clone(),
            access,
            mounted: request.mounted.clone(),
        };
        let arguments = exports::node::StageRequest {
            volume: volume(request.id, request.context, request.publish_context),
            access: access_word(request.access),
            kind: kind_word(request.kind),
        };
        self.call(setup, "stage-volume", |store, instance| {
            let node =
                exports::node::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            let target: Resource<Target> = store.data_mut().context.table.push(target)?;
            let lent = Resource::new_borrow(target.rep());
            node.call_stage_volume(&mut *store, &arguments, lent)
        })
    }

    /// `attachment.attach-volume`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn attach_volume(
        &self,
        setup: CallSetup,
        request: &AttachRequest<'_>,
        access: Access,
    ) -> Result<Parameters, DriverError> {
        let volume = volume(request.id, request.context, request.publish_context);
        let attached = self.call(setup, "attach-volume", |store, instance| {
            let attachment =
                exports::attachment::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            attachment.call_attach_volume(
                &mut *store,
                &volume,
                &request.node.0,
                access_word(access),
            )
        })?;
        Ok(Parameters::new(attached))
    }

    /// `attachment.detach-volume`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn detach_volume(
        &self,
        setup: CallSetup,
        request: &AttachRequest<'_>,
    ) -> Result<(), DriverError> {
        let volume = volume(request.id, request.context, request.publish_context);
        self.call(setup, "detach-volume", |store, instance| {
            let attachment =
                exports::attachment::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            attachment.call_detach_volume(&mut *store, &volume, &request.node.0)
        })
    }

    /// `attachment.is-attached`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn is_attached(
        &self,
        setup: CallSetup,
        request: &AttachRequest<'_>,
    ) -> Result<bool, DriverError> {
        let volume = volume(request.id, request.context, request.publish_context);
        self.call(setup, "is-attached", |store, instance| {
            let attachment =
                exports::attachment::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            attachment.call_is_attached(&mut *store, &volume, &request.node.0)
        })
    }

    /// `expansion.expand-volume`: the size afterwards, in bytes.
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn expand_volume(
        &self,
        setup: CallSetup,
        id: &VolumeId,
        context: &Parameters,
        required_bytes: u64,
    ) -> Result<u64, DriverError> {
        let volume = volume(id, context, &Parameters::default());
        let capacity = wit::CapacityRange {
            required_bytes: Some(required_bytes),
            limit_bytes: None,
        };
        self.call(setup, "expand-volume", |store, instance| {
            let expansion =
                exports::expansion::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            expansion.call_expand_volume(&mut *store, &volume, capacity)
        })
    }

    /// `identity.describe`
    #[cfg(feature = "compiler")]
    pub(super) fn describe(&self, setup: CallSetup) -> Result<Description, DriverError> {
        let said = self.call(setup, "describe", |store, instance| {
            let identity =
                exports::identity::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            identity.call_describe(&mut *store).map(Ok)
        })?;
        let parameters = said.parameters.into_iter().map(parameter).collect();
        Ok(Description {
            name: plain_text(&said.name),
            version: plain_text(&said.version),
            summary: plain_text(&said.summary),
            parameters,
        })
    }

    fn call<T>(
        &self,
        setup: CallSetup,
        export: &str,
        run: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<Result<T, wit::Error>>,
    ) -> Result<T, DriverError> {
        let mut store = self.store(setup);
        let ticker = Ticker::start(&self.engine).map_err(|error| {
            DriverError::exhausted("cannot start a clock for the guest").caused_by(error)
        })?;
        let outcome = self
            .ready
            .instantiate(&mut store)
            .and_then(|instance| run(&mut store, &instance));
        drop(ticker);
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(from_wit(error)),
            Err(error) => Err(self.breakdown(export, &error, &store)),
        }
    }

    fn store(&self, setup: CallSetup) -> Store<State> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let budget = Budget::start(&self.limits, setup.deadline);
        let context = CallContext {
            table,
            grants: self.grants.clone(),
            kernel: setup.kernel,
            deadline: setup.deadline,
            log: LogBudget::new(self.limits.log_lines),
            unanswered: None,
            wasi: None,
        };
        let mut store = Store::new(
            &self.engine,
            State {
                context,
                limiter: Limiter::new(&self.limits),
            },
        );
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.set_max_component_handles(MAX_HANDLES);
        // Armed before instantiation: start functions and language runtimes run inside it.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| match budget.check() {
            Ok(()) => Ok(UpdateDeadline::Continue(1)),
            Err(limit) => Err(wasmtime::Error::new(limit)),
        });
        store
    }

    /// A guest that broke down: which one, where, and on what.
    fn breakdown(
        &self,
        export: &str,
        error: &wasmtime::Error,
        store: &Store<State>,
    ) -> DriverError {
        let who = format!(
            "guest {} {} failed in {export}",
            self.manifest.description.name, self.manifest.description.version
        );
        tracing::error!(
            guest.export = export,
            error = format!("{error:?}"),
            "guest failed"
        );
        match error.downcast_ref::<LimitError>() {
            Some(limit @ LimitError::Cpu(_)) => DriverError::internal(who).caused_by(*limit),
            // The guest was only not given the time to pass it on.
            Some(limit @ LimitError::Deadline(_)) => match &store.data().context.unanswered {
                Some(fault) => DriverError::from(fault.clone()),
                None => DriverError::unavailable(who).caused_by(*limit),
            },
            None if store.data().limiter.refused() => {
                let bound = self.limits.memory_bytes >> 10;
                DriverError::internal(format!(
                    "{who}: it wanted more than {bound} KiB of memory (limits.memory)"
                ))
            }
            None => DriverError::internal(format!("{who}: {}", error.root_cause())),
        }
    }
}

fn volume(id: &VolumeId, context: &Parameters, publish_context: &Parameters) -> wit::Volume {
    wit::Volume {
        id: id.0.clone(),
        context: context.pairs().to_vec(),
        publish_context: publish_context.pairs().to_vec(),
    }
}

fn access_word(access: Access) -> wit::Access {
    match access {
        Access::ReadOnly => wit::Access::ReadOnly,
        Access::ReadWrite => wit::Access::ReadWrite,
    }
}

fn kind_word(kind: &AccessType) -> wit::AccessType {
    match kind {
        AccessType::Block => wit::AccessType::Block,
        AccessType::Filesystem {
            fs_type,
            mount_options,
        } => wit::AccessType::Filesystem(wit::FilesystemAccess {
            fs_type: fs_type.clone(),
            mount_options: mount_options.clone(),
        }),
    }
}

#[cfg(feature = "compiler")]
fn parameter(said: exports::identity::Parameter) -> Parameter {
    use exports::identity::{ParameterScope, Requirement};
    let scope = match said.scope {
        ParameterScope::Volume => Scope::Volume,
        ParameterScope::Creation => Scope::Creation,
        ParameterScope::Snapshot => Scope::Snapshot,
        ParameterScope::Modification => Scope::Modification,
    };
    let need = match said.need {
        Requirement::Required => Need::Required,
        Requirement::Optional => Need::Optional,
    };
    let default = said.default.as_deref().map(plain_text);
    Parameter {
        name: plain_text(&said.name),
        scope,
        need,
        default,
        meaning: plain_text(&said.meaning),
    }
}

/// Moves the engine's epoch on while a call runs. A tick that comes late is simply late: the budget is
/// measured in time, not in ticks.
struct Ticker {
    over: Arc<AtomicBool>,
    thread: std::thread::Thread,
}

impl Ticker {
    fn start(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let (engine, stop) = (engine.clone(), Arc::clone(&over));
        let ticking = std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::park_timeout(TICK);
                    engine.increment_epoch();
                }
            })?;
        Ok(Self {
            over,
            thread: ticking.thread().clone(),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}
