//! One volume from where it is to where it is wanted, step by step; each step looks first at what is there now.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Resource as _;
use serde_json::Value;
use tokio::time::sleep;

use super::assessment::{self, Left, Surroundings};
use super::cluster::{Answer, Cluster, Created, Policy, Written};
use super::drivers::Drivers;
use super::inline;
use super::latest::Latest;
use super::object::{Object, RETAIN};
use super::record::{self, Record, Stage};
use super::replacement::Direction;
use super::step::{self, Step, Which};
use super::survey::Survey;
use super::uses::{self, Users};
use crate::events::{Events, Said};
use crate::intent::ClaimKey;
use crate::provisioning::{AFTER_ERROR, is_refusal};

/// How often it is looked whether others have done their part.
const PAUSE: Duration = Duration::from_millis(250);

/// What all volumes of a run have in common.
pub(super) struct Work<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) drivers: &'a Drivers,
    pub(super) latest: Latest<'a>,
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

/// What a run remembers of a volume from step to step.
struct Way {
    until: Instant,
    /// Why it leads back.
    left: Option<Left>,
    /// Since when the volume is what it should be, in a word.
    since: &'static str,
    /// What was done last.
    last: Option<Step>,
}

impl Work<'_> {
    /// What would be done about a volume. Nothing is changed.
    pub(super) async fn plan(&self, name: &str) -> anyhow::Result<Outcome> {
        let survey = self.latest.survey().await?;
        let object = survey.volume(name);
        if survey.has_begun(name) || object.is_some_and(|object| object.mark().is_some()) {
            let note = "was begun by another run, which did not end it: would be ended";
            return Ok(Outcome::Would(note.to_owned()));
        }
        let Some(object) = object else {
            return Ok(Outcome::Left(Left::Missing));
        };
        if let Some(source) = self.there(object) {
            return Ok(Outcome::Done(format!("is {source} already")));
        }
        Ok(match self.assess(object, &survey.users, &survey).await? {
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
        let mut way = Way {
            until: Instant::now() + self.patience,
            left: None,
            since: "already",
            last: None,
        };
        loop {
            match self.go_on(name, &mut way).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(error) if is_passing(&error) && Instant::now() < way.until => {
                    tracing::warn!(volume = name, "{error:#}; it is tried again");
                    sleep(AFTER_ERROR).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A step. The record is read before the volume: what it says then holds for what is found.
    async fn go_on(&self, name: &str, way: &mut Way) -> anyhow::Result<Option<Outcome>> {
        let written = self.cluster.record(name).await?;
        let found = self.cluster.volume(name).await;
        let Some(written) = written else {
            return match found? {
                Some(found) => self.begin(&found, way).await,
                None => self.missing(name, way).await,
            };
        };
        way.since = "now";
        let step = async {
            let found = found?;
            self.step(found.as_ref(), &written, way).await
        };
        step.await.with_context(|| {
            format!(
                "it was begun and is not ended; what is left to do stands in ConfigMap {}/{}: call this again",
                self.cluster.namespace,
                record::name_of(name)
            )
        })?;
        Ok(None)
    }

    async fn step(
        &self,
        found: Option<&Object>,
        written: &Written,
        way: &mut Way,
    ) -> anyhow::Result<()> {
        let record = &written.record;
        let key = found.and_then(Object::claim).or_else(|| record.claim());
        let claim = self.claim(key).await?;
        // Once there is a reason to leave it, the way leads back.
        let wanted = match way.left {
            None => self.direction,
            Some(_) => record.direction.opposite(),
        };
        let next = step::next(found, claim.as_ref(), record, written.stage, wanted);
        // Without its object a volume is of no use to anybody, so that is created however long it takes.
        if found.is_some() && Instant::now() > way.until {
            bail!(self.overdue(found, claim.as_ref()));
        }
        if way.last.replace(next) == Some(next) {
            // Others have to do their part, or undo ours each time.
            sleep(PAUSE).await;
        }
        if let Step::Forget(which) = next {
            // Before it is: whoever is not answered finds nothing any more that tells it.
            let reason = match which {
                None => Some(Left::Vanished)
                    .filter(|_| found.is_none() && written.stage != Stage::Replaced),
                Some(_) => retained(found, claim.as_ref(), record),
            };
            way.left = reason.or(way.left.take());
        }
        if let Some(left) = self.take(next, found, claim.as_ref(), written).await? {
            way.left = Some(left);
        }
        Ok(())
    }

    /// It may have been created since, or be going to be.
    async fn missing(&self, name: &str, way: &mut Way) -> anyhow::Result<Option<Outcome>> {
        let found = self.cluster.record(name).await?.is_some();
        let found = found || self.cluster.volume(name).await?.is_some();
        if found {
            return Ok(None);
        }
        let left = way.left.take().unwrap_or(Left::Missing);
        Ok(Some(Outcome::Left(left)))
    }

    async fn finish(
        &self,
        object: &Object,
        claim: Option<&PersistentVolumeClaim>,
    ) -> anyhow::Result<()> {
        let policy = match step::is_held(object, claim) {
            true => Policy::AsItWas,
            false => Policy::StaysRetain,
        };
        self.cluster.finish(object, policy).await
    }

    /// One that is marked, and of which nothing is written down: somebody deleted that.
    async fn whole(&self, object: &Object, way: &mut Way) -> anyhow::Result<()> {
        let claim = self.claim(object.claim()).await?;
        let claim = claim.as_ref();
        if !step::is_settled(object, claim) {
            if Instant::now() > way.until {
                bail!(self.overdue(Some(object), claim));
            }
            sleep(PAUSE).await;
            return Ok(());
        }
        if !step::is_held(object, claim) {
            let policy = object.what_it_had().policy;
            way.left = (policy != RETAIN).then_some(Left::Retained(policy));
        }
        self.finish(object, claim).await
    }

    /// Of a volume of which nothing is written down: that is the end, or the beginning.
    async fn begin(&self, object: &Object, way: &mut Way) -> anyhow::Result<Option<Outcome>> {
        let is_marked = object.mark().is_some() && !object.is_going();
        let there = self.there(object);
        if is_marked && (there.is_some() || way.left.is_some()) {
            self.whole(object, way).await?;
            return Ok(None);
        }
        if let Some(left) = way.left.take() {
            return Ok(Some(Outcome::Left(left)));
        }
        if object.is_going() {
            return Ok(Some(Outcome::Left(Left::Going)));
        }
        if let Some(source) = there {
            let note = format!("is {source} {}{}", way.since, claim_in_words(object));
            return Ok(Some(Outcome::Done(note)));
        }
        let survey = self.latest.survey().await?;
        let users = self.users_of(object).await?;
        let new = match self.assess(object, &users, &survey).await? {
            Ok(new) => new,
            Err(left) if is_marked => {
                // What it had comes back first.
                way.left = Some(left);
                return Ok(None);
            }
            Err(left) => return Ok(Some(Outcome::Left(left))),
        };
        let record = Record::new(object, new, self.direction);
        if let Some(left) = self.refused(&record).await? {
            return Ok(Some(Outcome::Left(left)));
        }
        self.cluster.write(&record).await?;
        Ok(None)
    }

    /// Whether the API server would take both volumes: the old one may have to come back.
    async fn refused(&self, record: &Record) -> anyhow::Result<Option<Left>> {
        if let Answer::Refuses(reason) = self.cluster.would_take(&record.new).await? {
            return Ok(Some(Left::Refused(reason)));
        }
        Ok(match self.cluster.would_take(&record.old).await? {
            Answer::Takes => None,
            Answer::Refuses(reason) => Some(Left::NoWayBack(reason)),
        })
    }

    /// Takes a step; a reason to turn back, where there is one.
    async fn take(
        &self,
        step: Step,
        found: Option<&Object>,
        claim: Option<&PersistentVolumeClaim>,
        written: &Written,
    ) -> anyhow::Result<Option<Left>> {
        let record = &written.record;
        match (step, found) {
            (Step::Retain, Some(object)) => self.cluster.retain(object).await?,
            (Step::Delete, Some(object)) => return self.delete(object, written).await,
            (Step::Release, Some(object)) => self.release(object).await?,
            (Step::Create, _) => return self.create(record).await,
            (Step::Restore, _) => {
                self.refuse_taken(record).await?;
                self.create_one(record, Which::Old).await?;
            }
            (Step::Claim, Some(object)) => self.cluster.claim_for(object, record).await?,
            (Step::Finish, Some(object)) => self.finish(object, claim).await?,
            (Step::Write(stage), _) => self.cluster.write_stage(written, stage).await?,
            (Step::Forget(which), _) => {
                if let (Some(Which::New), Some(object)) = (which, found) {
                    self.tell(object).await;
                }
                self.cluster.forget(written).await?;
            }
            (Step::Stop, _) => bail!(
                "a PersistentVolume of that name is there which is neither the old one nor the new one of ConfigMap {}/{}: \
                 delete it, after its reclaim policy was made Retain, and call this again; or delete the ConfigMap with \
                 its finalizer if that volume is right",
                self.cluster.namespace,
                record::name_of(record.volume())
            ),
            (Step::Await, _) => {}
            // Without a volume none of these is next.
            (Step::Retain | Step::Delete | Step::Release | Step::Claim | Step::Finish, None) => {}
        }
        Ok(None)
    }

    /// Looks once more who uses it, and deletes what was looked at and no later version of it.
    async fn delete(&self, object: &Object, written: &Written) -> anyhow::Result<Option<Left>> {
        let survey = self.latest.survey().await?;
        let users = self.users_of(object).await?;
        let new = match self.assess(object, &users, &survey).await? {
            Ok(new) => new,
            Err(left) => return Ok(Some(left)),
        };
        let record = Record::new(object, new, self.direction);
        if record != written.record {
            self.cluster.rewrite(written, &record).await?;
            return Ok(None);
        }
        if written.stage == Stage::Begun {
            self.cluster.write_stage(written, Stage::Deleting).await?;
            return Ok(None);
        }
        // Another run may have given it up since. If it does so later, it finds the volume marked and takes the mark off,
        // and this very version of it is not there any more.
        let now = self.cluster.record(record.volume()).await?;
        if now.is_some_and(|now| now.is_that(written)) {
            self.cluster.delete(object).await?;
        }
        Ok(None)
    }

    async fn release(&self, object: &Object) -> anyhow::Result<()> {
        let finalizers = object.finalizers().iter();
        let finalizers: Vec<&String> = finalizers
            .filter(|name| assessment::may_be_taken_off(name))
            .collect();
        match finalizers.is_empty() {
            true => Ok(()),
            false => self.cluster.release(object, &finalizers).await,
        }
    }

    /// A pod that was bound to a node before the old volume was gone may have had kubelet read it, and be using it. It gets
    /// that volume back. Whoever comes later cannot have read it, and gets the new one.
    async fn create(&self, record: &Record) -> anyhow::Result<Option<Left>> {
        self.refuse_taken(record).await?;
        let old = record.old_object()?;
        let kind = self.drivers.kind_of(&old);
        let came = self.users_of(&old).await?.on_nodes(&old, kind);
        if came.is_empty() {
            self.create_one(record, Which::New).await?;
            return Ok(None);
        }
        Ok(match self.create_one(record, Which::Old).await? {
            Created::Now => Some(Left::CameMeanwhile(came.join("; "))),
            // By another run. What it is, is seen by looking again.
            Created::ThereAlready => None,
        })
    }

    /// While there was no volume, somebody may have brought the disk in by another one, or by a pod.
    async fn refuse_taken(&self, record: &Record) -> anyhow::Result<()> {
        let survey = self.latest.survey().await?;
        let old = record.old_object()?;
        let Some(disk) = assessment::disk(&old, &record.new, self.drivers) else {
            return Ok(());
        };
        assessment::refuse_same_disk(&old, &disk, &survey.volumes)?;
        let pods = inline::users_of(&disk, &survey.users.pods, self.drivers);
        match pods.is_empty() {
            true => Ok(()),
            false => bail!("{}: end it first", pods.join("; ")),
        }
    }

    async fn create_one(&self, record: &Record, which: Which) -> anyhow::Result<Created> {
        let created = self.cluster.create(record.volume_of(which)).await;
        created.with_context(|| {
            format!(
                "PersistentVolume {} is deleted and cannot be created anew",
                record.volume()
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

    /// Pods are listed last: whoever attaches or mounts a volume does it for one.
    async fn users_of(&self, object: &Object) -> anyhow::Result<Users> {
        let attachments = self.cluster.attachments().await?;
        let nodes = self.cluster.nodes().await?;
        let pods = match object.claim() {
            Some(claim) => self.cluster.pods_in(&claim.namespace).await?,
            None => Vec::new(),
        };
        Ok(Users {
            pods,
            attachments,
            nodes,
        })
    }

    async fn assess(
        &self,
        object: &Object,
        users: &Users,
        survey: &Survey,
    ) -> anyhow::Result<Result<Value, Left>> {
        let claim = self.claim(object.claim()).await?;
        let around = Surroundings {
            drivers: self.drivers,
            claim: claim.as_ref(),
            uses: users.of(object, self.drivers.kind_of(object)),
            volumes: &survey.volumes,
            pods: &survey.users.pods,
            csi_drivers: &survey.csi_drivers,
        };
        Ok(assessment::of(object, self.direction, &around))
    }

    async fn claim(&self, key: Option<ClaimKey>) -> anyhow::Result<Option<PersistentVolumeClaim>> {
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
            self.events.tell(object, &said).await;
        }
    }

    fn overdue(&self, found: Option<&Object>, claim: Option<&PersistentVolumeClaim>) -> String {
        let claim = claim.and_then(|claim| claim.status.as_ref()?.phase.clone());
        let volume = match found {
            None => "not there".to_owned(),
            Some(object) if object.is_going() => {
                format!("being deleted, held by {}", object.finalizers().join(", "))
            }
            Some(object) => object.phase().to_owned(),
        };
        format!(
            "it takes longer than {} s: the PersistentVolume is {volume}, its claim {}; look whether \
             kube-controller-manager runs",
            self.patience.as_secs(),
            claim.unwrap_or_else(|| "is not there".to_owned()),
        )
    }
}

/// Whether it may go well if it is tried again. An API server is away while it is upgraded.
fn is_passing(error: &anyhow::Error) -> bool {
    let mut causes = error.chain();
    let asked = causes.find_map(|cause| cause.downcast_ref::<kube::Error>());
    asked.is_some_and(|error| !is_refusal(error))
}

/// That a volume has another policy than it had, which nobody would think of.
fn retained(
    object: Option<&Object>,
    claim: Option<&PersistentVolumeClaim>,
    record: &Record,
) -> Option<Left> {
    let object = object.filter(|object| !object.is_going() && !step::is_held(object, claim))?;
    (object.policy() != record.policy).then(|| Left::Retained(record.policy.clone()))
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
