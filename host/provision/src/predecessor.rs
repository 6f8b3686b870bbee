//! Another controller that answers to the same name, as alicloud-disk-controller does to `alicloud/disk`: beside it one claim
//! gets two volumes, of which one is bound and the other is nobody's.
//!
//! It shows by two signs. Its Deployment is looked at by name, when this process starts and while it leads. And one that
//! elects a leader for each claim writes that to the claim before it makes anything, which the watch of claims shows
//! wherever it runs; alicloud-disk-controller did so until its version 1.12.6.21 of August 2019.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::Api;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::names::Provisioner;
use crate::provisioning::code;

/// How often Deployments are looked at: one read of one object.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Where client-go's leader election writes who leads, before it had Leases.
const RECORD: &str = "control-plane.alpha.kubernetes.io/leader";

/// A record is renewed every two seconds of its fifteen, and this clock is not the one that wrote it.
const RECENT: Duration = Duration::from_secs(30);

/// A Deployment, as `NAMESPACE/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeploymentName {
    namespace: String,
    name: String,
}

impl FromStr for DeploymentName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err("it is not NAMESPACE/NAME of a Deployment"),
        }
    }
}

/// Who else makes volumes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Another {
    #[error(
        "Deployment {}/{} runs, which makes volumes for claims of {provisioner} too, so that a claim would get two: take it \
         away by `kubectl -n {} scale deployment {} --replicas=0`, and this starts once its pods are gone",
        .deployment.namespace, .deployment.name, .deployment.namespace, .deployment.name
    )]
    Deployment {
        deployment: DeploymentName,
        provisioner: Provisioner,
    },
    #[error(
        "{holder} makes a volume for claim {claim} of {provisioner} too, as annotation {RECORD} says, so that the claim would \
         get two: find it by `kubectl get deployments --all-namespaces` and take it away; this starts {} s after it last \
         renewed that", RECENT.as_secs()
    )]
    Leader {
        holder: String,
        claim: String,
        provisioner: Provisioner,
    },
}

/// Looks for whoever answers to the same name.
pub(crate) struct Predecessors {
    client: Client,
    deployments: Vec<DeploymentName>,
    provisioner: Provisioner,
    seen: watch::Sender<Option<Another>>,
}

impl Predecessors {
    pub(crate) fn new(
        client: Client,
        deployments: Vec<DeploymentName>,
        provisioner: Provisioner,
    ) -> Self {
        Self {
            client,
            deployments,
            provisioner,
            seen: watch::Sender::new(None),
        }
    }

    /// Waits until the API server says that none runs. An error where one does, or where nobody may look.
    pub(crate) async fn none_runs(&self) -> anyhow::Result<()> {
        loop {
            match self.look().await {
                Err(error) if may_pass(&error) => tell(&error),
                looked => return looked,
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until one shows.
    pub(crate) async fn shows(&self) -> anyhow::Error {
        let mut seen = self.seen.subscribe();
        tokio::select! {
            another = seen.wait_for(Option::is_some) => match another {
                Ok(another) => another.clone().map_or_else(|| anyhow::anyhow!("nobody was seen"), Into::into),
                Err(error) => error.into(),
            },
            another = self.one_runs() => another,
        }
    }

    async fn one_runs(&self) -> anyhow::Error {
        loop {
            match self.look().await {
                Ok(()) => {}
                Err(error) if error.is::<Another>() => return error,
                Err(error) => tell(&error),
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn look(&self) -> anyhow::Result<()> {
        for deployment in &self.deployments {
            let deployments: Api<Deployment> =
                Api::namespaced(self.client.clone(), &deployment.namespace);
            let found = timeout(LOOK_AGAIN, deployments.get_opt(&deployment.name)).await;
            let found = found.context("the API server does not answer");
            let found = found.and_then(|found| found.map_err(Into::into));
            let found = found.with_context(|| {
                format!(
                    "cannot look whether Deployment {}/{} runs, beside which nothing may be made",
                    deployment.namespace, deployment.name
                )
            })?;
            if found.as_ref().is_some_and(runs) {
                return Err(Another::Deployment {
                    deployment: deployment.clone(),
                    provisioner: self.provisioner.clone(),
                }
                .into());
            }
        }
        Ok(())
    }

    /// Whether another makes that claim's volume now. Whoever waits for that is told.
    pub(crate) fn serves(&self, claim: &PersistentVolumeClaim) -> bool {
        let Some(holder) = leader(claim, Timestamp::now()) else {
            return false;
        };
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        self.seen.send_replace(Some(Another::Leader {
            holder,
            claim: format!(
                "{}/{}",
                of(&claim.metadata.namespace),
                of(&claim.metadata.name)
            ),
            provisioner: self.provisioner.clone(),
        }));
        true
    }
}

/// Neither that one runs, nor that nobody may look.
fn may_pass(error: &anyhow::Error) -> bool {
    let answer = error.downcast_ref::<kube::Error>().and_then(code);
    !error.is::<Another>() && !matches!(answer, Some(401 | 403))
}

fn tell(error: &anyhow::Error) {
    tracing::warn!("{error:#}");
}

/// Whether it has pods or is about to.
fn runs(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let there = deployment
        .status
        .as_ref()
        .and_then(|status| status.replicas);
    wanted.unwrap_or(1) > 0 || there.unwrap_or(0) > 0
}

/// What client-go writes; it has more fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    holder_identity: String,
    renew_time: Timestamp,
}

/// Who leads the making of a claim's volume. Records stay at claims whose volume was made long ago.
fn leader(claim: &PersistentVolumeClaim, now: Timestamp) -> Option<String> {
    let text = claim.metadata.annotations.as_ref()?.get(RECORD)?;
    let record: Record = serde_json::from_str(text).ok()?;
    let age = now.duration_since(record.renew_time).unsigned_abs();
    (!record.holder_identity.is_empty() && age <= RECENT).then_some(record.holder_identity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::{DeploymentSpec, DeploymentStatus};

    fn deployment(wanted: Option<i32>, there: Option<i32>) -> Deployment {
        Deployment {
            spec: Some(DeploymentSpec {
                replicas: wanted,
                ..DeploymentSpec::default()
            }),
            status: Some(DeploymentStatus {
                replicas: there,
                ..DeploymentStatus::default()
            }),
            ..Deployment::default()
        }
    }

    #[test]
    fn a_deployment_runs_until_it_wants_no_pod_and_has_none() {
        assert!(runs(&deployment(None, None)));
        assert!(runs(&deployment(Some(1), None)));
        assert!(runs(&deployment(Some(0), Some(1))));
        assert!(!runs(&deployment(Some(0), Some(0))));
        assert!(!runs(&deployment(Some(0), None)));
    }

    #[test]
    fn only_a_record_that_was_renewed_recently_is_a_leaders() {
        let mut claim = PersistentVolumeClaim::default();
        let mut at = |now: &str| {
            let record = r#"{"holderIdentity":"x","leaseDurationSeconds":15,"acquireTime":"2026-01-01T00:00:00Z",
                "renewTime":"2026-01-01T00:01:00Z","leaderTransitions":0}"#;
            claim.metadata.annotations = Some([(RECORD.to_owned(), record.to_owned())].into());
            leader(&claim, now.parse().expect("a time"))
        };
        assert_eq!(at("2026-01-01T00:01:02Z").as_deref(), Some("x"));
        assert_eq!(at("2026-01-01T00:00:50Z").as_deref(), Some("x"));
        assert_eq!(at("2026-01-01T00:02:00Z"), None);
        assert_eq!(
            leader(&PersistentVolumeClaim::default(), Timestamp::now()),
            None
        );
    }

    #[test]
    fn a_deployment_is_named_with_its_namespace() {
        let named = "kube-system/alicloud-disk-controller".parse::<DeploymentName>();
        assert_eq!(
            named.map(|it| it.name).as_deref(),
            Ok("alicloud-disk-controller")
        );
        for wrong in ["alicloud-disk-controller", "/a", "a/"] {
            assert!(wrong.parse::<DeploymentName>().is_err(), "{wrong}");
        }
    }
}
