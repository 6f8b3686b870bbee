//! What there is to do, from what is found: of an intent, and of a volume. Pure; the loops only look and act.
//!
//! An intent goes through these steps, and whoever leads may be gone after each of them:
//!
//! 1. it is written, with its finalizer;
//! 2. the backend makes a volume by its name;
//! 3. the PersistentVolume is written, with the intent's UID;
//! 4. the finalizer is taken away;
//! 5. it is deleted.
//!
//! Where nobody wants the volume any more, its name at the backend is written to the intent before it is deleted there.
//!
//! Whoever comes next finds which of them are done by the objects alone, but for the second: that only the backend knows,
//! which is asked once more for a volume of that name, and answers with the one that it has.

use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolume;

use crate::names::{PROVISIONED_BY, Provisioner, VOLUME_FINALIZER};
use crate::verdict::{Retry, Verdict};

/// Whether the claim of an intent still wants its volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It waits for it.
    Waits,
    /// It is gone, or being deleted, or another of its name is there, or it has another volume.
    Gone,
}

/// The PersistentVolume of an intent's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Volume {
    /// There is none.
    Missing,
    /// Step 3 of this intent.
    OfThisIntent,
    /// Whoever wrote it.
    OfAnother,
}

/// Whether an intent's work is done: whether its finalizer is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Open,
    Done,
}

/// Who may still be asking the backend for this volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// Nobody: this process wrote the intent.
    None,
    /// A process that led before, whose calls may last for so long.
    For(Duration),
}

/// Whether the backend was asked for this volume, by whomever, without an answer that tells all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// This process wrote the intent, and has not called yet.
    Never,
    /// A process that led before wrote it, or a call of this one did not tell what it made.
    Perhaps,
}

/// Whether the volume of an intent is being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    No,
    /// That was written down. It may be gone by now, so that whoever asks for it would get a new one.
    Begun,
}

/// What is found of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) work: Work,
    pub(crate) claim: Claim,
    pub(crate) volume: Volume,
    pub(crate) others: Others,
    pub(crate) asked: Asked,
    pub(crate) deletion: Deletion,
}

/// What is to be done about an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// Ask the backend for the volume, and write the PersistentVolume.
    Make,
    /// Ask the backend for the volume, and delete it.
    Undo,
    /// Delete the volume that was to be deleted before.
    Delete,
    /// Take the finalizer away, and delete the intent.
    Settle,
    /// Delete the intent.
    Remove,
    /// A volume that is deleted now could be made once more by a request that is still under way.
    WaitFor(Duration),
}

/// The next step of an intent.
pub(crate) fn of_intent(found: &Found) -> NextStep {
    match (found.work, found.volume, found.claim, found.others) {
        // Nothing was made, and nothing has to be.
        (Work::Open, Volume::Missing, Claim::Gone, _) if found.asked == Asked::Never => {
            NextStep::Settle
        }
        (Work::Done, ..) => NextStep::Remove,
        (Work::Open, Volume::OfThisIntent, ..) => NextStep::Settle,
        (Work::Open, ..) if found.deletion == Deletion::Begun => NextStep::Delete,
        (Work::Open, _, Claim::Waits, _) => NextStep::Make,
        (Work::Open, _, Claim::Gone, Others::For(left)) if !left.is_zero() => {
            NextStep::WaitFor(left)
        }
        (Work::Open, _, Claim::Gone, _) => NextStep::Undo,
    }
}

/// What a refusal means for an intent, for which was asked before it or not.
///
/// Parameters, grants and places are refused before the backend is looked at, and what was granted yesterday may be refused
/// today: so such an answer tells only of the call that it ends. That there is no room is the backend's own answer to a
/// creation, before which a driver has looked for what it made.
pub(crate) fn after_refusal(verdict: Verdict, asked: Asked) -> Verdict {
    match (verdict, asked) {
        (Verdict::NothingMade(Retry::Elsewhere), _) | (_, Asked::Never) => verdict,
        (Verdict::NothingMade(_), Asked::Perhaps) => Verdict::PerhapsMade(Retry::Slowly),
        (Verdict::PerhapsMade(_), Asked::Perhaps) => verdict,
    }
}

/// What is to be done about a PersistentVolume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VolumeStep {
    Nothing,
    /// Delete what is at the backend, then the object, then take the finalizer away.
    Delete,
    /// Nobody deletes what is at the backend, so nothing has to wait for that.
    DropFinalizer,
    /// Who deletes the object by hand should not lose what is at the backend.
    KeepFinalizer,
}

/// The next step of a volume that a claim of `provisioner` has or had.
pub(crate) fn of_volume(volume: &PersistentVolume, provisioner: &Provisioner) -> VolumeStep {
    if !is_ours(volume, provisioner) {
        return VolumeStep::Nothing;
    }
    let finalizers = volume.metadata.finalizers.iter().flatten();
    let is_held = finalizers.into_iter().any(|name| name == VOLUME_FINALIZER);
    let is_going = volume.metadata.deletion_timestamp.is_some();
    let spec = volume.spec.as_ref();
    let policy = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    let phase = volume.status.as_ref();
    let phase = phase.and_then(|status| status.phase.as_deref());
    match (policy == Some("Delete"), phase, is_going, is_held) {
        (false, _, _, true) => VolumeStep::DropFinalizer,
        (false, _, _, false) => VolumeStep::Nothing,
        (true, Some("Released"), false, _) | (true, Some("Released"), true, true) => {
            VolumeStep::Delete
        }
        (true, _, false, false) => VolumeStep::KeepFinalizer,
        (true, _, _, _) => VolumeStep::Nothing,
    }
}

/// A FlexVolume of this driver that a provisioner of this name made: this one, or the one before it.
fn is_ours(volume: &PersistentVolume, provisioner: &Provisioner) -> bool {
    let annotations = volume.metadata.annotations.as_ref();
    let made_by = annotations.and_then(|annotations| annotations.get(PROVISIONED_BY));
    let spec = volume.spec.as_ref();
    let flexvolume = spec.and_then(|spec| spec.flex_volume.as_ref());
    made_by == Some(&provisioner.0)
        && flexvolume.is_some_and(|flexvolume| flexvolume.driver == provisioner.0)
}

#[cfg(test)]
mod tests;
