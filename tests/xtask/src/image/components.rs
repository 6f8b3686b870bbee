//! The shipped components: as they lie in an image, and as the manifests' ConfigMaps have them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{self, Echo, command};
use crate::workspace::Workspace;

/// Drivers for operators; what else is in guests/ is an example or a test.
pub(super) const SHIPPED: [&str; 2] = ["alicloud-disk", "nfs"];

pub(super) fn built(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.components().join(format!("{name}.wasm"))
}

/// Writes deploy/components, from which kustomize makes one ConfigMap each. `kubectl apply` keeps an object in an
/// annotation of 256 KiB, which an uncompressed component is too large for.
pub(super) fn compress(workspace: &Workspace) -> Result<()> {
    let directory = workspace.root().join("deploy/components");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    for name in SHIPPED {
        let compressed = directory.join(format!("{name}.wasm.zst"));
        let partial = directory.join(format!("{name}.partial"));
        let mut zstd = command("zstd");
        zstd.args(["-19", "--quiet", "--force", "-o"]);
        zstd.arg(&partial).arg(built(workspace, name));
        process::run(&mut zstd, Echo::Silent)?;
        fs::rename(&partial, &compressed)
            .with_context(|| format!("cannot write {}", compressed.display()))?;
    }
    Ok(())
}
