//! The manifests as they are shipped, before the real API server: each overlay, each option, the folder of the guide.
//!
//! Nothing is applied here: `--dry-run=server` goes through validation and admission, and is forgotten.

use std::fs;
use std::path::{Path, PathBuf};

use drivebay_tests::{read, repository};

use crate::kubectl::{kubectl, place, try_kubectl};

/// What client-side `kubectl apply` can keep in its annotation.
const ANNOTATION: usize = 262_144;

const OVERLAYS: [&str; 4] = ["nfs", "alicloud-disk", "both", "flexvolume"];

/// Each option, with an overlay that it is for.
const OPTIONS: [(&str, &str); 10] = [
    ("kubelet-root", "both"),
    ("plugin-dir", "flexvolume"),
    ("key-from-environment", "alicloud-disk"),
    ("rrsa", "alicloud-disk"),
    ("ram-role", "alicloud-disk"),
    ("attach-limit", "alicloud-disk"),
    ("metrics-port", "nfs"),
    ("nfs-storage-class", "nfs"),
    ("group-snapshots", "alicloud-disk"),
    ("no-snapshots", "both"),
];

#[test]
#[ignore = "needs a cluster"]
fn the_api_server_takes_each_overlay_and_warns_of_nothing() {
    let _namespaces = Namespaces::present();
    for overlay in OVERLAYS {
        accepted(&repository().join("deploy/overlays").join(overlay));
    }
}

#[test]
#[ignore = "needs a cluster"]
fn the_api_server_takes_each_option() {
    let _namespaces = Namespaces::present();
    for (option, overlay) in OPTIONS {
        let folder = Folder::new(&format!("option-{option}"));
        folder.write(
            "kustomization.yaml",
            &format!(
                "resources: [../../../../deploy/overlays/{overlay}]\n\
                 components: [../../../../deploy/options/{option}]\n"
            ),
        );
        accepted(&folder.0);
    }
}

#[test]
#[ignore = "needs a cluster"]
fn an_object_that_is_not_valid_is_refused() {
    let _namespaces = Namespaces::present();
    let folder = Folder::new("invalid");
    folder.write(
        "kustomization.yaml",
        "resources: [../../../../deploy/overlays/nfs]\n\
         patches:\n\
         - target: { kind: DaemonSet }\n  \
           patch: '[{ op: add, path: /spec/template/spec/hostNetwrok, value: true }]'\n",
    );
    let said = dry_run(&folder.0).expect_err("a misspelt field");
    assert!(said.contains("hostNetwrok"), "{said}");
}

#[test]
#[ignore = "needs a cluster"]
fn the_folder_that_the_guide_shows_renders() {
    let guide = read(&repository().join("deploy/README.md"));
    let shown = guide
        .split("```yaml\n# site/kustomization.yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the guide shows one");
    let folder = Folder::new("site");
    folder.write("kustomization.yaml", &shown.replace("../deploy/", "../../../../deploy/"));
    let nfs = read(&repository().join("deploy/drivers.d/nfs.toml"));
    let granted = "\"filer.example.com:/exports/**\"";
    folder.write("nfs.toml", &nfs.replacen(&format!("# {granted}"), granted, 1));
    let class = "deploy/options/nfs-storage-class/storage-class.yaml";
    folder.write("storage-class.yaml", &read(&repository().join(class)));
    let rendered = rendered(&folder.0);
    for expected in [
        "image: registry.example.com/storage/drivebay:0.1.0",
        &format!("\n        {granted},"),
        "name: drivebay-drivers\n",
        "server: filer.example.com",
    ] {
        assert!(rendered.contains(expected), "no {expected:?} in\n{rendered}");
    }
    assert!(!rendered.contains("image: drivebay:"), "{rendered}");
}

#[test]
#[ignore = "needs a cluster"]
fn plain_apply_can_keep_each_object_in_its_annotation() {
    for overlay in OVERLAYS {
        let rendered = rendered(&repository().join("deploy/overlays").join(overlay));
        for object in rendered.split("\n---\n") {
            let first = object.lines().take(12).collect::<Vec<_>>().join("\n");
            assert!(object.len() < ANNOTATION, "{overlay}: {} bytes: {first}", object.len());
        }
    }
}

#[test]
#[ignore = "needs a cluster"]
fn whoever_may_swap_components_cannot_widen_grants_and_the_other_way_round() {
    let _namespaces = Namespaces::present();
    for namespace in ["drivebay", "drivebay-controller"] {
        let component = "configmap/drivebay-component-alicloud-disk";
        let grants = "configmap/drivebay-drivers";
        let swapper = Editor::bound(namespace, "drivebay-component-editor");
        assert!(swapper.may("patch", component));
        assert!(!swapper.may("patch", grants));
        let granter = Editor::bound(namespace, "drivebay-grants-editor");
        assert!(granter.may("patch", grants));
        assert!(!granter.may("patch", component));
        for editor in [&swapper, &granter] {
            for (verb, what) in [("create", "pods"), ("patch", "pods"), ("get", "secrets")] {
                assert!(!editor.may(verb, what), "{} may {verb} {what}", editor.name);
            }
        }
    }
}

#[test]
#[ignore = "needs a cluster"]
fn nodes_may_ask_the_api_server_nothing() {
    for account in ["drivebay-node", "drivebay-flexvolume"] {
        let user = format!("--as=system:serviceaccount:drivebay:{account}");
        for (verb, what) in [("get", "nodes"), ("get", "secrets"), ("list", "persistentvolumes")] {
            let arguments = ["auth", "can-i", verb, what, "-n", "drivebay", &user];
            let said = try_kubectl(&arguments).expect_err("denied");
            assert!(said.starts_with("no"), "{account} {verb} {what}: {said}");
        }
    }
}

#[test]
#[ignore = "needs a cluster"]
fn controllers_may_do_what_their_sidecars_do_and_read_no_secret() {
    let account = "--as=system:serviceaccount:drivebay-controller:drivebay-alicloud-disk-controller";
    let may = |verb: &str, what: &str| {
        try_kubectl(&["auth", "can-i", verb, what, "-A", account]).is_ok()
    };
    let _namespaces = Namespaces::present();
    if try_kubectl(&["get", "clusterrole", "drivebay-alicloud-disk-controller"]).is_err() {
        panic!("the overlay with alicloud-disk has to be applied for this");
    }
    assert!(may("create", "persistentvolumes"));
    assert!(may("patch", "volumeattachments.storage.k8s.io"));
    for (verb, what) in [
        ("get", "secrets"),
        ("list", "pods"),
        ("update", "nodes"),
        ("delete", "persistentvolumeclaims"),
        ("create", "volumeattachments.storage.k8s.io"),
    ] {
        assert!(!may(verb, what), "may {verb} {what}");
    }
}

/// Strictly validated, without a word of warning.
#[track_caller]
fn accepted(folder: &Path) {
    let said = dry_run(folder).unwrap_or_else(|said| panic!("{}: {said}", folder.display()));
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains("arning")).collect();
    assert!(warnings.is_empty(), "{}: {warnings:#?}", folder.display());
}

fn dry_run(folder: &Path) -> Result<String, String> {
    let folder = folder.to_str().expect("text");
    try_kubectl(&["apply", "--dry-run=server", "--validate=strict", "-k", folder])
}

#[track_caller]
fn rendered(folder: &Path) -> String {
    kubectl(&["kustomize", folder.to_str().expect("text")])
}

/// A kustomization of a test's own, as deep in the checkout as deploy/ expects.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = place("folders").join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("writable");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("writable");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Both namespaces, without which no object in them can be judged; those that were not there go again.
struct Namespaces(Vec<&'static str>);

impl Namespaces {
    #[track_caller]
    fn present() -> Self {
        let mut made = Vec::new();
        for (name, file) in [
            ("drivebay", "deploy/bases/namespace/namespace.yaml"),
            ("drivebay-controller", "deploy/bases/alicloud-disk/namespace.yaml"),
        ] {
            if try_kubectl(&["get", "namespace", name]).is_err() {
                let file = repository().join(file);
                kubectl(&["apply", "-f", file.to_str().expect("text")]);
                made.push(name);
            }
        }
        Self(made)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = try_kubectl(&["delete", "namespace", name]);
        }
    }
}

/// A person to whom one of the shipped Roles is bound, for as long as the test runs.
struct Editor {
    name: String,
    namespace: &'static str,
}

impl Editor {
    #[track_caller]
    fn bound(namespace: &'static str, role: &str) -> Self {
        let name = format!("test-{role}");
        let files = match namespace {
            "drivebay" => "deploy/bases/namespace/editors.yaml",
            _ => "deploy/bases/alicloud-disk/editors.yaml",
        };
        let files = repository().join(files);
        kubectl(&["apply", "-f", files.to_str().expect("text")]);
        let role = format!("--role={role}");
        let user = format!("--user={name}");
        kubectl(&["create", "rolebinding", &name, &role, &user, "-n", namespace]);
        Self { name, namespace }
    }

    fn may(&self, verb: &str, what: &str) -> bool {
        let user = format!("--as={}", self.name);
        try_kubectl(&["auth", "can-i", verb, what, "-n", self.namespace, &user]).is_ok()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = try_kubectl(&["delete", "rolebinding", &self.name, "-n", self.namespace]);
    }
}
