//! Whether a volume can be replaced now, and by what. Pure.

use std::collections::BTreeSet;

use drivebay::volume::VolumeId;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use serde_json::Value;

use super::drivers::{Drivers, Kind};
use super::inline;
use super::object::{Object, PROTECTION};
use super::replacement::{self, Direction, Unreplaceable};
use super::step;
use crate::names::VOLUME_FINALIZER;
use crate::volume;

/// The finalizers that CSI's attacher has, one a driver. It takes its own away from what is deleted and not attached.
const ATTACHERS: &str = "external-attacher/";

/// Why a volume is left as it is, and what can be done about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Left {
    #[error("there is no such PersistentVolume")]
    Missing,
    #[error("it is being deleted")]
    Going,
    #[error(
        "it is {0}, not Bound: only what a claim holds is turned; bind it first, or write the volume anew by hand"
    )]
    NotBound(String),
    #[error("its claim {0} is not there any more, or is another one by now")]
    ClaimGone(String),
    #[error("its claim {0} is being deleted")]
    ClaimGoing(String),
    #[error("its claim {0} is not Bound to it: look at the claim's events")]
    ClaimUnbound(String),
    #[error("{}: end the pods that use it, by scaling down what makes them, and call this again", .0.join("; "))]
    InUse(Vec<String>),
    #[error(transparent)]
    Unreplaceable(#[from] Unreplaceable),
    #[error(
        "PersistentVolume {other} is of disk {disk} too: delete the one that is wrong, after its reclaim policy was made Retain"
    )]
    SameDisk { disk: String, other: String },
    #[error(
        "finalizer {0} holds it, which is not known here: whoever set it has to take it off first"
    )]
    Finalizer(String),
    #[error(
        "no CSIDriver {0} is in this cluster: install the CSI driver first, or its pods would wait for ever"
    )]
    NoDriver(String),
    #[error("the API server would not take the new volume ({0}); nothing was changed")]
    Refused(String),
    #[error(
        "the API server would not take the volume back as it is ({0}), were a pod to come in between; nothing was changed"
    )]
    NoWayBack(String),
    #[error(
        "{0} came before it could be replaced, so the old volume is back: end that pod, and call this again"
    )]
    CameMeanwhile(String),
    #[error(
        "its claim is gone or is being deleted, so its reclaim policy stays Retain and is {0} no more: set that again if the \
         volume may be deleted"
    )]
    Retained(String),
    #[error("others deleted it before it was replaced, so it is not created again")]
    Vanished,
}

/// What is known besides a volume itself.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) drivers: &'a Drivers,
    pub(super) claim: Option<&'a PersistentVolumeClaim>,
    /// Who uses it by its claim, in words.
    pub(super) uses: Vec<String>,
    /// All that there are.
    pub(super) volumes: &'a [Object],
    /// Of all namespaces.
    pub(super) pods: &'a [Pod],
    /// CSI drivers that the cluster knows.
    pub(super) csi_drivers: &'a BTreeSet<String>,
}

/// What a volume is to be replaced by.
pub(super) fn of(
    object: &Object,
    direction: Direction,
    around: &Surroundings<'_>,
) -> Result<Value, Left> {
    let new = replacement::of(object, direction, around.drivers)?;
    refuse_unbound(object, around.claim)?;
    refuse_held(object)?;
    let disk = disk(object, &new, around.drivers);
    let mut uses = around.uses.clone();
    if let Some(disk) = &disk {
        refuse_same_disk(object, disk, around.volumes)?;
        uses.extend(inline::users_of(disk, around.pods, around.drivers));
    }
    if let Some(name) = new["spec"]["csi"]["driver"].as_str()
        && !around.csi_drivers.contains(name)
    {
        return Err(Left::NoDriver(name.to_owned()));
    }
    match uses.is_empty() {
        true => Ok(new),
        false => Err(Left::InUse(uses)),
    }
}

fn refuse_unbound(object: &Object, found: Option<&PersistentVolumeClaim>) -> Result<(), Left> {
    if object.is_going() {
        return Err(Left::Going);
    }
    let Some(key) = object.claim().filter(|_| object.phase() == "Bound") else {
        return Err(Left::NotBound(object.phase().to_owned()));
    };
    let name = format!("{}/{}", key.namespace, key.name);
    let Some(claim) = step::claim_of(object, found) else {
        return Err(Left::ClaimGone(name));
    };
    if claim.metadata.deletion_timestamp.is_some() {
        return Err(Left::ClaimGoing(name));
    }
    let volume = claim
        .spec
        .as_ref()
        .and_then(|spec| spec.volume_name.as_ref());
    match step::is_bound(claim) && volume == Some(&object.name()) {
        true => Ok(()),
        false => Err(Left::ClaimUnbound(name)),
    }
}

fn refuse_held(object: &Object) -> Result<(), Left> {
    let mut finalizers = object.finalizers().iter();
    match finalizers.find(|name| !may_be_taken_off(name)) {
        None => Ok(()),
        Some(name) => Err(Left::Finalizer(name.clone())),
    }
}

/// Whether nothing is lost where that finalizer is taken off a volume that is kept and not attached.
pub(super) fn may_be_taken_off(finalizer: &str) -> bool {
    [PROTECTION, VOLUME_FINALIZER].contains(&finalizer) || finalizer.starts_with(ATTACHERS)
}

/// The disk that a volume and what is to replace it are of.
pub(super) fn disk(object: &Object, new: &Value, drivers: &Drivers) -> Option<VolumeId> {
    let flexvolume = match object.flexvolume() {
        Some(source) => Some(source.driver.as_str()),
        None => new["spec"]["flexVolume"]["driver"].as_str(),
    };
    let driver = flexvolume.and_then(|name| drivers.by_flexvolume(name));
    let driver = driver.filter(|driver| driver.kind == Kind::Disk);
    driver.and_then(|_| volume::id_of(object.known()))
}

/// By two objects of one disk, two kubelets would come to have it.
pub(super) fn refuse_same_disk(
    object: &Object,
    disk: &VolumeId,
    volumes: &[Object],
) -> Result<(), Left> {
    let mut others = volumes.iter().filter(|other| {
        other.uid() != object.uid()
            && other.name() != object.name()
            && volume::is_of(other.known(), disk)
    });
    match others.next() {
        None => Ok(()),
        Some(other) => Err(Left::SameDisk {
            disk: disk.0.clone(),
            other: other.name(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::object::tests::{bound_disk, object};
    use super::*;

    fn claim() -> Value {
        json!({
            "metadata": { "name": "data", "namespace": "shop", "uid": "u-1" },
            "spec": { "volumeName": "pvc-u-1" },
            "status": { "phase": "Bound" },
        })
    }

    /// What is said of a volume and its claim, beside others and used by those.
    fn assessed(
        volume: Value,
        claim: Value,
        others: &[Value],
        uses: &[&str],
    ) -> Result<Value, Left> {
        let names = |text: &str| text.parse().expect("names");
        let drivers = Drivers::new(&[names("alicloud/disk=d.csi")], &[names("k8s/nfs=n.csi")]);
        let claim: Option<PersistentVolumeClaim> = serde_json::from_value(claim).expect("a claim");
        let volumes: Vec<Object> = others.iter().cloned().map(object).collect();
        let around = Surroundings {
            drivers: &drivers,
            claim: claim.as_ref(),
            uses: uses.iter().map(|text| (*text).to_owned()).collect(),
            volumes: &volumes,
            pods: &[],
            csi_drivers: &["d.csi".to_owned()].into(),
        };
        of(&object(volume), Direction::ToCsi, &around)
    }

    #[track_caller]
    fn left(volume: Value, claim: Value) -> Left {
        assessed(volume, claim, &[], &[]).expect_err("left")
    }

    #[test]
    fn a_volume_that_is_bound_and_free_can_be_replaced() {
        let itself = bound_disk();
        let new = assessed(bound_disk(), claim(), &[itself], &[]).expect("a volume");
        assert_eq!(new["spec"]["csi"]["volumeHandle"], "d-1");
    }

    #[test]
    fn a_volume_or_a_claim_that_is_on_its_way_is_left() {
        let mut going = bound_disk();
        going["metadata"]["deletionTimestamp"] = json!("2026-11-30T12:00:00Z");
        assert!(matches!(left(going, claim()), Left::Going));
        let mut released = bound_disk();
        released["status"]["phase"] = json!("Released");
        assert!(matches!(left(released, claim()), Left::NotBound(phase) if phase == "Released"));
        assert!(matches!(
            left(bound_disk(), Value::Null),
            Left::ClaimGone(_)
        ));
        let with = |path: &str, value: Value| {
            let mut claim = claim();
            *claim.pointer_mut(path).expect("a field") = value;
            left(bound_disk(), claim)
        };
        assert!(matches!(
            with("/metadata/uid", json!("u-2")),
            Left::ClaimGone(_)
        ));
        assert!(matches!(
            with("/status/phase", json!("Lost")),
            Left::ClaimUnbound(_)
        ));
        assert!(matches!(
            with("/spec/volumeName", json!("another")),
            Left::ClaimUnbound(_)
        ));
        let mut deleted = claim();
        deleted["metadata"]["deletionTimestamp"] = json!("2026-11-30T12:00:00Z");
        assert!(matches!(left(bound_disk(), deleted), Left::ClaimGoing(_)));
    }

    #[test]
    fn a_volume_in_use_is_left_and_its_users_are_named() {
        let uses = [
            "pod shop/web-0 on node n",
            "VolumeAttachment csi-1 to node n",
        ];
        let left = assessed(bound_disk(), claim(), &[], &uses).expect_err("left");
        let said = left.to_string();
        assert!(
            said.contains("shop/web-0") && said.contains("csi-1") && said.contains("scaling down"),
            "{said}"
        );
    }

    #[test]
    fn a_disk_that_two_volumes_are_of_is_left_and_the_other_one_is_named() {
        let mut other = bound_disk();
        other["metadata"]["name"] = json!("other");
        other["metadata"]["uid"] = json!("other");
        let same = assessed(bound_disk(), claim(), &[other.clone()], &[]).expect_err("left");
        assert!(
            matches!(same, Left::SameDisk { disk, other } if disk == "d-1" && other == "other")
        );
        other["spec"]["flexVolume"]["options"]["VolumeId"] = json!("d-2");
        other["metadata"]["annotations"] = Value::Null;
        assessed(bound_disk(), claim(), &[other], &[]).expect("a volume");
    }

    #[test]
    fn a_volume_that_somebody_else_holds_is_left() {
        let mut held = bound_disk();
        held["metadata"]["finalizers"] = json!([PROTECTION, "example.com/backup"]);
        assert!(
            matches!(left(held, claim()), Left::Finalizer(name) if name == "example.com/backup")
        );
        for known in [
            PROTECTION,
            VOLUME_FINALIZER,
            "external-attacher/diskplugin-csi-alibabacloud-com",
        ] {
            assert!(may_be_taken_off(known), "{known}");
        }
    }

    #[test]
    fn without_the_csi_driver_nothing_is_replaced() {
        let mut share = bound_disk();
        share["spec"]["flexVolume"] =
            json!({ "driver": "k8s/nfs", "options": { "server": "s", "share": "/a" } });
        share["metadata"]["annotations"] = Value::Null;
        assert!(matches!(left(share, claim()), Left::NoDriver(name) if name == "n.csi"));
    }
}
