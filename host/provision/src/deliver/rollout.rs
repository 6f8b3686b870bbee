//! What comes next: which pods are told, which are asked what they made of it, and when nobody is told any more. Pure: what
//! time it is and what pods answer comes from outside.
//!
//! One pod is told first, and the others once it has taken up what came: so many in a second, while those that were told are
//! asked. Nothing of it has to be remembered: what a pod was told stands on the pod, so that a process that is started anew
//! asks those first that were told by the one before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::content::{Delivered, Expected};
use super::mounting_pod::{MountingPod, Told};
use super::verdict::{Refusal, Verdict};
use super::watched::Watched;

/// From a change to the first pod that is told of it. `kubectl apply` writes one ConfigMap after the other, and kubelet hears
/// of them and of the pod by watches of their own: it must not look before it has heard of all.
pub(super) const SETTLING: Duration = Duration::from_millis(500);

/// Between two waves.
pub(super) const WAVE: Duration = Duration::from_secs(1);

/// Between two looks at the same pods. A node takes some tenths of a second from kubelet's look to the first call.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// How many are asked at once.
const AT_ONCE: usize = 100;

/// Of those that were told before this process came, as many say enough.
const SAMPLE: usize = 10;

/// How long a pod may leave open what it made of it. What it refuses then counts, whatever it is about: a driver's file that
/// cannot be read has no digest that a node could tell.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, until something changes.
    Rest,
    /// Nothing, until then or until something changes.
    Wait(Duration),
    /// These are told.
    Tell(Vec<MountingPod>),
    /// These are asked.
    Ask(Vec<(MountingPod, Expected)>),
    /// All were told and have said what they say.
    Over(Counts),
}

/// How many pods were told of a change, and what is known of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) told: usize,
    pub(super) took: usize,
}

/// Who said no, and how many were told by then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) pod: String,
    pub(super) node: String,
    pub(super) refusal: Refusal,
    pub(super) told: usize,
}

/// What a pod made of it, where it could be asked.
#[derive(Debug)]
pub(super) enum Answer {
    Said(Verdict),
    None,
}

/// Of one change after the other.
#[derive(Debug)]
pub(super) struct Rollout {
    per_second: u16,
    /// All that there was to be told when this change was first seen.
    target: Option<Told>,
    /// Nobody is told of it before.
    begins: Option<Instant>,
    /// The ConfigMaps that it is about; none where only new pods are told.
    pub(super) changed: BTreeSet<String>,
    told: BTreeMap<String, ToldPod>,
    is_stopped: bool,
    is_over: bool,
    last_wave: Option<Instant>,
    last_asked: Option<Instant>,
}

#[derive(Debug)]
struct ToldPod {
    name: String,
    node: String,
    since: Instant,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Took,
    /// It cannot be asked, or did not say for long.
    Unseen,
}

impl Rollout {
    pub(super) fn new(per_second: u16) -> Self {
        Self {
            per_second,
            target: None,
            begins: None,
            changed: BTreeSet::new(),
            told: BTreeMap::new(),
            is_stopped: false,
            is_over: false,
            last_wave: None,
            last_asked: None,
        }
    }

    pub(super) fn next(&mut self, watched: &Watched, now: Instant) -> Step {
        self.follow(watched, now);
        if let Some(begins) = self.begins.filter(|begins| *begins > now) {
            return Step::Wait(begins - now);
        }
        if self.is_stopped {
            return Step::Rest;
        }
        let due = watched.due();
        if self.changed.is_empty() {
            return match due.is_empty() {
                true => Step::Rest,
                false => self.wave(&due, now),
            };
        }
        if self.told.is_empty() && !due.is_empty() {
            let having: Vec<&MountingPod> = watched.having(&self.changed).take(SAMPLE).collect();
            if having.is_empty() {
                return self.first(&due, now);
            }
            for pod in having {
                self.tell(pod, watched, now);
            }
        }
        let open = self.open(watched);
        let was_asked = self.last_asked > self.last_wave;
        if !open.is_empty() && (due.is_empty() || !self.is_decided() || !was_asked) {
            return self.ask(open, now);
        }
        if !due.is_empty() {
            return self.wave(&due, now);
        }
        match self.is_over || self.told.is_empty() {
            true => Step::Rest,
            false => {
                self.is_over = true;
                Step::Over(self.counts())
            }
        }
    }

    /// Another change begins anew, whatever became of the one before.
    fn follow(&mut self, watched: &Watched, now: Instant) {
        let target = watched.target();
        if self.target.as_ref() == Some(&target) {
            return;
        }
        *self = Self {
            begins: self.target.as_ref().map(|_| now + SETTLING),
            target: Some(target),
            changed: watched.changed(),
            last_wave: self.last_wave,
            ..Self::new(self.per_second)
        };
    }

    /// It waits for nothing: nobody else was told of this change.
    fn first(&mut self, due: &[&MountingPod], now: Instant) -> Step {
        self.last_wave = Some(now);
        Step::Tell(due.first().map(|pod| (*pod).clone()).into_iter().collect())
    }

    /// Nodes and controllers never in one.
    fn wave(&mut self, due: &[&MountingPod], now: Instant) -> Step {
        let next = self.last_wave.map(|last| last + WAVE);
        if let Some(next) = next.filter(|next| *next > now) {
            return Step::Wait(next - now);
        }
        self.last_wave = Some(now);
        let part = due.first().map(|pod| pod.part);
        let wave = due.iter().take_while(|pod| Some(pod.part) == part);
        let wave = wave.take(usize::from(self.per_second));
        Step::Tell(wave.map(|pod| (*pod).clone()).collect())
    }

    fn ask(&mut self, open: Vec<(MountingPod, Expected)>, now: Instant) -> Step {
        let next = self.last_asked.map(|last| last + ASK_AGAIN);
        if let Some(next) = next.filter(|next| *next > now) {
            return Step::Wait(next - now);
        }
        self.last_asked = Some(now);
        Step::Ask(open)
    }

    /// Those that have not said what they made of it; one that is gone says nothing any more.
    fn open(&mut self, watched: &Watched) -> Vec<(MountingPod, Expected)> {
        let mut open = Vec::new();
        for (uid, told) in &mut self.told {
            if told.fate != Fate::Open || open.len() == AT_ONCE {
                continue;
            }
            match watched.by_uid(uid).filter(|pod| pod.metrics.is_some()) {
                Some(pod) => open.push((pod.clone(), expected(pod, watched, &self.changed))),
                None => told.fate = Fate::Unseen,
            }
        }
        open
    }

    fn is_decided(&self) -> bool {
        self.told.values().any(|told| told.fate != Fate::Open)
    }

    /// A pod was told.
    pub(super) fn tell(&mut self, pod: &MountingPod, watched: &Watched, now: Instant) {
        let mut mounts = pod.mounted(&watched.maps);
        if !mounts.any(|(name, _)| self.changed.contains(name)) {
            return;
        }
        let told = ToldPod {
            name: pod.name.clone(),
            node: pod.node.clone(),
            since: now,
            fate: match pod.metrics {
                Some(_) => Fate::Open,
                None => Fate::Unseen,
            },
        };
        self.told.insert(pod.uid.clone(), told);
    }

    /// What one that was asked has said. Where that is no, nobody is told any more until something else comes.
    pub(super) fn answered(&mut self, uid: &str, answer: Answer, now: Instant) -> Option<Stop> {
        let told = self.told.get_mut(uid)?;
        let is_late = now.duration_since(told.since) >= PATIENCE;
        let refusal = match answer {
            Answer::Said(Verdict::Took) => {
                told.fate = Fate::Took;
                return None;
            }
            Answer::Said(Verdict::Untold) => {
                told.fate = Fate::Unseen;
                return None;
            }
            Answer::Said(Verdict::Refused(refusal)) => refusal,
            Answer::Said(Verdict::Open(Some(refusal))) if is_late => refusal,
            Answer::Said(Verdict::Open(_)) | Answer::None => {
                if is_late {
                    told.fate = Fate::Unseen;
                }
                return None;
            }
        };
        let (pod, node) = (told.name.clone(), told.node.clone());
        self.is_stopped = true;
        Some(Stop {
            pod,
            node,
            refusal,
            told: self.told.len(),
        })
    }

    fn counts(&self) -> Counts {
        let took = self.told.values().filter(|told| told.fate == Fate::Took);
        Counts {
            told: self.told.len(),
            took: took.count(),
        }
    }
}

fn expected(pod: &MountingPod, watched: &Watched, changed: &BTreeSet<String>) -> Expected {
    let mounted: Vec<(&str, &Delivered)> = pod.mounted(&watched.maps).collect();
    let of_change = mounted.iter().filter(|(name, _)| changed.contains(*name));
    Expected::of(
        of_change.map(|(_, map)| *map),
        mounted.iter().map(|(_, map)| *map),
    )
}

#[cfg(test)]
mod tests;
