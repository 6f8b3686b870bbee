//! `wasi:random`: the kernel's random bytes, for those who want good ones and for those who do not mind.

use super::interface::Interface;
use crate::sys;

/// Bytes at once. Runtimes take a seed, and browsers give their programs 64 KiB (Web Cryptography,
/// `getRandomValues`); who wants more asks again, and is asked whether its time is up in between.
const MAX_BYTES: u64 = 1 << 20;

pub(super) fn define(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("get-random-bytes", |_, (count,)| Ok((bytes(count)?,)))?;
    interface.func_wrap("get-random-u64", |_, ()| Ok((number()?,)))
}

pub(super) fn define_insecure(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("get-insecure-random-bytes", |_, (count,)| {
        Ok((bytes(count)?,))
    })?;
    interface.func_wrap("get-insecure-random-u64", |_, ()| Ok((number()?,)))
}

pub(super) fn define_seed(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("insecure-seed", |_, ()| Ok(((number()?, number()?),)))
}

fn bytes(count: u64) -> wasmtime::Result<Vec<u8>> {
    let count = usize::try_from(count.min(MAX_BYTES + 1))?;
    wasmtime::ensure!(
        count as u64 <= MAX_BYTES,
        "the guest wants more than {MAX_BYTES} random bytes at once"
    );
    let mut bytes = vec![0; count];
    sys::fill_randomly(&mut bytes)?;
    Ok(bytes)
}

fn number() -> wasmtime::Result<u64> {
    let mut bytes = [0; 8];
    sys::fill_randomly(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
