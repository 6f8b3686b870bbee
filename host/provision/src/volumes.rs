//! The loop of volumes: what a claim has left is deleted at the backend, and then its object.

use std::sync::Arc;
use std::time::Duration;

use drivebay::error::DriverError;
use drivebay::volume::VolumeId;
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;

use crate::events::Said;
use crate::metrics::Change;
use crate::names::{INTENT_FINALIZER, INTENT_UID, VOLUME_FINALIZER, name_of};
use crate::next_step::{self, VolumeStep};
use crate::provisioning::{
    About, Provisioning, StepError, api, code, exactly, with_finalizer, without_finalizer,
};
use crate::turns::Waiting;
use crate::verdict::{self, Retry};
use crate::volume;

/// How soon a volume is looked at again whose intent is about to be settled.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub(crate) async fn reconcile(
    volume: Arc<PersistentVolume>,
    shared: Arc<Provisioning>,
) -> Result<Action, StepError> {
    let about = About {
        object: volume.object_ref(&()),
        uid: volume.metadata.uid.as_deref().unwrap_or_default(),
        reason: "VolumeFailedDelete",
    };
    shared
        .told(look_after(&volume, &shared).await, &about)
        .await
}

async fn look_after(volume: &PersistentVolume, shared: &Provisioning) -> Result<Action, StepError> {
    let uid = volume.metadata.uid.as_deref().unwrap_or_default();
    match next_step::of_volume(volume, &shared.provisioner) {
        VolumeStep::Nothing => Ok(Action::await_change()),
        VolumeStep::KeepFinalizer => {
            patch(shared, volume, with_finalizer(uid, VOLUME_FINALIZER)).await
        }
        VolumeStep::DropFinalizer => {
            patch(shared, volume, without_finalizer(uid, VOLUME_FINALIZER)).await
        }
        VolumeStep::Delete if is_written_down(volume, shared) => Ok(Action::requeue(LOOK_AGAIN)),
        VolumeStep::Delete => match shared.memory.wait(uid) {
            Some(wait) => Ok(Action::requeue(wait)),
            None => delete(shared, volume, uid).await,
        },
    }
}

/// Whether the intent that it is the end of is not settled. Whoever settles that looks for the object, and without it would
/// ask for the volume again.
fn is_written_down(volume: &PersistentVolume, shared: &Provisioning) -> bool {
    let annotations = volume.metadata.annotations.as_ref();
    let uid = annotations.and_then(|annotations| annotations.get(INTENT_UID));
    let intent = ObjectRef::new(&name_of(volume)).within(&shared.namespace);
    let intent = shared.stores.intents.get(&intent);
    intent.is_some_and(|intent| {
        let finalizers = &intent.metadata.finalizers;
        let is_open = finalizers
            .iter()
            .flatten()
            .any(|name| name == INTENT_FINALIZER);
        is_open && intent.metadata.uid.as_ref() == uid
    })
}

async fn patch(
    shared: &Provisioning,
    volume: &PersistentVolume,
    patch: Patch<serde_json::Value>,
) -> Result<Action, StepError> {
    let (volumes, params) = (shared.volumes(), PatchParams::default());
    match volumes.patch(&name_of(volume), &params, &patch).await {
        Ok(_) => Ok(Action::await_change()),
        Err(error) if code(&error) == Some(404) => Ok(Action::await_change()),
        Err(error) => Err(api("patch the finalizer of a volume")(error)),
    }
}

/// That a claim has left it is never told by a cache.
async fn delete(
    shared: &Provisioning,
    cached: &PersistentVolume,
    uid: &str,
) -> Result<Action, StepError> {
    // First, so that what is found still holds when the backend is asked.
    let Some(turn) = shared
        .backend
        .turns()
        .turn(Waiting::since(None, &name_of(cached)))
        .await
    else {
        return Ok(Action::await_change());
    };
    let name = name_of(cached);
    let found = shared.volumes().get_opt(&name).await;
    let found = found.map_err(api("read a volume that is to be deleted"))?;
    let is_same = |volume: &PersistentVolume| volume.metadata.uid.as_deref() == Some(uid);
    let Some(volume) = found.filter(is_same) else {
        return Ok(Action::await_change());
    };
    if next_step::of_volume(&volume, &shared.provisioner) != VolumeStep::Delete {
        return Ok(Action::await_change());
    }
    let id = match volume::id_to_delete(&volume) {
        Ok(id) => id,
        Err(error) => return kept(shared, &volume, uid, error.to_string()).await,
    };
    if let Some(other) = other_of(shared, uid, &id) {
        let note = format!(
            "volume {} is not deleted, because PersistentVolume {other} is of it too: delete the object that is wrong, \
             after its reclaim policy was made Retain",
            id.0
        );
        return kept(shared, &volume, uid, note).await;
    }
    if let Err(error) = shared.backend.delete(&turn, id.clone()).await {
        return failed(shared, &volume, uid, &error).await;
    }
    shared.metrics.changed(Change::Deleted);
    tracing::info!(
        volume.id = id.0,
        volume.name = name,
        "deleted a volume that its claim left"
    );
    match shared.volumes().delete(&name, &exactly(uid)).await {
        Ok(_) => {}
        Err(error) if matches!(code(&error), Some(404 | 409)) => {}
        Err(error) => return Err(api("delete the object of a volume that is gone")(error)),
    }
    let finished = patch(shared, &volume, without_finalizer(uid, VOLUME_FINALIZER)).await?;
    shared.memory.settled(uid);
    Ok(finished)
}

/// Another object that is of the same volume of the backend.
fn other_of(shared: &Provisioning, uid: &str, id: &VolumeId) -> Option<String> {
    let known = shared.stores.volumes.state();
    let mut others = known
        .iter()
        .filter(|volume| volume.metadata.uid.as_deref() != Some(uid) && volume::is_of(volume, id));
    others.next().map(|volume| name_of(&**volume))
}

/// A person has to look at it first.
async fn kept(
    shared: &Provisioning,
    volume: &PersistentVolume,
    uid: &str,
    note: String,
) -> Result<Action, StepError> {
    tracing::warn!(volume.name = name_of(volume), "{note}");
    let said = Said::bad("VolumeFailedDelete", note);
    shared.tell(&volume.object_ref(&()), &said).await;
    Ok(Action::requeue(shared.memory.failed(uid, Retry::Slowly)))
}

async fn failed(
    shared: &Provisioning,
    volume: &PersistentVolume,
    uid: &str,
    error: &DriverError,
) -> Result<Action, StepError> {
    let note = verdict::in_words(error, &shared.file);
    tracing::warn!(
        volume.name = name_of(volume),
        error = note,
        "cannot delete a volume"
    );
    let said = Said::bad("VolumeFailedDelete", note);
    shared.tell(&volume.object_ref(&()), &said).await;
    Ok(Action::requeue(shared.memory.failed(uid, Retry::Soon)))
}
