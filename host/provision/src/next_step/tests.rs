//! Every step can be the last of a process, and every claim can go at any moment.

use k8s_openapi::api::core::v1::{
    FlexPersistentVolumeSource, PersistentVolumeSpec, PersistentVolumeStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::*;

/// A cluster and a cloud with one claim. What the steps do is told here once more, in as few words as possible.
#[derive(Debug, Clone)]
struct World {
    claim: Claim,
    intent: Option<Work>,
    volume: Volume,
    /// How many there are at the backend.
    disks: u32,
    /// How many were made.
    ever: u32,
    deletion: Deletion,
    policy_deletes: bool,
    /// Whether this process has called, and its reply was lost.
    called: bool,
    /// Whether the backend is refused before it is looked at.
    refuses: bool,
}

/// After how many writes, to whatever it is, a process is gone.
struct Life(u32);

/// It is gone.
#[derive(Debug)]
struct Killed;

impl Life {
    /// One more write was carried out.
    fn wrote(&mut self) -> Result<(), Killed> {
        match self.0 {
            0 => Err(Killed),
            _ => {
                self.0 -= 1;
                Ok(())
            }
        }
    }
}

impl World {
    fn new(policy_deletes: bool) -> Self {
        Self {
            claim: Claim::Waits,
            intent: None,
            volume: Volume::Missing,
            disks: 0,
            ever: 0,
            deletion: Deletion::No,
            policy_deletes,
            called: false,
            refuses: false,
        }
    }

    fn asked(&self, others: Others) -> Asked {
        match (others, self.called) {
            (Others::None, false) => Asked::Never,
            _ => Asked::Perhaps,
        }
    }

    /// A call whose words are refused: whether the intent is settled by that.
    fn is_refused(&self, others: Others) -> bool {
        let refused = Verdict::NothingMade(Retry::Slowly);
        after_refusal(refused, self.asked(others)) == refused
    }

    /// The backend makes one, or finds the one that it has.
    fn make(&mut self) {
        if self.disks == 0 {
            (self.disks, self.ever) = (1, self.ever + 1);
        }
    }

    /// One process, until there is nothing to do or it is gone; each write is one step of its life.
    fn lead(&mut self, life: &mut Life, others: Others) -> Result<(), Killed> {
        loop {
            let Some(work) = self.intent else {
                if self.claim == Claim::Waits && self.volume == Volume::Missing {
                    self.intent = Some(Work::Open);
                    life.wrote()?;
                    continue;
                }
                return self.release(life);
            };
            let found = Found {
                work,
                claim: self.claim,
                volume: self.volume,
                others,
                asked: self.asked(others),
                deletion: self.deletion,
            };
            match of_intent(&found) {
                NextStep::Make | NextStep::Undo if self.refuses => {
                    if !self.is_refused(others) {
                        return Ok(());
                    }
                    self.intent = None;
                    life.wrote()?;
                }
                NextStep::Make => {
                    self.called = true;
                    self.make();
                    life.wrote()?;
                    self.volume = Volume::OfThisIntent;
                    life.wrote()?;
                }
                NextStep::Undo => {
                    self.make();
                    life.wrote()?;
                    self.deletion = Deletion::Begun;
                    life.wrote()?;
                }
                NextStep::Delete => {
                    self.disks = 0;
                    life.wrote()?;
                    self.intent = Some(Work::Done);
                    life.wrote()?;
                }
                NextStep::Settle => {
                    self.intent = Some(Work::Done);
                    life.wrote()?;
                }
                NextStep::Remove => {
                    self.intent = None;
                    life.wrote()?;
                }
                NextStep::WaitFor(_) => panic!("nobody else is at it here"),
            }
        }
    }

    /// What the loop of volumes does once the claim is gone.
    fn release(&mut self, life: &mut Life) -> Result<(), Killed> {
        if self.claim == Claim::Gone && self.volume != Volume::Missing && self.policy_deletes {
            self.disks = 0;
            life.wrote()?;
            self.volume = Volume::Missing;
            life.wrote()?;
        }
        Ok(())
    }
}

#[test]
fn whoever_is_killed_wherever_the_next_one_leaves_one_disk_and_no_intent() {
    for kill in 0..12 {
        for again in 0..12 {
            let mut world = World::new(true);
            let _ = world.lead(&mut Life(kill), Others::None);
            let _ = world.lead(&mut Life(again), Others::For(Duration::ZERO));
            world
                .lead(&mut Life(u32::MAX), Others::For(Duration::ZERO))
                .expect("it lives");
            assert_eq!(
                (world.disks, world.ever, world.intent, world.volume),
                (1, 1, None, Volume::OfThisIntent),
                "killed after {kill}, then after {again}"
            );
        }
    }
}

#[test]
fn a_claim_that_goes_while_nobody_leads_leaves_nothing() {
    for kill in 0..12 {
        for again in 0..12 {
            let mut world = World::new(true);
            let _ = world.lead(&mut Life(kill), Others::None);
            world.claim = Claim::Gone;
            let _ = world.lead(&mut Life(again), Others::For(Duration::ZERO));
            world
                .lead(&mut Life(u32::MAX), Others::For(Duration::ZERO))
                .expect("it lives");
            assert_eq!(
                (world.disks, world.intent, world.volume),
                (0, None, Volume::Missing),
                "killed after {kill}, then after {again}"
            );
            assert!(world.ever <= 1, "made {} times", world.ever);
        }
    }
}

#[test]
fn a_volume_that_is_to_be_kept_is_kept_once_its_object_is_written() {
    for kill in 0..12 {
        let mut world = World::new(false);
        let _ = world.lead(&mut Life(kill), Others::None);
        let was_written = world.volume == Volume::OfThisIntent;
        world.claim = Claim::Gone;
        world
            .lead(&mut Life(u32::MAX), Others::For(Duration::ZERO))
            .expect("it lives");
        let kept = u32::from(was_written);
        assert_eq!((world.disks, world.intent), (kept, None), "after {kill}");
    }
}

#[test]
fn what_may_have_been_made_is_not_forgotten_because_its_words_are_refused_later() {
    for kill in 0..12 {
        for others in [Others::None, Others::For(Duration::ZERO)] {
            let mut world = World::new(true);
            // Killed, or without a reply.
            let _ = world.lead(&mut Life(kill), Others::None);
            (world.claim, world.refuses) = (Claim::Gone, true);
            world.lead(&mut Life(u32::MAX), others).expect("it lives");
            let is_known = world.intent.is_some() || world.disks == 0;
            assert!(is_known, "killed after {kill}: {world:?}");
            world.refuses = false;
            world
                .lead(&mut Life(u32::MAX), Others::For(Duration::ZERO))
                .expect("it lives");
            assert_eq!((world.disks, world.intent), (0, None), "after {kill}");
        }
    }
}

#[test]
fn a_refusal_is_believed_where_nobody_asked_before_and_where_there_is_no_room() {
    let of = |retry, asked| after_refusal(Verdict::NothingMade(retry), asked);
    for retry in [Retry::Soon, Retry::Slowly, Retry::Elsewhere] {
        assert_eq!(of(retry, Asked::Never), Verdict::NothingMade(retry));
    }
    let doubted = Verdict::PerhapsMade(Retry::Slowly);
    assert_eq!(of(Retry::Slowly, Asked::Perhaps), doubted);
    assert_eq!(of(Retry::Soon, Asked::Perhaps), doubted);
    let no_room = Verdict::NothingMade(Retry::Elsewhere);
    assert_eq!(after_refusal(no_room, Asked::Perhaps), no_room);
}

#[test]
fn what_nobody_asked_for_is_not_made_to_be_deleted() {
    let found = Found {
        work: Work::Open,
        claim: Claim::Gone,
        volume: Volume::Missing,
        others: Others::None,
        asked: Asked::Never,
        deletion: Deletion::No,
    };
    assert_eq!(of_intent(&found), NextStep::Settle);
}

#[test]
fn nothing_is_undone_while_an_earlier_process_may_still_be_making_it() {
    let found = Found {
        work: Work::Open,
        claim: Claim::Gone,
        volume: Volume::Missing,
        others: Others::For(Duration::from_secs(3)),
        asked: Asked::Perhaps,
        deletion: Deletion::No,
    };
    assert_eq!(of_intent(&found), NextStep::WaitFor(Duration::from_secs(3)));
    let with = |others| of_intent(&Found { others, ..found });
    assert_eq!(with(Others::For(Duration::ZERO)), NextStep::Undo);
    assert_eq!(with(Others::None), NextStep::Undo);
    // To go on with it needs no wait: the backend has one volume of a name, whoever asks.
    let claim = Claim::Waits;
    assert_eq!(of_intent(&Found { claim, ..found }), NextStep::Make);
}

#[test]
fn what_is_being_deleted_is_not_asked_for_again() {
    for claim in [Claim::Waits, Claim::Gone] {
        let found = Found {
            work: Work::Open,
            claim,
            volume: Volume::Missing,
            others: Others::For(Duration::from_secs(3)),
            asked: Asked::Perhaps,
            deletion: Deletion::Begun,
        };
        assert_eq!(of_intent(&found), NextStep::Delete, "{claim:?}");
    }
}

const NAME: &str = "alicloud/disk";

fn volume(phase: &str, policy: &str) -> PersistentVolume {
    let mut volume = PersistentVolume::default();
    let annotation = (PROVISIONED_BY.to_owned(), NAME.to_owned());
    volume.metadata.annotations = Some([annotation].into());
    volume.metadata.finalizers = Some(vec![VOLUME_FINALIZER.to_owned()]);
    volume.spec = Some(PersistentVolumeSpec {
        persistent_volume_reclaim_policy: Some(policy.to_owned()),
        flex_volume: Some(FlexPersistentVolumeSource {
            driver: NAME.to_owned(),
            ..FlexPersistentVolumeSource::default()
        }),
        ..PersistentVolumeSpec::default()
    });
    volume.status = Some(PersistentVolumeStatus {
        phase: Some(phase.to_owned()),
        ..PersistentVolumeStatus::default()
    });
    volume
}

fn step(volume: &PersistentVolume) -> VolumeStep {
    of_volume(volume, &Provisioner(NAME.to_owned()))
}

#[test]
fn only_what_is_released_and_to_be_deleted_is_deleted() {
    for phase in ["Pending", "Available", "Bound", "Failed"] {
        assert_eq!(step(&volume(phase, "Delete")), VolumeStep::Nothing);
    }
    assert_eq!(step(&volume("Released", "Delete")), VolumeStep::Delete);
    for phase in ["Bound", "Released"] {
        let mut kept = volume(phase, "Retain");
        assert_eq!(step(&kept), VolumeStep::DropFinalizer);
        kept.metadata.finalizers = None;
        assert_eq!(step(&kept), VolumeStep::Nothing);
    }
}

#[test]
fn a_volume_that_goes_is_deleted_at_the_backend_first_and_only_once_its_claim_is_gone() {
    let mut going = volume("Released", "Delete");
    going.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    assert_eq!(step(&going), VolumeStep::Delete);
    // The finalizer went last: all is done.
    going.metadata.finalizers = None;
    assert_eq!(step(&going), VolumeStep::Nothing);
    let mut bound = volume("Bound", "Delete");
    bound.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    assert_eq!(step(&bound), VolumeStep::Nothing);
}

#[test]
fn a_volume_of_the_provisioner_before_gets_the_finalizer() {
    let mut old = volume("Bound", "Delete");
    old.metadata.finalizers = Some(vec!["kubernetes.io/pv-protection".to_owned()]);
    assert_eq!(step(&old), VolumeStep::KeepFinalizer);
}

#[test]
fn volumes_of_others_are_let_alone() {
    let mut anothers = volume("Released", "Delete");
    anothers.metadata.annotations = None;
    assert_eq!(step(&anothers), VolumeStep::Nothing);
    let mut csi = volume("Released", "Delete");
    if let Some(spec) = csi.spec.as_mut() {
        spec.flex_volume = None;
    }
    assert_eq!(step(&csi), VolumeStep::Nothing);
}
