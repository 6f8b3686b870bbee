//! `componentize MODULE COMPONENT`: what `wasm-tools component new` does, with nothing to install.

use std::env::args_os;
use std::fs;

use anyhow::{Context, Result, bail};
use wit_component::ComponentEncoder;

fn main() -> Result<()> {
    let arguments: Vec<_> = args_os().skip(1).collect();
    let [module, component] = &arguments[..] else {
        bail!("usage: componentize MODULE COMPONENT");
    };
    let read = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let made = encoded(&read).with_context(|| format!("{} is no guest", module.display()))?;
    fs::write(component, made).with_context(|| format!("cannot write {}", component.display()))
}

fn encoded(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)?
        .encode()
}
