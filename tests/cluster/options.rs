//! What an operator adds to the shipped overlays: each option, and the folder of the guide.
//!
//! Nothing is applied here.

use std::fs;
use std::path::PathBuf;

use drivebay_tests::{read, repository};

use crate::dry_run::{dry_run, rendered};
use crate::kubectl::place;
use crate::turns::alone;

/// What client-side `kubectl apply` can keep in its annotation.
const ANNOTATION: usize = 262_144;

const OVERLAYS: [&str; 5] = [
    "nfs",
    "alicloud-disk",
    "both",
    "flexvolume",
    "flexvolume-claims",
];

/// Each option, with an overlay that it is for.
const OPTIONS: [(&str, &str); 21] = [
    ("kubelet-root", "both"),
    ("plugin-dir", "flexvolume"),
    ("key-from-environment", "alicloud-disk"),
    ("rrsa", "alicloud-disk"),
    ("ram-role", "alicloud-disk"),
    ("attach-limit", "alicloud-disk"),
    ("attach-limit-by-type", "alicloud-disk"),
    ("metrics-port", "nfs"),
    ("metrics-port", "both"),
    ("metrics-port", "alicloud-disk"),
    ("one-node", "nfs"),
    ("nfs-storage-class", "nfs"),
    ("group-snapshots", "alicloud-disk"),
    ("no-snapshots", "both"),
    ("nfs-claims", "flexvolume"),
    ("nfs-claims", "flexvolume-claims"),
    ("deliver", "nfs"),
    ("deliver", "alicloud-disk"),
    ("deliver", "both"),
    ("deliver", "flexvolume"),
    ("deliver", "flexvolume-claims"),
];

#[test]
#[ignore = "needs a cluster"]
fn every_option_is_taken_with_strict_validation_and_changes_something() {
    let _turn = alone();
    for (option, overlay) in OPTIONS {
        let folder = Folder::of(option, overlay, &format!("options/{option}"));
        let said = dry_run(&folder.0).unwrap_or_else(|said| panic!("{option}: {said}"));
        let warned = said.lines().any(|line| line.starts_with("Warning:"));
        assert!(!warned, "{option}: {said}");
        let plain = rendered(&repository().join("deploy/overlays").join(overlay));
        assert_ne!(
            rendered(&folder.0),
            plain,
            "{option} changes nothing of {overlay}"
        );
    }
}

#[test]
#[ignore = "needs a cluster"]
fn every_option_that_is_shipped_is_tried() {
    let mut shipped = Vec::new();
    for entry in fs::read_dir(repository().join("deploy/options")).expect("shipped") {
        let path = entry.expect("readable").path();
        // The other kind is for kubeadm.
        if path.join("kustomization.yaml").exists() {
            let name = path.file_name().expect("a name");
            shipped.push(name.to_string_lossy().into_owned());
        }
    }
    let mut tried = OPTIONS.map(|(option, _)| option.to_owned()).to_vec();
    shipped.sort();
    tried.sort();
    tried.dedup();
    assert_eq!(shipped, tried);
}

#[test]
#[ignore = "needs a cluster"]
fn a_misspelt_field_is_refused() {
    let _turn = alone();
    let folder = Folder::new("misspelt");
    folder.write(
        "kustomization.yaml",
        "resources: [../../../../deploy/overlays/nfs]\n\
         patches:\n\
         - target: { kind: DaemonSet }\n  \
           patch: '[{ \"op\": \"add\", \"path\": \"/spec/template/spec/hostNetwrok\", \"value\": true }]'\n",
    );
    let said = dry_run(&folder.0).expect_err("a misspelt field");
    let words = "unknown field \"spec.template.spec.hostNetwrok\"";
    assert!(said.contains(words), "{said}");
}

#[test]
#[ignore = "needs a cluster"]
fn the_folders_that_the_guide_shows_are_rendered() {
    let class = "deploy/options/nfs-storage-class/storage-class.yaml";
    for (guide, class) in [
        ("deploy/README.md", read(&repository().join(class))),
        (
            "deploy/claims.md",
            shown("deploy/claims.md", "storage-class.yaml"),
        ),
    ] {
        let folder = Folder::new("site");
        folder.write(
            "kustomization.yaml",
            &shown(guide, "kustomization.yaml").replace("../deploy/", "../../../../deploy/"),
        );
        let nfs = read(&repository().join("deploy/drivers.d/nfs.toml"));
        let granted = "\"filer.example.com:/exports/**\"";
        folder.write(
            "nfs.toml",
            &nfs.replacen(&format!("# {granted}"), granted, 1),
        );
        folder.write("storage-class.yaml", &class);
        let rendered = rendered(&folder.0);
        for expected in [
            "image: registry.example.com/storage/drivebay:0.1.0\n",
            &format!("        {granted},\n"),
            "name: drivebay-drivers\n",
            "server: filer.example.com\n",
        ] {
            assert!(
                rendered.contains(expected),
                "{guide}: no {expected:?} in\n{rendered}"
            );
        }
        let is_left =
            rendered.contains("image: drivebay:") || rendered.contains("image: drivebay\n");
        assert!(!is_left, "{guide}: {rendered}");
    }
}

/// A file of the reader's own folder, as a document has it.
#[track_caller]
fn shown(document: &str, file: &str) -> String {
    let guide = read(&repository().join(document));
    let begins = format!("```yaml\n# site/{file}\n");
    let shown = guide
        .split(&begins)
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    shown.expect("the guide shows one").to_owned()
}

#[test]
#[ignore = "needs a cluster"]
fn plain_apply_can_keep_each_object_in_its_annotation() {
    for overlay in OVERLAYS {
        let rendered = rendered(&repository().join("deploy/overlays").join(overlay));
        for object in rendered.split("\n---\n") {
            let ending = object.lines().last().unwrap_or_default();
            assert!(
                object.len() < ANNOTATION,
                "{overlay}: {} bytes: {ending}",
                object.len()
            );
        }
    }
}

/// A sidecar's name in its lease is its host's, and on the node's network that is the node's: two of them there would both
/// lead.
#[test]
#[ignore = "needs a cluster"]
fn no_two_controllers_on_the_nodes_network_share_a_node() {
    for overlay in OVERLAYS {
        let rendered = rendered(&repository().join("deploy/overlays").join(overlay));
        let on_the_network = rendered.split("\n---\n").filter(|object| {
            object.contains("\nkind: Deployment\n") && object.contains("hostNetwork: true")
        });
        for controller in on_the_network {
            for line in [
                "maxSurge: 0",
                "requiredDuringSchedulingIgnoredDuringExecution:",
            ] {
                assert!(
                    controller.contains(line),
                    "{overlay}: no {line:?}\n{controller}"
                );
            }
        }
    }
}

/// Nodes of a driver by CSI alone have a network of their own, where nobody but the metadata service is asked.
#[test]
#[ignore = "needs a cluster"]
fn nodes_are_on_the_nodes_network_for_nfs_alone() {
    for (overlay, is_on_it) in [("nfs", true), ("both", true), ("alicloud-disk", false)] {
        let rendered = rendered(&repository().join("deploy/overlays").join(overlay));
        let node = rendered.split("\n---\n").find(|object| {
            object.contains("\nkind: DaemonSet\n") && object.contains("\n  name: drivebay-node\n")
        });
        let node = node.expect("each has nodes");
        assert_eq!(node.contains("hostNetwork: true"), is_on_it, "{overlay}");
        assert_eq!(node.contains("containerPort"), !is_on_it, "{overlay}");
    }
}

/// A kustomization of a test's own, as deep in the checkout as a relative path counts on.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = place("folders").join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("writable");
        Self(path)
    }

    /// An overlay with a component of kustomize.
    fn of(name: &str, overlay: &str, component: &str) -> Self {
        let folder = Self::new(name);
        folder.write(
            "kustomization.yaml",
            &format!(
                "resources: [../../../../deploy/overlays/{overlay}]\n\
                 components: [../../../../deploy/{component}]\n"
            ),
        );
        folder
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
