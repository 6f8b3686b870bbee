//! A disk's FlexVolume becomes a volume of CSI under its claim, and back: its pods find their data by each.

use drivebay_tests::dist;

use crate::cloud;
use crate::flexvolume::FlexVolume;
use crate::flexvolume_claims::{Volume, Zone, class};
use crate::installation::DISK_DRIVER;
use crate::kubectl::{eventually, get, node_says};
use crate::site::{Site, claim, pod};

/// One goes there and back, and one is deleted there.
const CLAIMS: [&str; 2] = ["data", "other"];

/// The volumes of both claims, while FlexVolume and the provisioner of its claims are there.
#[track_caller]
pub(crate) fn written_by_flexvolume(site: &Site) -> [Volume; 2] {
    let _zone = Zone::of_the_node();
    let class = class("test-migrate");
    CLAIMS.map(|name| {
        site.apply(&[claim(name, class.name(), 20), pod("app", name)]);
        site.is_ready("app");
        site.exec("app", &format!("echo {name} > /data/file; sync"));
        site.delete_pod("app");
        let volume = Volume::of(site, name);
        volume.is_detached();
        volume
    })
}

/// Where CSI is there again.
#[track_caller]
pub(crate) fn pods_find_their_data_there_and_back(site: &Site, volumes: &[Volume; 2]) {
    let [back, goes] = volumes;
    for volume in [back, goes] {
        volume.is_migrated(&["--apply"]);
        assert_eq!(volume.source("csi")["driver"], DISK_DRIVER);
        volume.has_its_data(site);
    }
    goes.goes_with_its_claim(site);
    back.is_migrated(&["--undo", "--apply"]);
    let _flexvolume = FlexVolume::installed();
    let _zone = Zone::of_the_node();
    assert_eq!(back.source("flexVolume")["driver"], "alicloud/disk");
    back.has_its_data(site);
    back.goes_with_its_claim(site);
}

/// As both ways have it.
impl Volume {
    #[track_caller]
    fn source(&self, kind: &str) -> serde_json::Value {
        get(&["pv", &self.name])["spec"][kind].clone()
    }

    /// By an operator on the node, with the cluster's administrator's kubeconfig.
    #[track_caller]
    fn is_migrated(&self, arguments: &[&str]) {
        let program = dist("drivebay-provision");
        let program = program.to_string_lossy();
        let said = node_says(&[&[&*program, "migrate", &self.name], arguments].concat());
        assert!(said.contains("1 done"), "{said}");
    }

    #[track_caller]
    fn has_its_data(&self, site: &Site) {
        site.apply(&[pod("next", self.claim)]);
        site.is_ready("next");
        assert_eq!(site.exec("next", "cat /data/file"), self.claim);
        assert_eq!(cloud::attachments(&self.disk), [cloud::INSTANCE]);
        site.delete_pod("next");
        self.is_detached();
    }

    #[track_caller]
    fn is_detached(&self) {
        eventually("the disk to be detached", || {
            cloud::attachments(&self.disk).is_empty()
        });
    }
}
