//! The guests' build: their workspace's crates to core modules by whichever compiler is there, then to
//! components.
//!
//! Always for `wasm32-unknown-unknown`: a WASI target would add thirteen imports that nobody granted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::component;
use crate::packages;
use crate::process::{self, Echo, answer, command};
use crate::steps::say;
use crate::workspace::Workspace;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler for WebAssembly, its library's source and its linker; it lives beside rustup's.
const DEBIAN_PACKAGES: [&str; 4] = ["cargo-web", "lld-19", "rust-web-src", "rustc-web"];

const NO_COMPILER: &str = "no compiler for guests; run `cargo xtask setup build`";

/// What can build guests on this machine.
#[derive(Clone, Copy)]
pub(crate) enum Compiler {
    /// The pinned toolchain, with the target added to it.
    Rustup,
    /// Debian's, which builds the standard library along with the guests.
    Debian,
}

impl Compiler {
    /// The best one that is installed.
    pub(crate) fn find() -> Result<Option<Self>> {
        let targets =
            answer(command("rustup").args(["target", "list", "--installed"])).unwrap_or_default();
        if targets.lines().any(|target| target == TARGET) {
            return Ok(Some(Self::Rustup));
        }
        Ok(packages::missing(&DEBIAN_PACKAGES)?
            .is_empty()
            .then_some(Self::Debian))
    }

    /// Adds the target to the pinned toolchain, or, where its server is out of reach, installs Debian's.
    pub(crate) fn install() -> Result<()> {
        let mut rustup = command("timeout");
        rustup.args(["60", "rustup", "target", "add", TARGET]);
        if process::run(&mut rustup, Echo::Silent).is_ok() {
            return Ok(());
        }
        say(format_args!(
            "rustup cannot add {TARGET} here; installing Debian's {}",
            DEBIAN_PACKAGES.join(" ")
        ));
        packages::install(&DEBIAN_PACKAGES)
    }

    fn cargo(self) -> Command {
        match self {
            Self::Rustup => command("cargo"),
            Self::Debian => debian_cargo(),
        }
    }

    /// Debian ships no compiled standard library for this target.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Rustup => &[],
            Self::Debian => &["-Zbuild-std=std,panic_abort"],
        }
    }
}

/// What the compiler that builds guests says of itself.
pub(crate) fn compiler() -> Result<String> {
    let compiler = Compiler::find()?.context(NO_COMPILER)?;
    let rustc = match compiler {
        Compiler::Rustup => "rustc",
        Compiler::Debian => "/usr/bin/rustc",
    };
    Ok(answer(command(rustc).arg("--version"))?.trim().to_owned())
}

fn debian_cargo() -> Command {
    let mut cargo = command("/usr/bin/cargo");
    // Set by rustup's cargo for this process; Debian's must not follow them.
    for variable in [
        "CARGO",
        "LD_LIBRARY_PATH",
        "RUSTUP_TOOLCHAIN",
        "RUSTC_WRAPPER",
    ] {
        cargo.env_remove(variable);
    }
    cargo
        .env("RUSTC", "/usr/bin/rustc")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
    // Building the library is not stable; the release is otherwise the same.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    // A panic's message has nowhere to go here, and what formats it is a tenth of a small guest.
    cargo.env(
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
        "-Zunstable-options -Cpanic=immediate-abort",
    );
    cargo
}

/// Builds every guest and writes its component; `setup` must have found a compiler.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let compiler = Compiler::find()?.context(NO_COMPILER)?;
    let target = workspace.target().join("guests");
    let mut cargo = compiler.cargo();
    cargo.current_dir(workspace.guests()).args([
        "build",
        "--release",
        "--workspace",
        "--target",
        TARGET,
    ]);
    cargo
        .args(compiler.flags())
        .arg("--target-dir")
        .arg(&target);
    // A flag meant for the host's code generator is none of the guests'.
    cargo
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    process::run(&mut cargo, Echo::Live)?;
    fs::create_dir_all(workspace.components())?;
    for guest in find(workspace)? {
        guest.encode(
            &target.join(TARGET).join("release"),
            &workspace.components(),
        )?;
    }
    Ok(())
}

/// A crate that builds one module.
struct Guest {
    name: String,
    library: String,
}

impl Guest {
    fn encode(&self, modules: &Path, components: &Path) -> Result<()> {
        let module = modules.join(&self.library).with_extension("wasm");
        let module =
            fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
        let component =
            component::encode(&module).with_context(|| format!("{} is no component", self.name))?;
        let path = components.join(format!("{}.wasm", self.name));
        put(&path, &component)?;
        let kilobytes = component.len().div_ceil(1000);
        say(format_args!("      {} {kilobytes} kB", path.display()));
        Ok(())
    }
}

/// Replaces a file in one step, as a host that watches its directory must never see half a component.
fn put(path: &Path, content: &[u8]) -> Result<()> {
    let partial: PathBuf = path.with_extension("wasm.partial");
    fs::write(&partial, content).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::rename(&partial, path).with_context(|| format!("cannot put {} in place", path.display()))
}

fn find(workspace: &Workspace) -> Result<Vec<Guest>> {
    let guests = select(&workspace.metadata(&workspace.guests())?);
    ensure!(!guests.is_empty(), "no crate in guests/ builds a cdylib");
    Ok(guests)
}

/// The crates in cargo's metadata that build a `cdylib`; others, such as an SDK, are libraries to them.
fn select(metadata: &serde_json::Value) -> Vec<Guest> {
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let is_module =
        |target: &serde_json::Value| list(&target["kind"]).iter().any(|kind| kind == "cdylib");
    let mut guests = Vec::new();
    for package in list(&metadata["packages"]) {
        if let Some(module) = list(&package["targets"]).into_iter().find(is_module) {
            guests.push(Guest {
                name: text(&package["name"]),
                library: text(&module["name"]).replace('-', "_"),
            });
        }
    }
    guests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crates_that_build_modules_are_guests() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "cloud-disk", "targets": [{ "name": "cloud_disk", "kind": ["cdylib"] }] },
            { "name": "sdk", "targets": [{ "name": "sdk", "kind": ["lib"] }] },
        ]});
        let guests = select(&metadata);
        assert_eq!(guests.len(), 1);
        assert_eq!(
            (guests[0].name.as_str(), guests[0].library.as_str()),
            ("cloud-disk", "cloud_disk")
        );
    }
}
