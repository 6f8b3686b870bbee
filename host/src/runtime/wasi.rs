//! The empty WASI, for guests whose language's runtime expects one.
//!
//! What is real: clocks, random numbers, and standard streams: nothing comes in, nothing goes out, and the end of
//! stderr is kept for the case that the guest breaks down. Everything else is a stand-in: there are no arguments, no
//! environment, no terminals and no directories; a socket, or an exit, ends the call. What is real is written here and
//! not taken from a library, because no function may outlast its call: those of a library wait on timers that know of no
//! deadline, in threads of their own.
//!
//! Nothing here allocates by a number that a guest gives, and [`poll`] is all that waits.

mod clocks;
mod interface;
mod poll;
mod random;
mod streams;

use interface::Interface;
use streams::Output;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::state::State;
use super::wasi_stubs;

/// The newest version of which these interfaces are known to be the same as in 0.2.0; the linker takes any
/// of that track for any other.
const VERSION: &str = "0.2.12";

const REAL: [&str; 11] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/wall-clock",
    "wasi:clocks/monotonic-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
];

/// Links it for a component that imports WASI.
pub(super) fn link(
    linker: &mut Linker<State>,
    engine: &Engine,
    component: &Component,
) -> wasmtime::Result<()> {
    link_real(linker)?;
    wasi_stubs::define_stubs(linker, engine, component, |name| {
        name.starts_with("wasi:") && !is_real(name)
    })
}

/// What is real; the names of all its functions.
fn link_real(linker: &mut Linker<State>) -> wasmtime::Result<Vec<String>> {
    let mut functions = Vec::new();
    for name in REAL {
        let mut interface = Interface {
            linked: linker.instance(&format!("{name}@{VERSION}"))?,
            functions: Vec::new(),
        };
        define(name, &mut interface)?;
        let named = |function: &String| format!("{name} {function}");
        functions.extend(interface.functions.iter().map(named));
    }
    Ok(functions)
}

fn define(name: &str, interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    match name {
        "wasi:io/error" => streams::define_errors(interface),
        "wasi:io/poll" => poll::define(interface),
        "wasi:io/streams" => streams::define(interface),
        "wasi:clocks/wall-clock" => clocks::define_wall(interface),
        "wasi:clocks/monotonic-clock" => clocks::define_monotonic(interface),
        "wasi:random/random" => random::define(interface),
        "wasi:random/insecure" => random::define_insecure(interface),
        "wasi:random/insecure-seed" => random::define_seed(interface),
        "wasi:cli/stdin" => streams::define_stdin(interface),
        "wasi:cli/stdout" => streams::define_output(interface, "get-stdout", Output::Nowhere),
        "wasi:cli/stderr" => streams::define_output(interface, "get-stderr", Output::Stderr),
        _ => wasmtime::bail!("{name} has no definition"),
    }
}

fn is_real(name: &str) -> bool {
    REAL.iter().any(|real| {
        name.strip_prefix(real)
            .is_some_and(|rest| rest.starts_with('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    /// Of each one in that list a test from outside asks whether it can outlast its call or take memory without
    /// end, and fails where it does not know one.
    #[test]
    fn every_function_is_in_the_list_of_those_that_are_tried() {
        let engine = store::engine().expect("an engine");
        let functions = link_real(&mut Linker::new(&engine)).expect("linked");
        let listed: Vec<&str> = include_str!("wasi/functions.txt").lines().collect();
        assert_eq!(functions, listed);
    }
}
