//! A component that was just compiled is tried: it is asked who it is, and then what a driver's callers will ask it, as far
//! as that changes nothing.

mod read_only_calls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use super::call::{LineSource, NobodysCall};
use super::clock::Clock;
use super::guest::Guest;
use super::state::State;
use super::{host, wasi};
use crate::config::Limits;
use crate::store::{self, Description, Import, Interfaces, Manifest, SelfTestError};

/// A guest that needs longer to say its name is broken. Milliseconds are usual; but a machine from which its host
/// takes the processors counts that time as the guest's, and operators cannot set these limits.
const DESCRIBE_CPU: Duration = Duration::from_secs(6);
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(30);

/// What a component says of itself, once it has shown that it can be called.
///
/// # Errors
/// [`SelfTestError`]; the message of one that broke down names the function.
pub(crate) fn self_test(
    engine: &Engine,
    component: &Component,
    interfaces: &Interfaces,
    nobodys_call: NobodysCall,
) -> Result<Description, SelfTestError> {
    let ready = link_for_description(engine, component, &interfaces.imports)
        .map_err(SelfTestError::Unfit)?;
    let mut guest = undescribed(engine, ready, interfaces);
    let setup = nobodys_call(Instant::now() + DESCRIBE_DEADLINE);
    let description = guest.describe(setup).map_err(SelfTestError::Broken)?;
    guest.manifest = Arc::new(Manifest {
        description: description.clone(),
        ..manifest(interfaces)
    });
    read_only_calls::run(guest, nobodys_call).map_err(SelfTestError::Broken)?;
    Ok(description)
}

fn undescribed(engine: &Engine, ready: InstancePre<State>, interfaces: &Interfaces) -> Guest {
    Guest {
        clock: Arc::new(Clock::new(engine.clone())),
        engine: engine.clone(),
        ready,
        limits: Limits {
            cpu: DESCRIBE_CPU,
            deadline: DESCRIBE_DEADLINE,
            ..Limits::default()
        },
        trial: None,
        lines: LineSource::Untold,
        manifest: Arc::new(manifest(interfaces)),
    }
}

/// Digests are those of files, and this is in none.
fn manifest(interfaces: &Interfaces) -> Manifest {
    Manifest {
        component_sha256: String::new(),
        code_sha256: String::new(),
        imports: interfaces.imports.clone(),
        exports: interfaces.exports.clone(),
        description: Description::default(),
    }
}

/// For describing a component before anyone granted anything: all we have is linked and denies.
fn link_for_description(
    engine: &Engine,
    component: &Component,
    imports: &[String],
) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = Linker::new(engine);
    host::link_types(&mut linker)?;
    for import in Import::ALL {
        host::link(&mut linker, import)?;
    }
    if store::wants_wasi(imports) {
        wasi::link(&mut linker, engine, component)?;
    }
    linker.instantiate_pre(component)
}
