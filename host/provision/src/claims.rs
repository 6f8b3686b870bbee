//! The loop of claims: what a claim wants is written down as an intent. Nothing is made here.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::Resource;
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;

use crate::claim::{self, ClaimError, Reach, Wanted};
use crate::events::Said;
use crate::intent::Intent;
use crate::metrics::Failure;
use crate::names::{VolumeName, name_of};
use crate::provisioning::{About, Provisioning, StepError, api, is_there_already};
use crate::turns::Waiting;
use crate::verdict::Retry;

/// How soon a claim is looked at again whose volume is being made: what is seen of others may be older than what has called
/// this loop.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// The claim that is looked at again when an intent changes.
pub(crate) fn of_intent(object: ConfigMap) -> Option<ObjectRef<PersistentVolumeClaim>> {
    let intent = Intent::from_config_map(&object).ok()?;
    Some(ObjectRef::new(&intent.claim.name).within(&intent.claim.namespace))
}

pub(crate) async fn reconcile(
    claim: Arc<PersistentVolumeClaim>,
    shared: Arc<Provisioning>,
) -> Result<Action, StepError> {
    let about = About {
        object: claim.object_ref(&()),
        uid: claim.metadata.uid.as_deref().unwrap_or_default(),
        reason: "ProvisioningFailed",
    };
    shared.told(look_after(&claim, &shared).await, &about).await
}

async fn look_after(
    claim: &PersistentVolumeClaim,
    shared: &Provisioning,
) -> Result<Action, StepError> {
    let Wanted::VolumeOf(class) = claim::wanted(claim, &shared.provisioner) else {
        return Ok(Action::await_change());
    };
    if shared.predecessors.serves(claim) {
        return Ok(Action::await_change());
    }
    // First, so that it is not written down meanwhile.
    let Some(_turn) = shared.writes.turn(waiting(claim)).await else {
        return Ok(Action::await_change());
    };
    let uid = claim.metadata.uid.as_deref().unwrap_or_default();
    if shared.is_under_way(&VolumeName::of_claim(uid)) {
        return Ok(Action::requeue(LOOK_AGAIN));
    }
    if let Some(wait) = shared.memory.wait(uid) {
        return Ok(Action::requeue(wait));
    }
    let Some(class) = shared.stores.classes.get(&ObjectRef::new(&class)) else {
        tell_refused(shared, claim, &ClaimError::NoClass(class)).await;
        return Ok(Action::requeue(shared.memory.failed(uid, Retry::Soon)));
    };
    if !claim::is_due(claim, &class, &shared.provisioner) {
        return Ok(Action::await_change());
    }
    let reach = match claim::names_places(claim, &class) {
        false => Reach::EveryNode,
        // A component that is not there now may come: until then it is not said that a volume could be anywhere.
        true => shared.backend.reach().await.unwrap_or(Reach::SomePlaces),
    };
    let labels = match claim::selected_node(claim) {
        Some(node) if reach == Reach::SomePlaces => {
            let labels = shared.nodes.labels(node).await;
            Some(labels.map_err(api("read the node that was chosen for a claim"))?)
        }
        Some(_) | None => None,
    };
    let is_node_gone = labels == Some(None);
    let labels = labels.flatten();
    let snapshots = shared.named_snapshots;
    let intent = claim::intent(
        claim,
        &class,
        reach,
        labels.as_ref(),
        snapshots,
        &shared.holder,
    );
    match intent {
        // No place that it could be made in: the scheduler has to choose first.
        Ok(intent) if is_node_gone => {
            shared.choose_another_node(&intent).await?;
            Ok(Action::await_change())
        }
        Ok(intent) => write_down(shared, &intent).await,
        Err(error) => {
            tell_refused(shared, claim, &error).await;
            Ok(Action::requeue(shared.memory.failed(uid, Retry::Slowly)))
        }
    }
}

/// Since it was made: whoever came first gets its volume first.
pub(crate) fn waiting(claim: &PersistentVolumeClaim) -> Waiting {
    let made = claim.metadata.creation_timestamp.as_ref();
    Waiting::since(made, &name_of(claim))
}

async fn write_down(shared: &Provisioning, intent: &Intent) -> Result<Action, StepError> {
    let driver = &shared.backend.driver().config().name.0;
    let object = intent.to_config_map(driver)?;
    match shared
        .intents()
        .create(&PostParams::default(), &object)
        .await
    {
        Ok(_) => shared.memory.written(&intent.claim.uid, LOOK_AGAIN),
        // The cache did not show it yet.
        Err(error) if is_there_already(&error) => return Ok(Action::requeue(LOOK_AGAIN)),
        Err(error) => return Err(api("write down what is to be made for a claim")(error)),
    }
    tracing::info!(
        volume.name = intent.volume_name().0,
        "a volume is going to be made for claim {}/{}",
        intent.claim.namespace,
        intent.claim.name
    );
    Ok(Action::requeue(LOOK_AGAIN))
}

async fn tell_refused(shared: &Provisioning, claim: &PersistentVolumeClaim, error: &ClaimError) {
    shared.metrics.failed(Failure::Claim);
    let said = Said::bad("ProvisioningFailed", error.to_string());
    shared.tell(&claim.object_ref(&()), &said).await;
}
