//! Who may do what in the API server: each Role allows what it is for, and denies what the other is for.

use std::fs;

use drivebay_tests::repository;

use crate::installation::{CONTROLLER, NODES, is_ready, node_pod};
use crate::kubectl::{get, kubectl, place, try_kubectl};
use crate::turns::alone;

#[test]
#[ignore = "needs a cluster"]
fn whoever_may_swap_components_cannot_widen_grants_and_the_other_way_round() {
    let _turn = alone();
    is_ready();
    let component = "configmaps/drivebay-component-alicloud-disk";
    let grants = "configmaps/drivebay-drivers";
    for namespace in [NODES, CONTROLLER] {
        let swapper = Editor::bound(namespace, "drivebay-component-editor");
        assert!(swapper.may("patch", component));
        assert!(!swapper.may("patch", grants));
        // Not every namespace has each component: what does not exist could not be made.
        swapper.may_apply("drivebay-component-alicloud-disk", "alicloud-disk.wasm.zst");
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
fn nodes_may_ask_nothing_and_have_no_token() {
    let _turn = alone();
    is_ready();
    let account = "system:serviceaccount:drivebay:drivebay-node";
    for (verb, what) in [
        ("get", "nodes"),
        ("get", "secrets"),
        ("get", "configmaps"),
        ("list", "persistentvolumes"),
        ("list", "pods"),
    ] {
        assert!(!may(account, NODES, verb, what), "nodes may {verb} {what}");
    }
    let pod = node_pod();
    let volumes = pod["spec"]["volumes"].to_string();
    assert!(!volumes.contains("serviceAccountToken"), "{volumes}");
}

#[test]
#[ignore = "needs a cluster"]
fn controllers_may_do_what_their_sidecars_do_and_read_no_secret() {
    let _turn = alone();
    is_ready();
    let disk = "system:serviceaccount:drivebay-controller:drivebay-alicloud-disk-controller";
    let nfs = "system:serviceaccount:drivebay:drivebay-nfs-controller";
    assert!(may(disk, CONTROLLER, "create", "persistentvolumes"));
    assert!(may(
        disk,
        CONTROLLER,
        "patch",
        "volumeattachments.storage.k8s.io"
    ));
    assert!(may(nfs, NODES, "create", "persistentvolumes"));
    assert!(!may(nfs, NODES, "get", "volumeattachments.storage.k8s.io"));
    for (account, namespace) in [(disk, CONTROLLER), (nfs, NODES)] {
        for (verb, what) in [
            ("get", "secrets"),
            ("list", "pods"),
            ("update", "nodes"),
            ("get", "configmaps"),
            ("delete", "persistentvolumeclaims"),
            ("create", "volumeattachments.storage.k8s.io"),
            ("create", "pods"),
        ] {
            assert!(
                !may(account, namespace, verb, what),
                "{account} may {verb} {what}"
            );
        }
    }
}

/// What a sidecar asks and is not allowed, it logs.
#[test]
#[ignore = "needs a cluster"]
fn no_sidecar_was_refused_anything() {
    let _turn = alone();
    is_ready();
    for namespace in [NODES, CONTROLLER] {
        let label = "app.kubernetes.io/name=drivebay";
        let pods = get(&["pods", "--namespace", namespace, "--selector", label]);
        for pod in pods["items"].as_array().into_iter().flatten() {
            let name = pod["metadata"]["name"].as_str().expect("a name");
            let log = kubectl(&["logs", "--namespace", namespace, name, "--all-containers"]);
            let refused: Vec<&str> = log
                .lines()
                .filter(|line| line.contains("is forbidden"))
                .collect();
            assert!(refused.is_empty(), "{name}: {refused:#?}");
        }
    }
}

/// A person to whom one of the shipped Roles is bound, for as long as this lives.
struct Editor {
    name: String,
    namespace: &'static str,
}

impl Editor {
    #[track_caller]
    fn bound(namespace: &'static str, role: &str) -> Self {
        let name = format!("test-{role}");
        let (role, user) = (format!("--role={role}"), format!("--user={name}"));
        kubectl(&[
            "create",
            "rolebinding",
            &name,
            &role,
            &user,
            "-n",
            namespace,
        ]);
        Self { name, namespace }
    }

    fn may(&self, verb: &str, what: &str) -> bool {
        may(&self.name, self.namespace, verb, what)
    }

    /// As the guide has it: the object is made here, and applied with what this person may do.
    #[track_caller]
    fn may_apply(&self, config_map: &str, component: &str) {
        let file = format!(
            "--from-file={}",
            repository()
                .join("deploy/components")
                .join(component)
                .display()
        );
        let yaml = kubectl(&[
            "create",
            "configmap",
            config_map,
            &file,
            "--dry-run=client",
            "--output=yaml",
            "--namespace",
            self.namespace,
        ]);
        let written = place("folders").join(format!("{config_map}.yaml"));
        fs::create_dir_all(place("folders")).expect("writable");
        fs::write(&written, yaml).expect("writable");
        let user = format!("--as={}", self.name);
        let path = written.to_str().expect("text");
        let applied = try_kubectl(&["apply", "--dry-run=server", &user, "-f", path]);
        let _ = fs::remove_file(&written);
        applied.unwrap_or_else(|said| panic!("{} in {}: {said}", self.name, self.namespace));
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = try_kubectl(&["delete", "rolebinding", &self.name, "-n", self.namespace]);
    }
}

/// `kubectl auth can-i`, which exits with 1 where the answer is no.
fn may(user: &str, namespace: &str, verb: &str, what: &str) -> bool {
    let user = format!("--as={user}");
    try_kubectl(&["auth", "can-i", verb, what, "-n", namespace, &user]).is_ok()
}
