//! What the API server says of manifests that are not applied.

use std::path::Path;

use crate::kubectl::{kubectl, try_get, try_kubectl};

/// `kubectl apply -k` up to where it would be kept: `--dry-run=server` goes through validation and admission.
pub(crate) fn dry_run(folder: &Path) -> Result<String, String> {
    let _namespaces = Namespaces::of(folder);
    let folder = folder.to_str().expect("text");
    try_kubectl(&[
        "apply",
        "--dry-run=server",
        "--validate=strict",
        "-k",
        folder,
    ])
}

/// `kubectl kustomize`.
#[track_caller]
pub(crate) fn rendered(folder: &Path) -> String {
    kubectl(&["kustomize", folder.to_str().expect("text")])
}

/// Those that were not there: nothing is taken into a namespace that a dry run has not made. They go when this is dropped.
struct Namespaces(Vec<String>);

impl Namespaces {
    #[track_caller]
    fn of(folder: &Path) -> Self {
        let rendered = rendered(folder);
        let namespaces = rendered.split("\n---\n").filter(|object| {
            object.starts_with("kind: Namespace\n") || object.contains("\nkind: Namespace\n")
        });
        let mut made = Self(Vec::new());
        for namespace in namespaces {
            let name = namespace
                .lines()
                .find_map(|line| line.strip_prefix("  name: "));
            let name = name.expect("a name");
            if try_get(&["namespace", name]).is_none() {
                kubectl(&["create", "namespace", name, "--save-config"]);
                made.0.push(name.to_owned());
            }
        }
        made
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = try_kubectl(&["delete", "namespace", name, "--timeout=60s"]);
        }
    }
}
