//! `cargo xtask image`: all that is shipped as a container image, made without a container engine.
//!
//! An OCI layout in one tar: the programs that the host starts with their libraries, from Debian's packages; the two
//! binaries; the components; and nothing else, no shell and no package manager. All files are gone through in memory, so
//! that this needs no root, and makes another architecture's image as well. The same files make the same bytes.

mod archives;
mod components;
mod contents;
mod crates;
mod gathered;
mod layer;
mod libc;
mod libraries;
mod oci;
mod revision;
mod root;
mod sbom;
mod tree;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use self::archives::Archives;
use self::contents::Contents;
use self::layer::Layer;
use self::libc::Libc;
use self::revision::Revision;
use crate::architecture::Architecture;
use crate::build;
use crate::setup::{self, Part};
use crate::steps::{Steps, say};
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Arguments {
    /// For which processor; this machine's by default
    #[arg(long)]
    arch: Option<Architecture>,

    /// Take what was built before
    #[arg(long)]
    skip_build: bool,

    /// Write the image's files into this directory, too, which must not exist yet
    #[arg(long, value_name = "DIRECTORY")]
    root: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let architecture = arguments.arch.map_or_else(Architecture::here, Ok)?;
    let builds = if arguments.skip_build {
        0
    } else {
        build::STEPS
    };
    let mut steps = Steps::new("cargo xtask image", builds + STEPS);
    let image = match arguments.skip_build {
        true => assemble(workspace, architecture, &mut steps)?,
        false => everything(workspace, architecture, &mut steps)?,
    };
    if let Some(root) = &arguments.root {
        let about = format!("write the image's files into {}", root.display());
        let trees = || image.contents.layers().map(|(_, tree)| tree);
        steps.another(about, || root::write(trees(), root))?;
    }
    for layer in &image.layers {
        say(format_args!("      {layer}"));
    }
    steps.verdict(&image);
    Ok(())
}

/// Steps beside those of a build.
pub(crate) const STEPS: usize = 4;

/// An image as it was written.
pub(crate) struct Image {
    contents: Contents,
    layers: Vec<Layer>,
    /// Of its manifest, by which registries know it.
    pub(crate) digest: String,
    /// The OCI layout.
    pub(crate) tar: PathBuf,
    /// What is in it, as SPDX.
    sbom: PathBuf,
}

/// Builds what is shipped, and makes the image of it.
pub(crate) fn everything(
    workspace: &Workspace,
    architecture: Architecture,
    steps: &mut Steps,
) -> Result<Image> {
    if architecture.is_here() {
        build::everything(workspace, steps)?;
    } else {
        build::for_another(workspace, architecture, steps)?;
    }
    assemble(workspace, architecture, steps)
}

/// Makes the image of what was built.
pub(crate) fn assemble(
    workspace: &Workspace,
    architecture: Architecture,
    steps: &mut Steps,
) -> Result<Image> {
    setup::ensure(workspace, &[Part::Image], steps)?;
    steps.run("compress the components", || {
        components::compress(workspace)
    })?;
    let packages = steps.run("fetch Debian's packages", || {
        Archives::of(workspace, architecture).packages(&contents::PACKAGES)
    })?;
    let contents = steps.run("lay out the image", || {
        Contents::gather(workspace, architecture, packages)
    })?;
    steps.run("write the image and its SBOM", || {
        write(workspace, architecture, contents)
    })
}

fn write(workspace: &Workspace, architecture: Architecture, contents: Contents) -> Result<Image> {
    let revision = Revision::of(workspace);
    let layers = contents.layers().map(|(name, tree)| Layer::of(name, tree));
    let layers = layers.collect::<Result<Vec<_>>>()?;
    let file = |suffix: &str| match architecture.is_here() {
        true => workspace.image().join(format!("drivebay{suffix}")),
        false => {
            let name = format!("drivebay-{}{suffix}", architecture.name());
            workspace.image().join(name)
        }
    };
    let (tar, sbom) = (file(".tar"), file(".spdx.json"));
    let layout = oci::Layout::of(architecture, &layers, &revision)?;
    let linked = crates::all(workspace, architecture)?;
    let libc = Libc::linked_for(architecture)?;
    let document = sbom::document(architecture, &contents, &linked, &libc, &layout, &revision)?;
    put(&tar, &layout.tar(&layers)?)?;
    put(&sbom, &document)?;
    Ok(Image {
        contents,
        layers,
        digest: layout.digest().to_owned(),
        tar,
        sbom,
    })
}

/// Replaces a file in one step.
fn put(path: &std::path::Path, content: &[u8]) -> Result<()> {
    let partial = path.with_added_extension("partial");
    std::fs::write(&partial, content)
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

impl fmt::Display for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} holds {} ({}); what is in it: {}",
            self.tar.display(),
            oci::NAME,
            self.digest,
            self.sbom.display()
        )
    }
}
