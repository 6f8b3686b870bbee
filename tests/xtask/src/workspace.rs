//! Where things are: every path a task uses, from the workspace's root.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::architecture::Architecture;
use crate::process::{answer, command};

/// The repository's checkout.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout this task runner was built from.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root
            .canonicalize()
            .context("the checkout that built xtask has moved; build it again")?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn guests(&self) -> PathBuf {
        self.root.join("guests")
    }

    /// What a task makes: the VM's parts, the guests' modules, what is shipped.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// The two binaries as shipped.
    pub(crate) fn binaries(&self) -> PathBuf {
        self.target().join("dist/bin")
    }

    /// The same for an architecture, which may be this machine's.
    pub(crate) fn binaries_for(&self, architecture: Architecture) -> PathBuf {
        if architecture.is_here() {
            return self.binaries();
        }
        let directory = format!("dist/bin-{}", architecture.name());
        self.target().join(directory)
    }

    /// The components as shipped.
    pub(crate) fn components(&self) -> PathBuf {
        self.target().join("dist/guests")
    }

    /// Images, and the packages that they are made of.
    pub(crate) fn image(&self) -> PathBuf {
        self.target().join("image")
    }

    /// The VM's kernel, its packages and its runs.
    pub(crate) fn vm(&self) -> PathBuf {
        self.target().join("vm")
    }

    /// The other makers' SDKs that tests call with, and the state of what they call.
    pub(crate) fn sdks(&self) -> PathBuf {
        self.target().join("sdk")
    }

    /// Where cargo itself puts what it builds, which a developer may have moved elsewhere.
    pub(crate) fn cargo_target(&self) -> Result<PathBuf> {
        let metadata = self.metadata(&self.root)?;
        let directory = metadata["target_directory"]
            .as_str()
            .context("cargo metadata names no target directory")?;
        Ok(directory.into())
    }

    /// What cargo knows of the workspace in `directory`, dependencies left out.
    pub(crate) fn metadata(&self, directory: &Path) -> Result<serde_json::Value> {
        let mut cargo = command("cargo");
        cargo
            .current_dir(directory)
            .args(["metadata", "--no-deps", "--format-version", "1"]);
        serde_json::from_str(&answer(&mut cargo)?).context("cannot read cargo's metadata")
    }
}
