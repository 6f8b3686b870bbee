//! The shipped image on Debian's kernel, which has what a cluster on any kernel may lack: an NFS client.
//!
//! Its programs run with it for their root. Components come from a directory, as a pod's from its ConfigMaps.

use std::fs;

use drivebay_tests::csi_proto::ProbeRequest;
use drivebay_tests::{Csi, Node, ShippedImage, guest, run_kubelet, text};
use tonic::Status;

use crate::csi::{old_volume, unpublish};
use crate::lab;

/// A node that has nothing of Drivebay's but what the image brings.
struct Imaged {
    image: ShippedImage,
    node: Node,
}

impl Imaged {
    #[track_caller]
    fn new() -> Self {
        // The server is the other tests' too.
        lab::node();
        let (image, node) = (ShippedImage::unpacked(), Node::empty());
        node.add_driver("nfs", &lab::shipped_grants());
        let components = node.path("components");
        fs::create_dir(&components).expect("writable");
        fs::copy(guest("nfs"), components.join("nfs.wasm")).expect("built");
        image.lend(&node);
        Self { image, node }
    }

    fn components_from(&self) -> String {
        format!("--components-from={}", text(&self.node.path("components")))
    }

    /// `drivebay serve` of the image, in a node's pod.
    #[track_caller]
    fn serve(&self) -> Csi {
        let from = self.components_from();
        let words = ["/usr/bin/drivebay", "serve", "--driver", "nfs", &from];
        let serve = self.image.program(&self.node, &words);
        let csi = self
            .node
            .begin_to_serve_by(serve, "nfs", &["--mode", "node", "--node-id", "vm"]);
        // The component is compiled first.
        Csi::at_last("the image to be ready", || {
            match csi.probe(ProbeRequest {})?.ready {
                Some(true) => Ok(()),
                _ => Err(Status::unavailable("it is not ready")),
            }
        });
        csi
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn the_image_mounts_a_share_for_callers_of_csi() {
    let imaged = Imaged::new();
    let csi = imaged.serve();
    let mut volume = old_volume("pvc-of-the-image");
    let target = imaged.node.path("pods").join("mount");
    volume.target_path = text(&target).to_owned();
    csi.node_publish_volume(volume.clone()).expect("published");
    assert_eq!(
        fs::read_to_string(target.join("greeting")).expect("seen outside of the image"),
        "hello"
    );
    fs::write(target.join("written"), "by a pod").expect("writable");
    let written = lab::exported("/old/pvc-of-the-image/written");
    assert_eq!(fs::read_to_string(written).expect("there"), "by a pod");
    unpublish(&csi, &volume);
    assert!(!target.exists(), "the target is left");
    assert!(csi.stop());
    assert!(imaged.node.journal().is_empty());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn kubelet_is_content_with_the_shim_that_the_image_installs() {
    let imaged = Imaged::new();
    let plugins = format!("--plugin-dir={}", text(&imaged.node.path("plugins")));
    let from = imaged.components_from();
    let words = ["/usr/bin/drivebay", "install", &from, &plugins];
    let mut install = imaged.image.program(&imaged.node, &words);
    let output = install.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let options = "server=127.0.0.1,share=/beta,vers=4.2";
    let arguments = ["-driver", "k8s/nfs", "-options", options, "-patience", "3m"];
    run_kubelet(&imaged.node, &arguments);
    assert!(imaged.node.journal().is_empty());
}
