//! `wasi:io/poll`: sleeping, which is all that a guest can wait for by WASI.

use std::time::Instant;

use wasmtime::StoreContextMut;
use wasmtime::component::Resource;

use super::interface::Interface;
use crate::runtime::state::State;

/// What a `pollable` handle stands for: when it is ready.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pollable {
    /// Always: streams that go nowhere keep nobody waiting.
    Ready,
    /// From then on.
    At(Instant),
    /// At a time that no clock reaches.
    Never,
}

impl Pollable {
    /// Ready now, or later, or never.
    fn is_ready(self, now: Instant) -> bool {
        match self {
            Self::Ready => true,
            Self::At(when) => when <= now,
            Self::Never => false,
        }
    }

    fn when(self, now: Instant) -> Option<Instant> {
        match self {
            Self::Ready => Some(now),
            Self::At(when) => Some(when),
            Self::Never => None,
        }
    }
}

pub(super) fn define(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.resource::<Pollable>("pollable")?;
    interface.func_wrap("[method]pollable.ready", |store, (handle,)| {
        Ok((of(&store, &handle)?.is_ready(Instant::now()),))
    })?;
    interface.func_wrap("[method]pollable.block", |mut store, (handle,)| {
        let when = of(&store, &handle)?.when(Instant::now());
        store.data_mut().sleep_until(when)?;
        Ok(())
    })?;
    interface.func_wrap("poll", |store, (handles,): (Vec<_>,)| {
        Ok((poll(store, &handles)?,))
    })
}

/// Indices of those that are ready, at least one.
fn poll(
    mut store: StoreContextMut<'_, State>,
    handles: &[Resource<Pollable>],
) -> wasmtime::Result<Vec<u32>> {
    wasmtime::ensure!(!handles.is_empty(), "the guest polls nothing at all");
    let pollables = handles
        .iter()
        .map(|handle| of(&store, handle))
        .collect::<wasmtime::Result<Vec<_>>>()?;
    let now = Instant::now();
    let first = pollables.iter().filter_map(|one| one.when(now)).min();
    store.data_mut().sleep_until(first)?;
    let now = Instant::now();
    let ready = (0..).zip(&pollables).filter(|(_, one)| one.is_ready(now));
    Ok(ready.map(|(index, _)| index).collect())
}

fn of(
    store: &StoreContextMut<'_, State>,
    handle: &Resource<Pollable>,
) -> wasmtime::Result<Pollable> {
    Ok(*store.data().table.get(handle)?)
}
