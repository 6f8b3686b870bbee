//! `wasi:clocks`: the time of day, and a clock that begins with the call.

use std::time::{Duration, Instant, SystemTime};

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lower, Resource};

use super::interface::Interface;
use super::poll::Pollable;
use crate::runtime::state::State;

/// Of both clocks, in nanoseconds.
const RESOLUTION: u32 = 1;

#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

pub(super) fn define_wall(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("now", |_, ()| {
        // A node whose clock is before 1970 is at its beginning.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Ok((datetime(since.unwrap_or_default()),))
    })?;
    interface.func_wrap("resolution", |_, ()| {
        Ok((datetime(Duration::from_nanos(RESOLUTION.into())),))
    })
}

fn datetime(since: Duration) -> Datetime {
    Datetime {
        seconds: since.as_secs(),
        nanoseconds: since.subsec_nanos(),
    }
}

pub(super) fn define_monotonic(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("now", |store, ()| {
        let since = begun(&store).elapsed().as_nanos();
        Ok((u64::try_from(since).unwrap_or(u64::MAX),))
    })?;
    interface.func_wrap("resolution", |_, ()| Ok((u64::from(RESOLUTION),)))?;
    interface.func_wrap("subscribe-instant", |store, (when,): (u64,)| {
        let begun = begun(&store);
        subscribe(store, begun, when)
    })?;
    interface.func_wrap("subscribe-duration", |store, (after,): (u64,)| {
        subscribe(store, Instant::now(), after)
    })
}

fn begun(store: &StoreContextMut<'_, State>) -> Instant {
    store.data().begun()
}

fn subscribe(
    mut store: StoreContextMut<'_, State>,
    from: Instant,
    nanoseconds: u64,
) -> wasmtime::Result<(Resource<Pollable>,)> {
    let when = from.checked_add(Duration::from_nanos(nanoseconds));
    let pollable = when.map_or(Pollable::Never, Pollable::At);
    Ok((store.data_mut().table.push(pollable)?,))
}
