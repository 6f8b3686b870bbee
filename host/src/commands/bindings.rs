//! `drivebay bindings --language LANGUAGE`: a world of the contract in C or in Go, as wit-bindgen writes it.
//!
//! Authors in other languages have tools that read the contract by themselves. These have a compiler that does not, and
//! wit-bindgen's own command is in no registry but as its source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};

/// Where skeletons have the world, what it is called there, and where its bindings lie.
const WIT: &str = "wit";
const WORLD: &str = "backend";
const INTO: &str = "bindings";

/// A skeleton in Go is a module of this name.
const MODULE: &str = "backend";

/// Write the contract in C or Go anew, after a change of the skeleton's wit/backend.wit.
#[derive(Debug, Args)]
pub(crate) struct Bindings {
    /// What they are written in
    #[arg(long, value_enum)]
    language: Target,
    /// The folder of the world, which has the contract in its deps/
    #[arg(long, default_value = WIT)]
    wit: PathBuf,
    /// The world
    #[arg(long, default_value = WORLD)]
    world: String,
    /// The folder that they are written into, over what is there
    #[arg(long, default_value = INTO)]
    into: PathBuf,
}

/// A language that needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// A source, its header, and an object that has the world
    C,
    /// Packages of a module called `backend`, and what makes WASI 0.2 of WASI 0.1
    Go,
}

impl Bindings {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            language,
            wit,
            world,
            into,
        } = self;
        language.write(&wit, &world, &into)?;
        say!(
            "{}/ has the world {world} of {}",
            into.display(),
            wit.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

impl Target {
    /// Those of a skeleton in its folder.
    pub(super) fn write_for(self, skeleton: &Path) -> anyhow::Result<()> {
        self.write(&skeleton.join(WIT), WORLD, &skeleton.join(INTO))
    }

    fn write(self, wit: &Path, world: &str, into: &Path) -> anyhow::Result<()> {
        let files = self.generate(wit, world).with_context(|| {
            format!("cannot make bindings of world {world} in {}", wit.display())
        })?;
        for (name, content) in files.iter() {
            let file = into.join(name);
            write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    fn generate(self, wit: &Path, world: &str) -> anyhow::Result<Files> {
        let mut contract = Resolve::default();
        let (package, _) = contract.push_path(wit)?;
        let world = contract.select_world(&[package], Some(world))?;
        let mut files = Files::default();
        self.generator()
            .generate(&mut contract, world, &mut files)?;
        if self == Self::Go {
            // Go's own target is WASI 0.1, of which components know nothing.
            let name = "wasi_snapshot_preview1.wasm";
            files.push(name, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
        }
        Ok(files)
    }

    fn generator(self) -> Box<dyn WorldGenerator> {
        match self {
            Self::C => wit_bindgen_c::Opts {
                // A target is lent for the length of one call, and who forgot to give it back would trap.
                autodrop_borrows: wit_bindgen_c::Enabled::Yes,
                ..Default::default()
            }
            .build(),
            Self::Go => wit_bindgen_go::Opts {
                // By a gofmt that happens to be there, or not.
                format: wit_bindgen_go::Format::False,
                pkg_name: Some(format!("{MODULE}/{INTO}")),
                export_pkg_name: Some(format!("{MODULE}/exports")),
                ..Default::default()
            }
            .build(),
        }
    }
}

fn write(file: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(file, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract as skeletons have it, with that world.
    fn contract(world: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        let deps = root.path().join("deps/drivebay");
        fs::create_dir_all(&deps).expect("writable");
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        for file in fs::read_dir(wit).expect("readable") {
            let file = file.expect("readable");
            fs::copy(file.path(), deps.join(file.file_name())).expect("writable");
        }
        let world = format!("package author:backend;\nworld backend {{ {world} }}\n");
        fs::write(root.path().join("backend.wit"), world).expect("writable");
        root
    }

    #[test]
    fn all_that_the_contract_has_can_be_bound() {
        let wit = contract("include drivebay:driver/everything@0.1.0;");
        for language in [Target::C, Target::Go] {
            let files = language
                .generate(wit.path(), WORLD)
                .unwrap_or_else(|error| panic!("{language:?}: {error:#}"));
            assert!(files.iter().count() > 2, "{language:?}");
        }
    }

    #[test]
    fn bindings_are_those_of_the_world() {
        let wit = contract("export drivebay:driver/identity@0.1.0;");
        let files = Target::C.generate(wit.path(), WORLD).expect("bindings");
        let header = files.iter().find(|(name, _)| *name == "backend.h");
        let header = String::from_utf8_lossy(header.expect("there").1);
        assert!(header.contains("identity_describe("));
        assert!(!header.contains("create_volume"), "not asked for");
    }

    #[test]
    fn a_world_that_is_not_there_is_named() {
        let wit = contract("export drivebay:driver/identity@0.1.0;");
        let error = Target::Go.write(wit.path(), "other", Path::new("/nowhere"));
        let error = format!("{:#}", error.expect_err("no such world"));
        assert!(
            error.starts_with("cannot make bindings of world other in "),
            "{error}"
        );
    }
}
