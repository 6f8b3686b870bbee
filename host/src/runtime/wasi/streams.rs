//! `wasi:io/streams` and the standard streams: an input that has ended, an output that keeps nothing, and one that
//! keeps its end.
//!
//! Whatever may block by its name is done at once here.

use wasmtime::component::{ComponentType, Lower, Resource};

use super::interface::Interface;
use super::poll::Pollable;

/// Told to who asks how much it may write; a longer one is taken as well.
const PERMIT: u64 = 64 << 10;

/// An input that has ended.
struct Input;

/// Where an output leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Nothing of it is kept.
    Nowhere,
    /// What is written last may say why a guest breaks down.
    Stderr,
}

/// Why a stream failed. None ever does; the type has to be known.
struct Failure;

#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "a case of the interface that never comes up")]
    LastOperationFailed(Resource<Failure>),
    #[component(name = "closed")]
    Closed,
}

type Answer<T> = Result<T, StreamError>;

pub(super) fn define_errors(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.resource::<Failure>("error")?;
    interface.func_wrap(
        "[method]error.to-debug-string",
        |_, (_,): (Resource<Failure>,)| Ok((String::new(),)),
    )
}

pub(super) fn define(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.resource::<Input>("input-stream")?;
    for name in ["read", "blocking-read"] {
        interface.func_wrap(
            &format!("[method]input-stream.{name}"),
            |_, (_, _): (Resource<Input>, u64)| Ok((ended::<Vec<u8>>(),)),
        )?;
    }
    for name in ["skip", "blocking-skip"] {
        interface.func_wrap(
            &format!("[method]input-stream.{name}"),
            |_, (_, _): (Resource<Input>, u64)| Ok((ended::<u64>(),)),
        )?;
    }
    define_subscribe::<Input>(interface, "input-stream")?;
    interface.resource::<Output>("output-stream")?;
    define_writing(interface)?;
    define_subscribe::<Output>(interface, "output-stream")
}

fn define_writing(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap(
        "[method]output-stream.check-write",
        |_, (_,): (Resource<Output>,)| Ok((Answer::Ok(PERMIT),)),
    )?;
    for name in ["write", "blocking-write-and-flush"] {
        interface.func_wrap(
            &format!("[method]output-stream.{name}"),
            |mut store, (output, written): (Resource<Output>, Vec<u8>)| {
                let state = store.data_mut();
                if *state.table.get(&output)? == Output::Stderr {
                    state.stderr().keep(&written);
                }
                Ok((Answer::Ok(()),))
            },
        )?;
    }
    for name in ["flush", "blocking-flush"] {
        interface.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_, (_,): (Resource<Output>,)| Ok((Answer::Ok(()),)),
        )?;
    }
    for name in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        interface.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_, (_, _): (Resource<Output>, u64)| Ok((Answer::Ok(()),)),
        )?;
    }
    for name in ["splice", "blocking-splice"] {
        interface.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_, (_, _, _): (Resource<Output>, Resource<Input>, u64)| Ok((ended::<u64>(),)),
        )?;
    }
    Ok(())
}

fn ended<T>() -> Answer<T> {
    Err(StreamError::Closed)
}

fn define_subscribe<R: 'static>(
    interface: &mut Interface<'_>,
    resource: &str,
) -> wasmtime::Result<()> {
    interface.func_wrap(
        &format!("[method]{resource}.subscribe"),
        |mut store, (_,): (Resource<R>,)| Ok((store.data_mut().table.push(Pollable::Ready)?,)),
    )
}

pub(super) fn define_stdin(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("get-stdin", |mut store, ()| {
        Ok((store.data_mut().table.push(Input)?,))
    })
}

pub(super) fn define_output(
    interface: &mut Interface<'_>,
    name: &str,
    output: Output,
) -> wasmtime::Result<()> {
    interface.func_wrap(name, move |mut store, ()| {
        Ok((store.data_mut().table.push(output)?,))
    })
}
