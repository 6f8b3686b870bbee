//! While a cluster is brought to a new version, its controller and its nodes differ: the older side ignores what belongs
//! to a later version of the same component, or says which two versions do not get along.

use std::collections::HashMap;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Csi, NODE_ID, WatGuest, created, csi_proto as proto, mounted, text};
use serde_json::{Value, json};
use tonic::Code;

use crate::backend::{describing, parameter};
use crate::site::{FILE, Kind, Site, Watcher, prepared};

/// Which of the two releases.
#[derive(Clone, Copy)]
enum Release {
    Older,
    Newer,
}

impl Release {
    fn version(self) -> &'static str {
        match self {
            Self::Older => "1.0.0",
            Self::Newer => "1.1.0",
        }
    }

    /// The newer one has a new key in the volume's context, and one in what attaching answers.
    fn guest(self) -> WatGuest {
        let (mut parameters, mut context, mut attached) = (
            vec![parameter("share", Value::Bool(false))],
            vec![["share", "a"]],
            vec![["device", "vdb"]],
        );
        if matches!(self, Self::Newer) {
            parameters.push(parameter("layout", Value::Bool(false)));
            context.push(["layout", "wide"]);
            attached.push(["queue", "2"]);
        }
        let volume = json!({
            "id": "volume-1",
            "capacity-bytes": 0,
            "context": context,
            "source": null,
            "accessible-topology": [],
            "published-node-ids": [],
        });
        describing(self.version(), &parameters)
            .exports("identity controller attachment node")
            .answers("controller.create-volume", json!({"ok": volume}))
            .answers("attachment.attach-volume", json!({"ok": attached}))
            .answers("attachment.detach-volume", json!({"ok": null}))
            .answers("attachment.is-attached", json!({"ok": true}))
    }
}

/// One side of the cluster.
#[track_caller]
fn side(mode: &str, release: Release) -> Site {
    let (node, source) = prepared("");
    source.write(&[(FILE, &release.guest().component())]);
    let arguments = ["--mode", mode, "--node-id", NODE_ID];
    let site = Site::watched(Watcher::Serve, Kind::Attached, node, source, &arguments);
    site.tells("that it serves", |status| {
        status.active_version() == Some(release.version())
    });
    site.csi().expect("it is serve").answers();
    site
}

fn csi(site: &Site) -> &Csi {
    site.csi().expect("it is serve")
}

/// What external-provisioner adds to the context of each volume that it asks for.
const BY_PROVISIONER: (&str, &str) = (
    "storage.kubernetes.io/csiProvisionerIdentity",
    "1764380000000-1234-swap.drivebay.dev",
);

/// A volume that the one side makes and attaches is staged by the other.
#[track_caller]
fn stage_across(controller: Release, node: Release, is_provisioned: Provisioned) -> Code {
    let (one, other) = (side("controller", controller), side("node", node));
    let request = proto::CreateVolumeRequest {
        name: "pvc-1".to_owned(),
        volume_capabilities: vec![mounted(Mode::SingleNodeWriter)],
        ..proto::CreateVolumeRequest::default()
    };
    let made = created(csi(&one), request);
    let mut context: HashMap<String, String> = made.volume_context;
    if matches!(is_provisioned, Provisioned::BySidecar) {
        let (key, value) = BY_PROVISIONER;
        context.insert(key.to_owned(), value.to_owned());
    }
    let publish = proto::ControllerPublishVolumeRequest {
        volume_id: made.volume_id.clone(),
        node_id: NODE_ID.to_owned(),
        volume_capability: Some(mounted(Mode::SingleNodeWriter)),
        volume_context: context.clone(),
        ..proto::ControllerPublishVolumeRequest::default()
    };
    let published = csi(&one).controller_publish_volume(publish);
    let stage = proto::NodeStageVolumeRequest {
        volume_id: made.volume_id,
        publish_context: published.expect("attached").publish_context,
        staging_target_path: text(&other.node.pod("staging")).to_owned(),
        volume_capability: Some(mounted(Mode::SingleNodeWriter)),
        volume_context: context,
        ..proto::NodeStageVolumeRequest::default()
    };
    let Err(status) = csi(&other).node_stage_volume(stage) else {
        return Code::Ok;
    };
    let said = status.message();
    for release in [controller, node] {
        assert!(said.contains(release.version()), "{status:?}");
    }
    status.code()
}

/// Who made the volume's object.
#[derive(Clone, Copy)]
enum Provisioned {
    BySidecar,
    ByHand,
}

#[test]
fn a_node_that_is_older_than_the_controller_ignores_what_is_new_or_names_both_versions() {
    for provisioned in [Provisioned::BySidecar, Provisioned::ByHand] {
        let code = stage_across(Release::Newer, Release::Older, provisioned);
        assert!(
            matches!(code, Code::Ok | Code::FailedPrecondition),
            "{code:?}"
        );
    }
}

#[test]
fn a_node_that_is_newer_than_the_controller_does_without_what_is_new() {
    for provisioned in [Provisioned::BySidecar, Provisioned::ByHand] {
        let code = stage_across(Release::Older, Release::Newer, provisioned);
        assert_eq!(code, Code::Ok);
    }
}

#[test]
fn a_node_first_and_the_controller_after_it_is_the_way_without_any_refusal() {
    for (controller, node) in [
        (Release::Older, Release::Newer),
        (Release::Newer, Release::Newer),
    ] {
        let code = stage_across(controller, node, Provisioned::BySidecar);
        assert_eq!(code, Code::Ok);
    }
}
