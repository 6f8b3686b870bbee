//! The empty WASI, for guests whose language's runtime expects one.
//!
//! What is real: clocks, random numbers, and standard streams that go nowhere. Everything else is a
//! stand-in: there are no arguments, no environment, no terminals and no directories; a socket, or an exit,
//! ends the call. The library's file system and sockets are not even linked, and with them goes most of the
//! code that ever needed a security fix.

use wasmtime::Engine;
use wasmtime::component::{Component, HasData, Linker, ResourceTable};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{cli, clocks, random, sync};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};

use super::absent;

const REAL: [&str; 11] = [
    "wasi:io/error@",
    "wasi:io/poll@",
    "wasi:io/streams@",
    "wasi:clocks/wall-clock@",
    "wasi:clocks/monotonic-clock@",
    "wasi:random/random@",
    "wasi:random/insecure@",
    "wasi:random/insecure-seed@",
    "wasi:cli/stdin@",
    "wasi:cli/stdout@",
    "wasi:cli/stderr@",
];

/// Links it for a component that imports WASI.
///
/// # Errors
/// From the linker.
pub(super) fn link<T: WasiView + 'static>(
    linker: &mut Linker<T>,
    engine: &Engine,
    component: &Component,
) -> wasmtime::Result<()> {
    sync::io::error::add_to_linker::<T, Table>(linker, |state| state.ctx().table)?;
    sync::io::poll::add_to_linker::<T, Table>(linker, |state| state.ctx().table)?;
    sync::io::streams::add_to_linker::<T, Table>(linker, |state| state.ctx().table)?;
    clocks::wall_clock::add_to_linker::<T, WasiClocks>(linker, T::clocks)?;
    clocks::monotonic_clock::add_to_linker::<T, WasiClocks>(linker, T::clocks)?;
    random::random::add_to_linker::<T, WasiRandom>(linker, T::random)?;
    random::insecure::add_to_linker::<T, WasiRandom>(linker, T::random)?;
    random::insecure_seed::add_to_linker::<T, WasiRandom>(linker, T::random)?;
    cli::stdin::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::stdout::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::stderr::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    absent::stand_in(linker, engine, component, |name| {
        name.starts_with("wasi:") && !REAL.iter().any(|real| name.starts_with(real))
    })
}

/// Handles of streams live in the call's own table.
struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}
