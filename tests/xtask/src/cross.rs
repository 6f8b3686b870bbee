//! What building for another architecture needs: a C compiler, for ring and for linking, and Rust's library for it.

use anyhow::{Context, Result};

use crate::architecture::Architecture;
use crate::packages;
use crate::process::{self, Echo, answer, command};
use crate::steps::Steps;

/// Installs what is missing.
pub(crate) fn ensure(architecture: Architecture, steps: &mut Steps) -> Result<()> {
    // The compiler merely recommends the library.
    let (compiler, libc) = (architecture.cross_compiler(), architecture.libc_package());
    let missing = packages::missing(&[compiler, &libc])?;
    if !missing.is_empty() {
        let about = format!("install {}", missing.join(" "));
        steps.another(about, || packages::install(&missing))?;
    }
    if has_library(architecture) {
        return Ok(());
    }
    let target = architecture.target();
    steps.another(format_args!("add {target} to the toolchain"), || {
        add_library(target)
    })
}

fn has_library(architecture: Architecture) -> bool {
    let targets = answer(command("rustup").args(["target", "list", "--installed"]));
    targets.is_ok_and(|targets| targets.lines().any(|it| it == architecture.target()))
}

fn add_library(target: &str) -> Result<()> {
    let mut rustup = command("rustup");
    rustup.args(["target", "add", target]);
    process::run(&mut rustup, Echo::Silent).map(drop).context(
        "rustup's server is out of reach; Debian has no library of this toolchain to do without",
    )
}
