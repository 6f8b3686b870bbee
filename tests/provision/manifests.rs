//! The provisioner's manifests, as an API server takes them.

use drivebay_tests::{files_beneath, repository};

use crate::control_plane::ControlPlane;

/// Its pod keeps all that Pod Security's `restricted` asks for, of which the API server would warn.
#[test]
fn an_api_server_takes_the_provisioners_manifests_and_warns_of_nothing() {
    let bases = repository().join("deploy/bases");
    let is_object = |path: &std::path::Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.ends_with(".yaml") && name != "kustomization.yaml")
    };
    let mut files = files_beneath(&bases.join("controller-namespace"), &is_object);
    let mut own = files_beneath(&bases.join("provisioner"), &is_object);
    // Namespaces before what is in them.
    own.sort_by_key(|file| !file.ends_with("namespace.yaml"));
    files.append(&mut own);
    assert!(files.len() > 5, "found only {files:?}");
    let plane = ControlPlane::get();
    for file in files {
        let said = plane.kubectl(&["apply", "-f", &file.to_string_lossy()]);
        assert!(!said.contains("Warning"), "{}: {said}", file.display());
        assert!(said.contains("created"), "{}: {said}", file.display());
    }
}
