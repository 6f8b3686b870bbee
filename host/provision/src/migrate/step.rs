//! What is to be done next about a volume that is being replaced: from what is found, and from nothing else, so that whoever
//! comes after one that was killed goes on where that one was. Pure.
//!
//! ```text
//! written down → Retain, marked → looked at once more → deleted → released → created → Bound → noted → whole → forgotten
//! ```
//!
//! No volume that is deleted here can take its disk with it. It is Bound when its policy is seen to be Retain, and only
//! that very version of it is deleted: so at no time was it Released with policy Delete, not for a watcher that lags
//! behind either, and that alone is what provisioners delete disks for.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::Value;

use super::object::{Object, RETAIN};
use super::record::{Record, Stage};
use super::replacement::Direction;

/// Which of the two volumes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Old,
    New,
}

/// What there is by a record's name.
#[derive(Debug, PartialEq, Eq)]
enum VolumeState {
    /// What was to be replaced, not touched or not gone yet.
    Original,
    Gone,
    /// Created after it.
    Created(Which),
    /// Whoever made it.
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Set the policy to Retain, and mark it.
    Retain,
    /// Look who uses it, and delete the object.
    Delete,
    /// Take off what holds the deleted object: it is Bound, and would stay for as long as the claim does.
    Release,
    /// Look who came meanwhile, and create the one or the other.
    Create,
    /// Create what was there.
    Restore,
    /// A person created it without the UID of the claim that has it. Whoever binds volumes goes by that.
    Claim,
    /// Whoever binds volumes has not seen it yet.
    Await,
    /// Write on the record how far it is.
    Write(Stage),
    /// Give it what its mark says, and take that off.
    Finish,
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
    stage: Stage,
    wanted: Direction,
) -> Step {
    let is_open = [Stage::Begun, Stage::Deleting].contains(&stage);
    let goes_on = record.direction == wanted && is_open;
    match (state_of(found, record), found, stage) {
        (VolumeState::Created(which), Some(object), Stage::Replaced) => end(object, which),
        // It was all done, and then somebody deleted it or made another one of it.
        (_, _, Stage::Replaced) => Step::Forget(None),
        (VolumeState::Original, Some(object), _) => match (goes_on, object.is_going()) {
            (false, false) => given_up(object, stage),
            _ => of_original(object, stage),
        },
        // Others deleted it for good before anybody did so here, as provisioners do with its claim.
        (VolumeState::Gone, _, _) if !stage.deletes() => Step::Forget(None),
        (VolumeState::Gone, _, _) if goes_on => Step::Create,
        (VolumeState::Gone, _, _) => Step::Restore,
        (VolumeState::Created(_), Some(object), _) if object.claim().is_none() => {
            match claim.is_some_and(|claim| claim.metadata.uid == record.claim().map(|key| key.uid))
            {
                true => Step::Claim,
                false => Step::Stop,
            }
        }
        (VolumeState::Created(_), Some(object), _) if !is_settled(object, claim) => Step::Await,
        (VolumeState::Created(_), _, _) => Step::Write(Stage::Replaced),
        (VolumeState::Foreign | VolumeState::Original, _, _) => Step::Stop,
    }
}

fn of_original(object: &Object, stage: Stage) -> Step {
    let is_kept = object.policy() == RETAIN && object.mark().is_some();
    match (is_kept, object.is_going()) {
        (false, _) => Step::Retain,
        (true, false) => Step::Delete,
        // Somebody else deleted it, and it is created again all the same: until then its claim holds it.
        (true, true) if !stage.deletes() => Step::Write(Stage::Deleting),
        (true, true) => Step::Release,
    }
}

/// It is not to be replaced any more. That is written down before it is looked whether the volume is marked: another run may
/// be about to delete it, and does so only to what is marked and by a record that is not given up.
fn given_up(object: &Object, stage: Stage) -> Step {
    match stage {
        Stage::Begun | Stage::Deleting => Step::Write(Stage::GivenUp),
        Stage::GivenUp | Stage::TurnedBack | Stage::Replaced => end(object, Which::Old),
    }
}

fn end(object: &Object, which: Which) -> Step {
    match object.mark().is_some() && !object.is_going() {
        true => Step::Finish,
        false => Step::Forget(Some(which)),
    }
}

fn state_of(found: Option<&Object>, record: &Record) -> VolumeState {
    let Some(object) = found else {
        return VolumeState::Gone;
    };
    if object.uid() == record.uid {
        return VolumeState::Original;
    }
    let blueprint = object.blueprint();
    let is = |volume: &Value| is_same(volume, &blueprint);
    match (is(&record.new), is(&record.old)) {
        (true, _) => VolumeState::Created(Which::New),
        (false, true) => VolumeState::Created(Which::Old),
        (false, false) => VolumeState::Foreign,
    }
}

/// By what a volume is the same: where its data is, and whose it is. One that a person wrote may lack its claim's UID.
fn is_same(volume: &Value, found: &Value) -> bool {
    let (volume, found) = (&volume["spec"], &found["spec"]);
    let is_claims = |field: &str| volume["claimRef"][field] == found["claimRef"][field];
    let is_of_claim = match found["claimRef"]["uid"].is_null() {
        true => is_claims("namespace") && is_claims("name"),
        false => is_claims("uid"),
    };
    let is_source = |field: &str| volume[field] == found[field];
    is_of_claim && is_source("csi") && is_source("flexVolume")
}

/// Whether volume and claim have found each other again, or the claim went meanwhile, and that was seen.
pub(super) fn is_settled(object: &Object, claim: Option<&PersistentVolumeClaim>) -> bool {
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

/// Whether the claim has it and is to keep it.
pub(super) fn is_held(object: &Object, claim: Option<&PersistentVolumeClaim>) -> bool {
    let claim = claim_of(object, claim);
    let claim = claim.filter(|claim| claim.metadata.deletion_timestamp.is_none());
    object.phase() == "Bound" && claim.is_some_and(is_bound)
}

pub(super) fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    let phase = claim
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    phase == Some("Bound")
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

    fn step(found: Option<Value>, stage: Stage, wanted: Direction) -> Step {
        let found = found.map(object);
        next(
            found.as_ref(),
            Some(&claim("Bound")),
            &record(),
            stage,
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

    fn marked(policy: &str, going: Value) -> Value {
        let mut volume = original(policy, going);
        let mark = object(record().old).mark().expect("a mark");
        mark.put_on(&mut volume);
        volume
    }

    /// Without the mark.
    fn whole(which: Which) -> Value {
        let volume = created(which, "Bound");
        let mut whole = object(volume.clone()).blueprint();
        whole["metadata"]["uid"] = volume["metadata"]["uid"].clone();
        whole["status"] = volume["status"].clone();
        whole
    }

    #[test]
    fn an_original_is_kept_and_marked_deleted_and_released_in_that_order() {
        let going = || json!("2026-11-30T12:00:00Z");
        let of = |volume| step(Some(volume), Stage::Begun, Direction::ToCsi);
        assert_eq!(of(original("Delete", Value::Null)), Step::Retain);
        assert_eq!(of(original("Retain", Value::Null)), Step::Retain);
        assert_eq!(of(marked("Delete", Value::Null)), Step::Retain);
        assert_eq!(of(marked("Retain", Value::Null)), Step::Delete);
        assert_eq!(of(original("Delete", going())), Step::Retain);
        let of = |volume| step(Some(volume), Stage::Deleting, Direction::ToCsi);
        assert_eq!(of(marked("Retain", Value::Null)), Step::Delete);
        assert_eq!(of(marked("Retain", going())), Step::Release);
    }

    #[test]
    fn a_record_of_the_other_way_is_taken_back_for_as_long_as_that_can_be() {
        let of = |found| step(found, Stage::Begun, Direction::ToFlexVolume);
        let give_up = Step::Write(Stage::GivenUp);
        assert_eq!(of(Some(marked("Retain", Value::Null))), give_up);
        assert_eq!(of(Some(original("Delete", Value::Null))), give_up);
        let of = |found| step(found, Stage::Deleting, Direction::ToFlexVolume);
        assert_eq!(of(Some(marked("Retain", Value::Null))), give_up);
        let going = marked("Retain", json!("2026-11-30T12:00:00Z"));
        assert_eq!(of(Some(going)), Step::Release);
        assert_eq!(of(None), Step::Restore);
        assert_eq!(
            of(Some(created(Which::New, "Bound"))),
            Step::Write(Stage::Replaced)
        );
    }

    /// Also by a run that wants to go on: it begins anew once nothing is written down any more.
    #[test]
    fn what_is_given_up_is_given_up_by_everybody() {
        for wanted in [Direction::ToCsi, Direction::ToFlexVolume] {
            for stage in [Stage::GivenUp, Stage::TurnedBack] {
                let of = |found| step(found, stage, wanted);
                assert_eq!(of(Some(marked("Retain", Value::Null))), Step::Finish);
                assert_eq!(
                    of(Some(original("Delete", Value::Null))),
                    Step::Forget(Some(Which::Old))
                );
            }
            let going = marked("Retain", json!("2026-11-30T12:00:00Z"));
            let of = |found| step(found, Stage::TurnedBack, wanted);
            assert_eq!(of(Some(going)), Step::Release);
            assert_eq!(of(None), Step::Restore);
        }
    }

    #[test]
    fn what_others_deleted_is_created_again_only_where_it_was_taken_over_before_it_was_gone() {
        for stage in [Stage::Begun, Stage::GivenUp] {
            let of = |found| step(found, stage, Direction::ToCsi);
            assert_eq!(of(None), Step::Forget(None));
            let going = marked("Retain", json!("2026-11-30T12:00:00Z"));
            assert_eq!(of(Some(going)), Step::Write(Stage::Deleting));
        }
    }

    #[test]
    fn what_is_created_is_seen_bound_before_its_policy_comes_back() {
        for which in [Which::Old, Which::New] {
            let of = |volume, stage| step(Some(volume), stage, Direction::ToCsi);
            let bound = || created(which, "Bound");
            for stage in [Stage::Begun, Stage::GivenUp] {
                assert_eq!(of(created(which, "Pending"), stage), Step::Await);
                assert_eq!(of(bound(), stage), Step::Write(Stage::Replaced));
            }
            assert_eq!(of(bound(), Stage::Replaced), Step::Finish);
            let forget = Step::Forget(Some(which));
            assert_eq!(of(whole(which), Stage::Replaced), forget);
            // Whoever set that policy did it after the volume was whole.
            let mut since = whole(which);
            since["spec"]["persistentVolumeReclaimPolicy"] = json!("Recycle");
            assert_eq!(of(since, Stage::Replaced), forget);
        }
    }

    #[test]
    fn a_claim_that_is_lost_is_waited_for_and_one_that_is_gone_is_not() {
        let of = |claim: Option<&PersistentVolumeClaim>, phase| {
            let found = object(created(Which::New, phase));
            next(
                Some(&found),
                claim,
                &record(),
                Stage::Begun,
                Direction::ToCsi,
            )
        };
        assert_eq!(of(Some(&claim("Lost")), "Bound"), Step::Await);
        assert_eq!(of(None, "Bound"), Step::Await);
        assert_eq!(of(None, "Released"), Step::Write(Stage::Replaced));
        let mut another = claim("Pending");
        another.metadata.uid = Some("u-2".to_owned());
        assert_eq!(of(Some(&another), "Released"), Step::Write(Stage::Replaced));
    }

    #[test]
    fn a_volume_is_held_by_a_claim_that_is_bound_and_stays() {
        let bound = object(created(Which::New, "Bound"));
        assert!(is_held(&bound, Some(&claim("Bound"))));
        assert!(!is_held(&object(created(Which::New, "Released")), None));
        let mut going = claim("Bound");
        going.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-11-30T12:00:00Z")).expect("a time");
        for claim in [None, Some(&going), Some(&claim("Lost"))] {
            assert!(!is_held(&bound, claim), "{claim:?}");
        }
    }

    #[test]
    fn a_volume_that_goes_after_all_was_done_is_not_created_once_more() {
        assert_eq!(step(None, Stage::Deleting, Direction::ToCsi), Step::Create);
        assert_eq!(
            step(None, Stage::Replaced, Direction::ToCsi),
            Step::Forget(None)
        );
    }

    #[test]
    fn what_another_made_is_let_alone() {
        let mut foreign = created(Which::New, "Bound");
        foreign["spec"]["csi"]["volumeHandle"] = json!("d-2");
        assert_eq!(
            step(Some(foreign), Stage::Begun, Direction::ToCsi),
            Step::Stop
        );
        let mut written = created(Which::New, "Available");
        let reference = written["spec"]["claimRef"].as_object_mut();
        reference.expect("an object").remove("uid");
        assert_eq!(
            step(Some(written.clone()), Stage::Deleting, Direction::ToCsi),
            Step::Claim,
            "a person's"
        );
        let found = object(written);
        let of = |claim| {
            next(
                Some(&found),
                claim,
                &record(),
                Stage::Deleting,
                Direction::ToCsi,
            )
        };
        let mut another = claim("Pending");
        another.metadata.uid = Some("u-2".to_owned());
        assert_eq!(
            [of(None), of(Some(&another))],
            [Step::Stop, Step::Stop],
            "whoever brought it back may want it for another claim"
        );
        let mut others = created(Which::New, "Bound");
        others["spec"]["claimRef"]["uid"] = json!("u-2");
        assert_eq!(
            step(Some(others), Stage::Begun, Direction::ToCsi),
            Step::Stop
        );
    }
}
