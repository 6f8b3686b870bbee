//! What is to be done next about a volume that is being replaced: from what is found, and from nothing else, so that whoever
//! comes after one that was killed goes on where that one was. Pure.
//!
//! ```text
//! written down → Retain → looked at once more → deleted → released → created → Bound → noted → finished → forgotten
//! ```
//!
//! No volume that is deleted here can take its disk with it. It is Bound when its policy is seen to be Retain, and only
//! that very version of it is deleted: so at no time was it Released with policy Delete, not for a watcher that lags
//! behind either, and that alone is what provisioners delete disks for.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::Value;

use super::object::{Object, RETAIN};
use super::record::Record;
use super::replacement::Direction;

/// Which of the two volumes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Old,
    New,
}

/// What there is by a record's name.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// What was to be replaced, not touched or not gone yet.
    Original,
    Gone,
    /// Created after it.
    Created(Which),
    /// Whoever made it.
    Foreign,
}

/// Whether the new volume was seen to be Bound: from then on nothing is created any more, also where it goes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    No,
    Yes,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Set the policy to Retain.
    Retain,
    /// Look who uses it, and delete the object.
    Delete,
    /// Take off what holds the deleted object: it is Bound, and would stay for as long as the claim does.
    Release,
    /// Look who came meanwhile, and create the one or the other.
    Create,
    /// Create what was there.
    Restore,
    /// Whoever binds volumes has not seen it yet.
    Await,
    /// Note that it was seen to be bound.
    Note,
    /// Give it the policy that it had, and to whoever deletes it the finalizer.
    Finish(Which),
    /// Delete the record.
    Forget(Option<Which>),
    /// A person has to look at it.
    Stop,
}

/// The next step of a record, which is worked off by somebody who wants volumes to go that way.
pub(super) fn next(
    found: Option<&Object>,
    claim: Option<&PersistentVolumeClaim>,
    record: &Record,
    noted: Noted,
    wanted: Direction,
) -> Step {
    let is_wanted = record.direction == wanted;
    match (standing(found, record), found, noted) {
        (Standing::Original, Some(object), Noted::No) => of_original(object, record, is_wanted),
        (Standing::Gone, _, Noted::No) if is_wanted => Step::Create,
        (Standing::Gone, _, Noted::No) => Step::Restore,
        (Standing::Created(_), Some(object), Noted::No) if !is_settled(object, claim) => {
            Step::Await
        }
        (Standing::Created(_), _, Noted::No) => Step::Note,
        (Standing::Created(which), Some(object), Noted::Yes) => end(object, record, which),
        // It was all done, and then somebody deleted it or made another one of it.
        (_, _, Noted::Yes) => Step::Forget(None),
        (Standing::Foreign | Standing::Original, _, Noted::No) => Step::Stop,
    }
}

/// Of one that is not wanted to be replaced any more, what was done to it is taken back, while that can be.
fn of_original(object: &Object, record: &Record, is_wanted: bool) -> Step {
    match (object.policy() == RETAIN, object.is_going()) {
        (_, false) if !is_wanted => end(object, record, Which::Old),
        (false, _) => Step::Retain,
        (true, false) => Step::Delete,
        (true, true) => Step::Release,
    }
}

fn end(object: &Object, record: &Record, which: Which) -> Step {
    match is_finished(object, record, which) {
        false => Step::Finish(which),
        true => Step::Forget(Some(which)),
    }
}

fn standing(found: Option<&Object>, record: &Record) -> Standing {
    let Some(object) = found else {
        return Standing::Gone;
    };
    if object.uid() == record.uid {
        return Standing::Original;
    }
    let blueprint = object.blueprint();
    let is = |volume: &Value| essence(volume) == essence(&blueprint);
    match (is(&record.new), is(&record.old)) {
        (true, _) => Standing::Created(Which::New),
        (false, true) => Standing::Created(Which::Old),
        (false, false) => Standing::Foreign,
    }
}

/// By what a volume is the same: where its data is, and whose it is.
fn essence(volume: &Value) -> [&Value; 3] {
    let spec = &volume["spec"];
    [&spec["csi"], &spec["flexVolume"], &spec["claimRef"]["uid"]]
}

/// Whether volume and claim have found each other again, or the claim went meanwhile, and that was seen.
fn is_settled(object: &Object, claim: Option<&PersistentVolumeClaim>) -> bool {
    match claim_of(object, claim) {
        Some(claim) => object.phase() == "Bound" && is_bound(claim),
        None => ["Released", "Failed"].contains(&object.phase()),
    }
}

/// That claim, if it is the volume's and not another that has its name now.
pub(super) fn claim_of<'a>(
    object: &Object,
    claim: Option<&'a PersistentVolumeClaim>,
) -> Option<&'a PersistentVolumeClaim> {
    let uid = object.claim()?.uid;
    claim.filter(|claim| claim.metadata.uid.as_ref() == Some(&uid))
}

pub(super) fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    let phase = claim
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    phase == Some("Bound")
}

/// One whose claim is gone keeps Retain: whoever deleted that may have relied on it, and provisioners delete at once what is
/// Released with policy Delete.
fn is_finished(object: &Object, record: &Record, which: Which) -> bool {
    if object.phase() != "Bound" {
        return true;
    }
    let finalizer = record.finalizer_of(record.volume_of(which));
    let has = |name: &str| {
        object
            .finalizers()
            .iter()
            .any(|finalizer| finalizer == name)
    };
    object.is_going() || (object.policy() == record.policy && finalizer.is_none_or(has))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::object::tests::{bound_disk, object};
    use super::super::record::tests::record;
    use super::*;

    fn claim(phase: &str) -> PersistentVolumeClaim {
        let claim = json!({ "metadata": { "uid": "u-1" }, "status": { "phase": phase } });
        serde_json::from_value(claim).expect("a claim")
    }

    fn step(found: Option<Value>, noted: Noted, wanted: Direction) -> Step {
        let found = found.map(object);
        next(
            found.as_ref(),
            Some(&claim("Bound")),
            &record(),
            noted,
            wanted,
        )
    }

    /// The old volume, with what differs.
    fn original(policy: &str, going: Value) -> Value {
        let mut volume = bound_disk();
        volume["spec"]["persistentVolumeReclaimPolicy"] = json!(policy);
        volume["metadata"]["deletionTimestamp"] = going;
        volume
    }

    fn created(which: Which, phase: &str) -> Value {
        let mut volume = record().volume_of(which).clone();
        volume["metadata"]["uid"] = json!("new");
        volume["status"] = json!({ "phase": phase });
        volume
    }

    #[test]
    fn an_original_is_retained_deleted_and_released_in_that_order() {
        let going = || json!("2026-11-30T12:00:00Z");
        let of = |policy, going| step(Some(original(policy, going)), Noted::No, Direction::ToCsi);
        assert_eq!(of("Delete", Value::Null), Step::Retain);
        assert_eq!(of("Retain", Value::Null), Step::Delete);
        assert_eq!(of("Delete", going()), Step::Retain);
        assert_eq!(of("Retain", going()), Step::Release);
    }

    #[test]
    fn a_record_of_the_other_way_is_taken_back_for_as_long_as_that_can_be() {
        let of = |found| step(found, Noted::No, Direction::ToFlexVolume);
        assert_eq!(
            of(Some(original("Retain", Value::Null))),
            Step::Finish(Which::Old)
        );
        assert_eq!(
            of(Some(original("Delete", Value::Null))),
            Step::Forget(Some(Which::Old))
        );
        assert_eq!(
            of(Some(original("Retain", json!("2026-11-30T12:00:00Z")))),
            Step::Release
        );
        assert_eq!(of(None), Step::Restore);
        assert_eq!(of(Some(created(Which::New, "Bound"))), Step::Note);
    }

    #[test]
    fn what_is_created_is_seen_bound_before_its_policy_comes_back() {
        for which in [Which::Old, Which::New] {
            let of = |volume, noted| step(Some(volume), noted, Direction::ToCsi);
            assert_eq!(of(created(which, "Pending"), Noted::No), Step::Await);
            assert_eq!(of(created(which, "Bound"), Noted::No), Step::Note);
            assert_eq!(of(created(which, "Bound"), Noted::Yes), Step::Finish(which));
            let mut finished = created(which, "Bound");
            finished["spec"]["persistentVolumeReclaimPolicy"] = json!("Delete");
            assert_eq!(of(finished.clone(), Noted::Yes), Step::Finish(which));
            finished["metadata"]["finalizers"] =
                json!(["external-provisioner.volume.kubernetes.io/finalizer"]);
            assert_eq!(of(finished, Noted::Yes), Step::Forget(Some(which)));
        }
    }

    #[test]
    fn a_claim_that_is_lost_is_waited_for_and_one_that_is_gone_is_not() {
        let of = |claim: Option<&PersistentVolumeClaim>, phase| {
            let found = object(created(Which::New, phase));
            next(Some(&found), claim, &record(), Noted::No, Direction::ToCsi)
        };
        assert_eq!(of(Some(&claim("Lost")), "Bound"), Step::Await);
        assert_eq!(of(None, "Bound"), Step::Await);
        assert_eq!(of(None, "Released"), Step::Note);
        let mut another = claim("Pending");
        another.metadata.uid = Some("u-2".to_owned());
        assert_eq!(of(Some(&another), "Released"), Step::Note);
    }

    #[test]
    fn a_volume_that_its_claim_left_keeps_retain() {
        let released = created(Which::New, "Released");
        assert_eq!(
            step(Some(released), Noted::Yes, Direction::ToCsi),
            Step::Forget(Some(Which::New))
        );
        let mut original = original("Retain", Value::Null);
        original["status"]["phase"] = json!("Released");
        assert_eq!(
            step(Some(original), Noted::No, Direction::ToFlexVolume),
            Step::Forget(Some(Which::Old))
        );
    }

    #[test]
    fn a_volume_that_goes_after_all_was_done_is_not_created_once_more() {
        assert_eq!(step(None, Noted::No, Direction::ToCsi), Step::Create);
        assert_eq!(step(None, Noted::Yes, Direction::ToCsi), Step::Forget(None));
    }

    #[test]
    fn what_another_made_is_let_alone() {
        let mut foreign = created(Which::New, "Bound");
        foreign["spec"]["csi"]["volumeHandle"] = json!("d-2");
        assert_eq!(step(Some(foreign), Noted::No, Direction::ToCsi), Step::Stop);
        let mut others = created(Which::New, "Bound");
        others["spec"]["claimRef"]["uid"] = json!("u-2");
        assert_eq!(step(Some(others), Noted::No, Direction::ToCsi), Step::Stop);
    }
}
