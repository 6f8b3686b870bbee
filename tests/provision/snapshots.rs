//! A claim that names a snapshot by an annotation, as claims of the old controller did.

use serde_json::json;

use crate::site::Site;

#[test]
fn a_claim_that_names_a_snapshot_is_made_of_it_where_claims_may_choose_and_told_else() {
    let site = Site::with_class("snapshots");
    let provisioner = site.provisioner();
    site.claim("data", &json!({}));
    let volume = site.is_bound("data");
    let disk = volume["spec"]["flexVolume"]["options"]["VolumeId"].clone();
    let snapshot = site.snapshot_of(disk.as_str().expect("an id"));
    let named = json!({ "provider.disksnapshot.aliyuncs.com/disk-snapshot-id": snapshot });
    site.annotated_claim("restored", &named);
    site.is_told(
        "restored",
        &["ProvisioningFailed", "--named-snapshots=restore"],
    );
    assert_eq!(site.disks().len(), 1, "an empty disk was made");
    provisioner.stop();
    let _provisioner = site.provisioner_that_restores();
    let volume = site.is_bound("restored");
    let restored = &volume["spec"]["flexVolume"]["options"]["VolumeId"];
    let restored = site.cloud.disk(restored.as_str().expect("an id"));
    assert_eq!(restored["source"], snapshot, "{restored}");
}
