//! A component that was just compiled is asked who it is, with nothing granted, under the same limits as any call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use super::call::CallSetup;
use super::clock::Clock;
use super::guest::Guest;
use super::state::State;
use super::wasi;
use crate::capability::{self, DriverState};
use crate::config::Limits;
use crate::error::DriverError;
use crate::grant::{Capability, Grants};
use crate::store::{self, Description, Manifest, SelfTestError};
use crate::worker::{Fault, FaultKind, Reply, Request, WorkerClient};

/// A guest that needs longer to say its name is broken. Milliseconds are usual; but a machine from which its host
/// takes the processors counts that time as the guest's, and operators cannot set these limits.
const DESCRIBE_CPU: Duration = Duration::from_secs(6);
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(30);

/// What a component says of itself.
///
/// # Errors
/// [`SelfTestError`].
pub fn self_test(
    engine: Engine,
    component: &Component,
    manifest: &Manifest,
) -> Result<Description, SelfTestError> {
    let ready = link_for_description(&engine, component, &manifest.imports)
        .map_err(SelfTestError::Unfit)?;
    describe(engine, ready, manifest).map_err(SelfTestError::Broken)
}

fn describe(
    engine: Engine,
    ready: InstancePre<State>,
    manifest: &Manifest,
) -> Result<Description, DriverError> {
    let guest = Guest {
        clock: Arc::new(Clock::new(engine.clone())),
        engine,
        ready,
        grants: Grants::default(),
        limits: Limits {
            cpu: DESCRIBE_CPU,
            deadline: DESCRIBE_DEADLINE,
            ..Limits::default()
        },
        manifest: Arc::new(manifest.clone()),
    };
    guest.describe(CallSetup {
        worker: Box::new(NoWorker),
        deadline: Instant::now() + DESCRIBE_DEADLINE,
        driver: DriverState::of_nobody(),
    })
}

/// For describing a component before anyone granted anything: all we have is linked and denies.
fn link_for_description(
    engine: &Engine,
    component: &Component,
    imports: &[String],
) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = Linker::new(engine);
    capability::link_types(&mut linker, State::context)?;
    for capability in Capability::ALL {
        capability::link(&mut linker, capability, State::context)?;
    }
    if store::wants_wasi(imports) {
        wasi::link(&mut linker, engine, component)?;
    }
    linker.instantiate_pre(component)
}

/// For a guest that has been granted nothing.
struct NoWorker;

impl WorkerClient for NoWorker {
    fn call(&mut self, _request: Request, _deadline: Instant) -> Result<Reply, Fault> {
        Err(Fault {
            kind: FaultKind::Denied,
            message: "nothing is granted while a component is described".to_owned(),
        })
    }
}
