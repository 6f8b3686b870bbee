//! The loop of intents: what is written down is made, or undone where nobody wants it any more.

use std::sync::Arc;
use std::time::Duration;

use drivebay::error::DriverError;
use drivebay::volume::VolumeId;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume};
use kube::Resource;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use serde_json::json;
use tokio::time::timeout;

use crate::claim::{self, ClaimError};
use crate::claims;
use crate::events::Said;
use crate::intent::Intent;
use crate::metrics::Change;
use crate::names::{INTENT_FINALIZER, UNDONE_VOLUME, name_of};
use crate::next_step::{self, Claim, Deletion, Found, NextStep, Others, Volume, Work};
use crate::provisioning::{
    AFTER_ERROR, About, Provisioning, StepError, api, code, exactly, is_there_already,
    without_finalizer,
};
use crate::turns::{Turn, Waiting};
use crate::verdict::{self, LONGEST, Retry, Verdict};
use crate::volume::{self, Made};

/// After how long a claim is told that its volume is being made.
const TOLD_AFTER: Duration = Duration::from_secs(3);

pub(crate) async fn reconcile(
    object: Arc<ConfigMap>,
    shared: Arc<Provisioning>,
) -> Result<Action, StepError> {
    let intent = match Intent::from_config_map(&object) {
        Ok(intent) => intent,
        Err(error) => {
            let note = format!("cannot work this off: {error}");
            let said = Said::bad("ProvisioningFailed", note);
            shared.tell(&object.object_ref(&()), &said).await;
            return Ok(Action::requeue(LONGEST));
        }
    };
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    if let Some(wait) = shared.memory.wait(uid) {
        return Ok(Action::requeue(wait));
    }
    // First, so that what is found still holds when the backend is asked.
    let Some(turn) = shared
        .backend
        .turns()
        .turn(waiting(&object, &intent, &shared))
        .await
    else {
        return Ok(Action::await_change());
    };
    let job = Job {
        shared: &shared,
        turn,
        object: &object,
        uid,
        intent: &intent,
    };
    let about = About {
        object: intent.claim_reference(),
        uid,
        reason: "ProvisioningFailed",
    };
    shared.told(work_off(&job).await, &about).await
}

/// Since its claim was made, or it was written down where that is gone.
fn waiting(object: &ConfigMap, intent: &Intent, shared: &Provisioning) -> Waiting {
    let claim = ObjectRef::new(&intent.claim.name).within(&intent.claim.namespace);
    match shared.stores.claims.get(&claim) {
        Some(claim) => claims::waiting(&claim),
        None => Waiting::since(
            object.metadata.creation_timestamp.as_ref(),
            &name_of(object),
        ),
    }
}

async fn work_off(job: &Job<'_>) -> Result<Action, StepError> {
    let step = next_step::of_intent(&job.look().await?);
    let intent = job.intent;
    if matches!(step, NextStep::Make | NextStep::Undo)
        && let Err(error) = claim::refuse_named(&intent.class, &intent.parameters)
    {
        return job.leave(&error).await;
    }
    match step {
        NextStep::Make => job.make().await,
        NextStep::Undo => job.undo().await,
        NextStep::Delete => job.delete_undone().await,
        NextStep::Settle => job.settle().await,
        NextStep::Remove => job.remove().await,
        NextStep::WaitFor(time) => Ok(Action::requeue(time)),
    }
}

/// One intent that is worked off.
struct Job<'a> {
    shared: &'a Provisioning,
    turn: Turn,
    object: &'a ConfigMap,
    uid: &'a str,
    intent: &'a Intent,
}

impl Job<'_> {
    async fn look(&self) -> Result<Found, StepError> {
        let finalizers = self.object.metadata.finalizers.iter().flatten();
        let is_open = finalizers.into_iter().any(|name| name == INTENT_FINALIZER);
        let (claim, volume) = match is_open {
            true => (self.claim().await?, self.volume().await?),
            false => (Claim::Gone, Volume::Missing),
        };
        Ok(Found {
            work: if is_open { Work::Open } else { Work::Done },
            claim,
            volume,
            others: self.shared.others(self.intent),
            asked: self.shared.asked(self.intent, self.uid),
            deletion: self.undone().map_or(Deletion::No, |_| Deletion::Begun),
        })
    }

    /// The volume that is deleted for this intent, by this process or by one that led before.
    fn undone(&self) -> Option<VolumeId> {
        let annotations = self.object.metadata.annotations.as_ref();
        let written = annotations.and_then(|annotations| annotations.get(UNDONE_VOLUME));
        let known = self.shared.doubts.undone(self.uid);
        known.or_else(|| written.cloned().map(VolumeId))
    }

    /// That a claim is gone is never told by a cache.
    async fn claim(&self) -> Result<Claim, StepError> {
        let key = &self.intent.claim;
        let cached = ObjectRef::new(&key.name).within(&key.namespace);
        let cached = self.shared.stores.claims.get(&cached);
        if claim::still_wants(cached.as_deref(), self.intent) == Claim::Waits {
            return Ok(Claim::Waits);
        }
        let claims = self.shared.claims(&key.namespace);
        let found = claims.get_opt(&key.name).await;
        let found = found.map_err(api("read the claim of a volume that is to be made"))?;
        Ok(claim::still_wants(found.as_ref(), self.intent))
    }

    /// Of what this process wrote down just now there can be no volume yet, unless it shows by its name.
    async fn volume(&self) -> Result<Volume, StepError> {
        let found = match self.shared.others(self.intent) {
            Others::None => self.cached_volume().map(Arc::unwrap_or_clone),
            Others::For(_) => self.current_volume().await?,
        };
        Ok(volume::whose(found.as_ref(), self.uid))
    }

    fn cached_volume(&self) -> Option<Arc<PersistentVolume>> {
        let name = self.intent.volume_name().0;
        self.shared.stores.volumes.get(&ObjectRef::new(&name))
    }

    async fn current_volume(&self) -> Result<Option<PersistentVolume>, StepError> {
        let volumes = self.shared.volumes();
        let found = volumes.get_opt(&self.intent.volume_name().0).await;
        found.map_err(api("read the volume of a claim"))
    }

    /// Asks the backend for the volume; where it refuses, with what that means.
    async fn ask(&self) -> Result<Made, (DriverError, Verdict)> {
        let asked = self.shared.asked(self.intent, self.uid);
        self.shared.doubts.begin(self.uid);
        let made = self.shared.backend.make(&self.turn, self.intent).await;
        made.map_err(|error| {
            let verdict = next_step::after_refusal(Verdict::of(&error), asked);
            (error, verdict)
        })
    }

    async fn make(&self) -> Result<Action, StepError> {
        match self.told_meanwhile(self.ask()).await {
            Ok(made) => self.write(&made).await,
            Err((error, verdict)) => self.refused(&error, verdict).await,
        }
    }

    /// A claim whose volume takes its time is told so meanwhile. What is made sooner is told once, as made: that is one
    /// request less for each claim.
    async fn told_meanwhile<T>(&self, asked: impl Future<Output = T>) -> T {
        tokio::pin!(asked);
        if let Ok(made) = timeout(TOLD_AFTER, &mut asked).await {
            return made;
        }
        let driver = &self.shared.backend.driver().config().name;
        let note = format!("driver {driver} makes volume {}", self.intent.volume_name());
        let said = Said::good("Provisioning", note);
        let (made, ()) = tokio::join!(asked, self.tell_claim(&said));
        made
    }

    /// Writes the PersistentVolume. Where there is one of that name, it is this one, or it is another's and what was made
    /// here is nobody's.
    async fn write(&self, made: &Made) -> Result<Action, StepError> {
        let provisioner = &self.shared.provisioner;
        let volume = volume::persistent_volume(self.intent, self.uid, provisioner, made);
        let (volumes, params) = (self.shared.volumes(), PostParams::default());
        match volumes.create(&params, &volume).await {
            Ok(_) => self.shared.metrics.changed(Change::Made),
            Err(error) if is_there_already(&error) => {
                let found = self.current_volume().await?;
                let id = found.as_ref().and_then(volume::id_of);
                if id.as_ref() != Some(&made.id) {
                    return self.give_way(&made.id, id).await;
                }
            }
            Err(error) => {
                let doing = "write the PersistentVolume of a volume that was made, and is kept";
                return Err(api(doing)(error));
            }
        }
        let note = format!(
            "made volume {} ({}), which is PersistentVolume {}",
            made.id.0,
            crate::quantity::quantity(made.capacity_bytes).0,
            self.intent.volume_name()
        );
        tracing::info!(volume.id = made.id.0, "{note}");
        self.shared.memory.settled(&self.intent.claim.uid);
        self.tell_claim(&Said::good("ProvisioningSucceeded", note))
            .await;
        self.settle().await
    }

    /// The name is taken by another volume, so that the claim can never have this one.
    async fn give_way(&self, id: &VolumeId, others: Option<VolumeId>) -> Result<Action, StepError> {
        let others = others.map_or_else(|| "another volume".to_owned(), |id| id.0);
        let note = format!(
            "PersistentVolume {} is there already and is of {others}, so volume {} that was made for this claim is \
             deleted again: delete that object if nobody needs it",
            self.intent.volume_name(),
            id.0
        );
        self.tell_claim(&Said::bad("ProvisioningFailed", note))
            .await;
        self.shared
            .memory
            .failed(&self.intent.claim.uid, Retry::Slowly);
        self.delete(id).await
    }

    /// The backend did not make it.
    async fn refused(&self, error: &DriverError, verdict: Verdict) -> Result<Action, StepError> {
        let mut note = verdict::in_words(error, &self.shared.file);
        if verdict != Verdict::of(error) {
            note += ". What an earlier try may have made is not known by that, so the same is asked again every 5 minutes";
        }
        tracing::warn!(
            volume.name = self.intent.volume_name().0,
            error = note,
            "no volume was made"
        );
        self.tell_claim(&Said::bad("ProvisioningFailed", note))
            .await;
        match verdict {
            Verdict::PerhapsMade(retry) => {
                Ok(Action::requeue(self.shared.memory.failed(self.uid, retry)))
            }
            Verdict::NothingMade(retry) => {
                self.shared.memory.failed(&self.intent.claim.uid, retry);
                let settled = self.settle().await?;
                if retry == Retry::Elsewhere && self.intent.node.is_some() {
                    self.shared.choose_another_node(self.intent).await?;
                }
                Ok(settled)
            }
        }
    }

    /// An intent of a provisioner that took a volume which was there: it is neither taken nor deleted.
    async fn leave(&self, error: &ClaimError) -> Result<Action, StepError> {
        let note = format!("{error}; the volume is let alone");
        tracing::warn!(volume.name = self.intent.volume_name().0, "{note}");
        self.tell_claim(&Said::bad("ProvisioningFailed", note))
            .await;
        self.settle().await
    }

    /// Nobody wants it. What may be at the backend is found by its name as it is found by whoever goes on with it: by
    /// asking for it. What is made just for that goes again.
    async fn undo(&self) -> Result<Action, StepError> {
        match self.ask().await {
            Ok(made) => self.delete(&made.id).await,
            Err((_, Verdict::NothingMade(_))) => self.settle().await,
            Err((error, Verdict::PerhapsMade(retry))) => self.still_there(&error, retry).await,
        }
    }

    /// Goes on with a deletion, which may have been carried out.
    async fn delete_undone(&self) -> Result<Action, StepError> {
        match self.undone() {
            Some(id) => self.delete(&id).await,
            None => Ok(Action::requeue(AFTER_ERROR)),
        }
    }

    /// Deletes what no PersistentVolume is of.
    async fn delete(&self, id: &VolumeId) -> Result<Action, StepError> {
        let current = self.current_volume().await?;
        let cached = self.shared.stores.volumes.state();
        let mut known = cached.iter().map(|volume| &**volume).chain(&current);
        if known.any(|volume| volume::is_of(volume, id)) {
            return self.settle().await;
        }
        self.write_down_undone(id).await?;
        match self.shared.backend.delete(&self.turn, id.clone()).await {
            Ok(()) => {
                self.shared.metrics.changed(Change::Deleted);
                tracing::info!(volume.id = id.0, "deleted a volume that no claim wants");
                self.settle().await
            }
            Err(error) => self.still_there(&error, Retry::Soon).await,
        }
    }

    /// Before it is deleted: whoever asks the backend for the volume of this intent after that would get another one.
    async fn write_down_undone(&self, id: &VolumeId) -> Result<(), StepError> {
        if self.undone().as_ref() == Some(id) {
            return Ok(());
        }
        let patch = Patch::Merge(json!({
            "metadata": { "uid": self.uid, "annotations": { UNDONE_VOLUME: id.0 } },
        }));
        let (name, params) = (self.intent.volume_name().0, PatchParams::default());
        let written = self.shared.intents().patch(&name, &params, &patch).await;
        written.map_err(api("write down which volume is deleted"))?;
        self.shared.doubts.undo(self.uid, id);
        Ok(())
    }

    /// There is no claim to tell it, so the intent says it.
    async fn still_there(&self, error: &DriverError, retry: Retry) -> Result<Action, StepError> {
        let note = format!(
            "cannot delete what may have been made for claim {}/{}, which is gone: {}",
            self.intent.claim.namespace,
            self.intent.claim.name,
            verdict::in_words(error, &self.shared.file)
        );
        tracing::warn!(volume.name = self.intent.volume_name().0, "{note}");
        let said = Said::bad("VolumeFailedDelete", note);
        self.shared.tell(&self.object.object_ref(&()), &said).await;
        Ok(Action::requeue(self.shared.memory.failed(self.uid, retry)))
    }

    /// The work is done. First the finalizer goes: without it an intent is one whose work is done.
    async fn settle(&self) -> Result<Action, StepError> {
        let name = self.intent.volume_name().0;
        let patch = without_finalizer(self.uid, INTENT_FINALIZER);
        let params = PatchParams::default();
        match self.shared.intents().patch(&name, &params, &patch).await {
            Ok(_) => {}
            Err(error) if matches!(code(&error), Some(404 | 409)) => {}
            Err(error) => return Err(api("take the finalizer off what was to be made")(error)),
        }
        self.remove().await
    }

    async fn remove(&self) -> Result<Action, StepError> {
        let name = self.intent.volume_name().0;
        match self
            .shared
            .intents()
            .delete(&name, &exactly(self.uid))
            .await
        {
            Ok(_) => {}
            Err(error) if matches!(code(&error), Some(404 | 409)) => {}
            Err(error) => return Err(api("delete what was to be made")(error)),
        }
        self.shared.memory.settled(self.uid);
        self.shared.doubts.end(self.uid);
        Ok(Action::await_change())
    }

    async fn tell_claim(&self, said: &Said<'_>) {
        self.shared.tell(&self.intent.claim_reference(), said).await;
    }
}
