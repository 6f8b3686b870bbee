//! One volume from where it is to where it is wanted, step by step; each step looks first at what is there now.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Resource as _;
use serde_json::Value;
use tokio::time::sleep;

use super::assessment::{self, Left, Surroundings};
use super::cluster::{Answer, Cluster, Written};
use super::drivers::Drivers;
use super::object::Object;
use super::record::{self, Record};
use super::replacement::Direction;
use super::step::{self, Step, Which};
use super::survey::Survey;
use super::uses::{self, Users};
use crate::events::{Events, Said};
use crate::intent::ClaimKey;

/// How often it is looked whether others have done their part.
const PAUSE: Duration = Duration::from_millis(250);

/// What all volumes of a run have in common.
pub(super) struct Work<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) drivers: &'a Drivers,
    pub(super) survey: &'a Survey,
    pub(super) events: &'a Events,
    pub(super) direction: Direction,
    pub(super) patience: Duration,
}

/// What became of a volume, or would.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is what it should be, also if it was before.
    Done(String),
    Would(String),
    Left(Left),
}

impl Work<'_> {
    /// What would be done about a volume. Nothing is changed.
    pub(super) async fn plan(&self, name: &str) -> anyhow::Result<Outcome> {
        if self
            .survey
            .records
            .iter()
            .any(|record| record.volume() == name)
        {
            let note = "was begun by an earlier run, which did not end: would be ended";
            return Ok(Outcome::Would(note.to_owned()));
        }
        let Some(object) = self.survey.volume(name) else {
            return Ok(Outcome::Left(Left::Missing));
        };
        if let Some(source) = self.there(object) {
            return Ok(Outcome::Done(format!("is {source} already")));
        }
        Ok(match self.assess(object, &self.survey.users).await? {
            Ok(new) => Outcome::Would(format!(
                "would become {}{}",
                source_in_words(&new),
                claim_in_words(object)
            )),
            Err(left) => Outcome::Left(left),
        })
    }

    /// Does it. Called again after it was cut off anywhere, it goes on there.
    pub(super) async fn migrate(&self, name: &str) -> anyhow::Result<Outcome> {
        let until = Instant::now() + self.patience;
        let (mut left, mut word) = (None, "already");
        loop {
            let found = self.cluster.volume(name).await?;
            let Some(written) = self.cluster.record(name).await? else {
                if let Some(outcome) = self.begin(found.as_ref(), left.take(), word).await? {
                    return Ok(outcome);
                }
                continue;
            };
            word = "now";
            let claim = self.claim(found.as_ref(), &written.record).await?;
            // Once there is a reason to leave it, the way leads back.
            let wanted = match left {
                None => self.direction,
                Some(_) => written.record.direction.opposite(),
            };
            let next = step::next(
                found.as_ref(),
                claim.as_ref(),
                &written.record,
                written.noted,
                wanted,
            );
            if Instant::now() > until {
                return Err(self.overdue(found.as_ref(), claim.as_ref(), &written.record));
            }
            left = self.take(next, found.as_ref(), &written).await?.or(left);
        }
    }

    /// Of a volume of which nothing is written down: that is the end, or the beginning.
    async fn begin(
        &self,
        found: Option<&Object>,
        left: Option<Left>,
        word: &str,
    ) -> anyhow::Result<Option<Outcome>> {
        let Some(object) = found else {
            return Ok(Some(Outcome::Left(Left::Missing)));
        };
        if let Some(left) = left {
            return Ok(Some(Outcome::Left(left)));
        }
        if let Some(source) = self.there(object) {
            let note = format!("is {source} {word}{}", claim_in_words(object));
            return Ok(Some(Outcome::Done(note)));
        }
        let new = match self.assess(object, &self.users_of(object).await?).await? {
            Ok(new) => new,
            Err(left) => return Ok(Some(Outcome::Left(left))),
        };
        if let Answer::Refuses(reason) = self.cluster.would_take(&new).await? {
            return Ok(Some(Outcome::Left(Left::Refused(reason))));
        }
        self.cluster
            .write(&Record::new(object, new, self.direction, None))
            .await?;
        Ok(None)
    }

    /// Takes a step; a reason to turn back, where there is one.
    async fn take(
        &self,
        step: Step,
        found: Option<&Object>,
        written: &Written,
    ) -> anyhow::Result<Option<Left>> {
        let record = &written.record;
        match (step, found) {
            (Step::Retain, Some(object)) => self.cluster.retain(object).await?,
            (Step::Delete, Some(object)) => return self.delete(object, written).await,
            (Step::Release, Some(object)) => self.release(object).await?,
            (Step::Create, _) => return self.create(record).await,
            (Step::Restore, _) => self.create_one(record, Which::Old).await?,
            (Step::Note, _) => self.cluster.note(written).await?,
            (Step::Finish(which), Some(object)) => {
                self.cluster.finish(object, record, which).await?
            }
            (Step::Forget(which), _) => {
                if let (Some(Which::New), Some(object)) = (which, found) {
                    self.tell(object).await;
                }
                self.cluster.forget(written).await?;
                return Ok(kept(which.and(found), record));
            }
            (Step::Stop, _) => bail!(
                "a PersistentVolume of that name is there which is neither the old one nor the new one of ConfigMap {}/{}: \
                 delete it, after its reclaim policy was made Retain, and call this again; or delete the ConfigMap with \
                 its finalizer if that volume is right",
                self.cluster.namespace,
                record::name_of(record.volume())
            ),
            (Step::Await | Step::Retain | Step::Delete | Step::Release | Step::Finish(_), _) => {
                sleep(PAUSE).await
            }
        }
        Ok(None)
    }

    /// Looks once more who uses it, and deletes what was looked at and no later version of it.
    async fn delete(&self, object: &Object, written: &Written) -> anyhow::Result<Option<Left>> {
        let new = match self.assess(object, &self.users_of(object).await?).await? {
            Ok(new) => new,
            Err(left) => return Ok(Some(left)),
        };
        let record = Record::new(object, new, self.direction, Some(&written.record));
        match record == written.record {
            true => self.cluster.delete(object).await?,
            false => self.cluster.rewrite(written, &record).await?,
        }
        Ok(None)
    }

    async fn release(&self, object: &Object) -> anyhow::Result<()> {
        let finalizers = object.finalizers().iter();
        let finalizers: Vec<&String> = finalizers
            .filter(|name| assessment::may_be_taken_off(name))
            .collect();
        match finalizers.is_empty() {
            true => sleep(PAUSE).await,
            false => self.cluster.release(object, &finalizers).await?,
        }
        Ok(())
    }

    /// A pod that was bound to a node before the old volume was gone may have had kubelet read it, and be using it. It gets
    /// that volume back. Whoever comes later cannot have read it, and gets the new one.
    async fn create(&self, record: &Record) -> anyhow::Result<Option<Left>> {
        let mut came = Vec::new();
        if let Some(claim) = record.claim() {
            let pods = self.cluster.pods_in(&claim.namespace).await?;
            let pods = uses::pods_of(&claim, &pods).into_iter();
            let on_nodes = pods.filter(|pod| uses::node_of(pod).is_some());
            came.extend(on_nodes.map(uses::pod_in_words));
        }
        if came.is_empty() {
            self.create_one(record, Which::New).await?;
            return Ok(None);
        }
        self.create_one(record, Which::Old).await?;
        Ok(Some(Left::CameMeanwhile(came.join("; "))))
    }

    async fn create_one(&self, record: &Record, which: Which) -> anyhow::Result<()> {
        let created = self.cluster.create(record.volume_of(which)).await;
        created.with_context(|| {
            format!(
                "PersistentVolume {} is deleted and cannot be created anew; it stands in ConfigMap {}/{}: call this again",
                record.volume(),
                self.cluster.namespace,
                record::name_of(record.volume())
            )
        })
    }

    /// What there is that is wanted, in words.
    fn there(&self, object: &Object) -> Option<String> {
        let is_there = match self.direction {
            Direction::ToCsi => object.csi().is_some(),
            Direction::ToFlexVolume => object.flexvolume().is_some(),
        };
        is_there.then(|| source_in_words(&object.blueprint()))
    }

    async fn users_of(&self, object: &Object) -> anyhow::Result<Users> {
        let pods = match object.claim() {
            Some(claim) => self.cluster.pods_in(&claim.namespace).await?,
            None => Vec::new(),
        };
        Ok(Users {
            pods,
            attachments: self.cluster.attachments().await?,
            nodes: self.cluster.nodes().await?,
        })
    }

    async fn assess(&self, object: &Object, users: &Users) -> anyhow::Result<Result<Value, Left>> {
        let claim = match object.claim() {
            Some(key) => self.cluster.claim(&key).await?,
            None => None,
        };
        let around = Surroundings {
            drivers: self.drivers,
            claim: claim.as_ref(),
            uses: users.of(object),
            volumes: &self.survey.volumes,
            csi_drivers: &self.survey.csi_drivers,
        };
        Ok(assessment::of(object, self.direction, &around))
    }

    async fn claim(
        &self,
        found: Option<&Object>,
        record: &Record,
    ) -> anyhow::Result<Option<PersistentVolumeClaim>> {
        let key: Option<ClaimKey> = found.and_then(Object::claim).or_else(|| record.claim());
        match key {
            Some(key) => self.cluster.claim(&key).await,
            None => Ok(None),
        }
    }

    /// The claim and the pods that came meanwhile have their owners, who do not read what is printed here.
    async fn tell(&self, object: &Object) {
        let Some(key) = object.claim() else { return };
        let source = source_in_words(&object.blueprint());
        let note = format!(
            "PersistentVolume {} is {source} now; its data is where it was",
            object.name()
        );
        let said = Said::good("VolumeMigrated", note);
        let mut about = vec![key.reference()];
        let pods = self
            .cluster
            .pods_in(&key.namespace)
            .await
            .unwrap_or_default();
        about.extend(
            uses::pods_of(&key, &pods)
                .into_iter()
                .map(|pod| pod.object_ref(&())),
        );
        for object in &about {
            if let Err(error) = self.events.publish(object, &said).await {
                tracing::warn!(error = %error, "cannot write an event, which nobody needs");
            }
        }
    }

    fn overdue(
        &self,
        found: Option<&Object>,
        claim: Option<&PersistentVolumeClaim>,
        record: &Record,
    ) -> anyhow::Error {
        let claim = claim.and_then(|claim| claim.status.as_ref()?.phase.clone());
        let (volume, finalizers) = match found {
            None => ("not there".to_owned(), String::new()),
            Some(object) if object.is_going() => (
                "being deleted".to_owned(),
                format!(", held by {}", object.finalizers().join(", ")),
            ),
            Some(object) => (object.phase().to_owned(), String::new()),
        };
        anyhow::anyhow!(
            "it takes longer than {} s: the PersistentVolume is {volume}{finalizers}, its claim {}. What is left to do \
             stands in ConfigMap {}/{}; look whether kube-controller-manager runs, and call this again",
            self.patience.as_secs(),
            claim.unwrap_or_else(|| "is not there".to_owned()),
            self.cluster.namespace,
            record::name_of(record.volume())
        )
    }
}

/// That a volume has another policy than it had, which nobody would think of.
fn kept(object: Option<&Object>, record: &Record) -> Option<Left> {
    let object = object.filter(|object| !object.is_going())?;
    (object.policy() != record.policy).then(|| Left::Kept(record.policy.clone()))
}

/// What a volume is, in words: `diskplugin.csi.alibabacloud.com volume d-1`, `a FlexVolume of alicloud/disk`.
fn source_in_words(volume: &Value) -> String {
    let spec = &volume["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match spec["csi"].is_object() {
        true => format!(
            "volume {} of CSI driver {}",
            text(&spec["csi"]["volumeHandle"]),
            text(&spec["csi"]["driver"])
        ),
        false => format!("a FlexVolume of {}", text(&spec["flexVolume"]["driver"])),
    }
}

fn claim_in_words(object: &Object) -> String {
    let claim = object.claim();
    claim.map_or_else(String::new, |claim| {
        format!(", for claim {}/{}", claim.namespace, claim.name)
    })
}
