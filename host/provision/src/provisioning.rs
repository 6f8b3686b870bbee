//! What all loops share: whom they ask, whose the claims are, and what they see of the cluster.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{
    ConfigMap, ObjectReference, PersistentVolume, PersistentVolumeClaim,
};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::controller::Action;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use serde_json::json;

use crate::backend::Backend;
use crate::backlog::Backlog;
use crate::claim::NamedSnapshots;
use crate::doubts::Doubts;
use crate::events::{Events, Said};
use crate::intent::{Holder, Intent, IntentError};
use crate::memory::Memory;
use crate::metrics::{Failure, Metrics};
use crate::names::{Provisioner, SELECTED_NODE, VolumeName};
use crate::next_step::{Asked, Others};
use crate::nodes::Nodes;
use crate::predecessor::Predecessors;
use crate::turns::Turns;
use crate::verdict::Retry;

/// What the loops see of the cluster, as it was a moment ago.
pub(crate) struct Stores {
    pub(crate) claims: Store<PersistentVolumeClaim>,
    pub(crate) intents: Store<ConfigMap>,
    pub(crate) volumes: Store<PersistentVolume>,
    pub(crate) classes: Store<StorageClass>,
}

/// The work of one driver's provisioner.
pub(crate) struct Provisioning {
    pub(crate) client: Client,
    /// Where intents are.
    pub(crate) namespace: String,
    pub(crate) provisioner: Provisioner,
    pub(crate) backend: Backend,
    /// Of claims that are written down.
    pub(crate) writes: Turns,
    /// The driver's file, for messages.
    pub(crate) file: String,
    pub(crate) holder: Holder,
    pub(crate) named_snapshots: NamedSnapshots,
    /// Since when this process leads.
    pub(crate) led_since: Instant,
    pub(crate) stores: Stores,
    pub(crate) memory: Memory,
    pub(crate) doubts: Doubts,
    pub(crate) events: Events,
    pub(crate) nodes: Nodes,
    pub(crate) predecessors: Arc<Predecessors>,
    pub(crate) metrics: Metrics,
}

/// Why a step was not carried out, so that it is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error("cannot {doing}")]
    Api {
        doing: &'static str,
        source: kube::Error,
    },
    #[error("cannot write down what is to be made")]
    Intent(#[from] IntentError),
}

/// Turns an error of the API server into one that says what was attempted.
pub(crate) fn api(doing: &'static str) -> impl FnOnce(kube::Error) -> StepError {
    move |source| StepError::Api { doing, source }
}

/// The status that the API server answered with, if it did.
pub(crate) fn code(error: &kube::Error) -> Option<u16> {
    let kube::Error::Api(status) = error else {
        return None;
    };
    Some(status.code)
}

/// Whether there is an object of that name already. Quotas that were written to meanwhile have the same status.
pub(crate) fn is_there_already(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists")
}

impl StepError {
    /// Whether the API server took the request and refuses it as it is: it would refuse the same at once again.
    fn is_refusal(&self) -> bool {
        let Self::Api { source, .. } = self else {
            return false;
        };
        is_refusal(source)
    }

    fn in_words(&self) -> String {
        let source = std::error::Error::source(self);
        source.map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }
}

/// What a step is about: whom to tell, and as what it is remembered.
pub(crate) struct About<'a> {
    pub(crate) object: ObjectReference,
    pub(crate) uid: &'a str,
    pub(crate) reason: &'static str,
}

impl Stores {
    /// Waits until each has been filled once: what is missing from then on was not there. Who waits has to be the only one:
    /// a store wakes whoever came last.
    pub(crate) async fn are_filled(&self) -> Result<(), WriterDropped> {
        self.claims.wait_until_ready().await?;
        self.intents.wait_until_ready().await?;
        self.volumes.wait_until_ready().await?;
        self.classes.wait_until_ready().await
    }
}

impl Provisioning {
    pub(crate) fn intents(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn volumes(&self) -> Api<PersistentVolume> {
        Api::all(self.client.clone())
    }

    pub(crate) fn claims(&self, namespace: &str) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// What is before it now, by what it sees of the cluster.
    pub(crate) fn backlog(&self) -> Backlog {
        let stores = &self.stores;
        let class = |name: &str| stores.classes.get(&ObjectRef::new(name));
        let is_under_way = |name: &VolumeName| self.is_under_way(name);
        let claims = stores.claims.state();
        Backlog::of(&claims, class, is_under_way, &self.provisioner)
            .with(&stores.intents.state(), Timestamp::now())
    }

    /// Whether the volume of that name is there, or is being made.
    pub(crate) fn is_under_way(&self, name: &VolumeName) -> bool {
        let intent = ObjectRef::new(&name.0).within(&self.namespace);
        self.stores.intents.get(&intent).is_some()
            || self.stores.volumes.get(&ObjectRef::new(&name.0)).is_some()
    }

    /// Whether another process may still be asking the backend for what an intent says.
    pub(crate) fn others(&self, intent: &Intent) -> Others {
        if intent.holder == self.holder {
            return Others::None;
        }
        let longest = self.backend.driver().config().limits.deadline;
        Others::For(longest.saturating_sub(self.led_since.elapsed()))
    }

    /// Whether the backend was asked before for what an intent says.
    pub(crate) fn asked(&self, intent: &Intent, uid: &str) -> Asked {
        match intent.holder == self.holder {
            true => self.doubts.asked(uid),
            false => Asked::Perhaps,
        }
    }

    /// Tells people of an object what happened to it.
    pub(crate) async fn tell(&self, about: &ObjectReference, said: &Said<'_>) {
        self.events.tell(about, said).await;
    }

    /// What the API server refuses is told, and tried less and less soon: each try may ask the cloud as well.
    pub(crate) async fn told(
        &self,
        step: Result<Action, StepError>,
        about: &About<'_>,
    ) -> Result<Action, StepError> {
        match step {
            Err(error) if error.is_refusal() => {
                self.metrics.failed(Failure::ApiServer);
                let note = error.in_words();
                tracing::warn!(uid = about.uid, "{note}");
                let said = Said::bad(about.reason, note);
                self.tell(&about.object, &said).await;
                let wait = self.memory.failed(about.uid, Retry::Soon);
                Ok(Action::requeue(wait))
            }
            step => step,
        }
    }

    /// Takes the chosen node away from a claim, so that the scheduler chooses anew; not if it has chosen since.
    pub(crate) async fn choose_another_node(&self, intent: &Intent) -> Result<(), StepError> {
        let claims = self.claims(&intent.claim.namespace);
        let doing = "take the chosen node away from a claim";
        let found = claims
            .get_opt(&intent.claim.name)
            .await
            .map_err(api(doing))?;
        let Some(found) = found else { return Ok(()) };
        let node = crate::claim::selected_node(&found);
        if found.metadata.uid.as_ref() != Some(&intent.claim.uid)
            || node.is_none()
            || node != intent.node.as_deref()
        {
            return Ok(());
        }
        let patch = Patch::Merge(json!({ "metadata": {
            "resourceVersion": found.metadata.resource_version,
            "annotations": { SELECTED_NODE: null },
        } }));
        match claims
            .patch(&intent.claim.name, &PatchParams::default(), &patch)
            .await
        {
            Ok(_) => Ok(()),
            // Whoever changed it meanwhile has it looked at again.
            Err(error) if matches!(code(&error), Some(404 | 409)) => Ok(()),
            Err(error) => Err(api(doing)(error)),
        }
    }
}

/// Whether the API server would say the same at once again.
pub(crate) fn is_refusal(error: &kube::Error) -> bool {
    code(error).is_some_and(|code| (400..500).contains(&code) && code != 429)
}

/// That object, and none that gets its name later.
pub(crate) fn exactly(uid: &str) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    }
}

/// A patch that takes one finalizer away, whatever others come and go meanwhile.
pub(crate) fn without_finalizer(uid: &str, name: &str) -> Patch<serde_json::Value> {
    Patch::Strategic(json!({
        "metadata": { "uid": uid, "$deleteFromPrimitiveList/finalizers": [name] },
    }))
}

/// A patch that adds one.
pub(crate) fn with_finalizer(uid: &str, name: &str) -> Patch<serde_json::Value> {
    Patch::Strategic(json!({ "metadata": { "uid": uid, "finalizers": [name] } }))
}

/// How long to wait after an error of the API server.
pub(crate) const AFTER_ERROR: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16, reason: &str) -> kube::Error {
        let status =
            json!({ "code": code, "reason": reason, "message": "no", "status": "Failure" });
        let status: kube::core::Status = serde_json::from_value(status).expect("a status");
        kube::Error::Api(Box::new(status))
    }

    #[test]
    fn only_what_would_be_refused_again_is_a_refusal() {
        for (code, expected) in [
            (400, true),
            (403, true),
            (422, true),
            (429, false),
            (500, false),
        ] {
            let error = api("do it")(answered(code, "no"));
            assert_eq!(error.is_refusal(), expected, "{code}");
        }
        let quota = answered(409, "Conflict");
        assert!(!is_there_already(&quota) && api("do it")(quota).is_refusal());
        assert!(is_there_already(&answered(409, "AlreadyExists")));
    }
}
