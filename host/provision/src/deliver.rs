//! `drivebay-provision deliver`: ConfigMaps with components and drivers' files reach the pods that mount them in seconds.
//!
//! kubelet brings a changed ConfigMap into pods by itself, but looks at a pod once in a minute or so; a pod that changes it
//! looks at at once. So each pod gets an annotation with the digests of what it mounts. That is all that is done: what a
//! node makes of what it finds is the node's, by its own grants and rules, and it asks the API server nothing for it.
//!
//! ```text
//! content       what a ConfigMap brings                                       pure
//! mounting_pod  who mounts it, and what a pod was told                        pure
//! watched       who is to be told of what                                     pure
//! verdict       what a pod's figures say of what came                         pure
//! rollout       who is next, and when it stops                                pure
//! cluster       the API server; figures: the pods themselves
//! pages         what it says of itself
//! ```
//!
//! Two processes at once do no harm: both write the same, which is why there is no lease.

mod arguments;
mod cluster;
mod content;
mod figures;
mod mounting_pod;
mod pages;
mod rollout;
mod verdict;
mod watched;

use std::time::Instant;

use anyhow::Context as _;
use drivebay::log_stream::{self, LogLevel};
use drivebay::sys;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use tokio::time::{sleep, timeout};

pub(crate) use arguments::Arguments;

use cluster::Cluster;
use content::Expected;
use mounting_pod::MountingPod;
use pages::{Counted, DeliverPages, Stopped};
use rollout::{Answer, Counts, Rollout, Step, Stop};
use verdict::verdict;
use watched::Watched;

use crate::events::{DELIVER, Events, Said};
use crate::provisioning::AFTER_ERROR;
use crate::run::{client, holder, tell, told_to_end};

/// Requests under way, to the API server or to pods.
const AT_ONCE: usize = 20;

/// Until it is told to end.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    log_stream::log_to_stderr(LogLevel::Info);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the threads that wait for the API server")?;
    let ended = runtime.block_on(deliver(arguments));
    runtime.shutdown_background();
    ended
}

async fn deliver(arguments: &Arguments) -> anyhow::Result<()> {
    let client = client()
        .await
        .context("cannot find out how to call the API server")?;
    let host = sys::host_name().context("cannot read the name of this machine")?;
    let delivery = Delivery {
        cluster: Cluster::new(client.clone(), arguments.namespace.clone()),
        namespace: arguments.namespace.clone(),
        events: events(client, &host)?,
        counted: Counted::default(),
    };
    let pages = DeliverPages::new(delivery.cluster.clone(), delivery.counted.clone());
    tell(arguments.metrics_address.as_ref(), pages)?;
    let told_to_end = told_to_end()?;
    tracing::info!(
        namespace = arguments.namespace,
        "tells pods of ConfigMaps with components and drivers' files that change"
    );
    tokio::select! {
        () = delivery.cluster.follow() => anyhow::bail!("the watches have ended"),
        () = delivery.go_on(Rollout::new(arguments.pods_per_second)) => {}
        () = told_to_end => {}
    }
    Ok(())
}

fn events(client: Client, host: &str) -> anyhow::Result<Events> {
    Ok(Events::new(client, DELIVER, &holder(host)?))
}

/// The work in one namespace.
struct Delivery {
    cluster: Cluster,
    namespace: String,
    events: Events,
    counted: Counted,
}

/// Whether it was told that there are pods that cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blindness {
    Untold,
    Told,
}

impl Delivery {
    /// For ever.
    async fn go_on(&self, mut rollout: Rollout) {
        let mut blindness = Blindness::Untold;
        loop {
            self.counted.steps();
            let next = |watched: &Watched| rollout.next(watched, Instant::now());
            match self.cluster.see(next) {
                None | Some(Step::Rest) => self.cluster.changes().await,
                Some(Step::Wait(time)) => {
                    // Whatever changes meanwhile may be more urgent.
                    let _ = timeout(time, self.cluster.changes()).await;
                }
                Some(Step::Tell(pods)) => self.tell(&mut rollout, &pods).await,
                Some(Step::Ask(pods)) => self.ask(&mut rollout, pods).await,
                Some(Step::Over(counts)) => {
                    self.tell_over(&rollout, counts).await;
                    blindness.tell(counts);
                }
            }
        }
    }

    /// Has kubelet look at these pods. One that could not be told is told with the next wave.
    async fn tell(&self, rollout: &mut Rollout, pods: &[MountingPod]) {
        self.counted.is_stopped(Stopped::No);
        let told = pods.iter().map(|pod| async move {
            let wanted = self.cluster.see(|watched| pod.wanted(&watched.maps));
            let written = self.cluster.tell(pod, &wanted.unwrap_or_default()).await;
            (pod, written)
        });
        let mut told = stream::iter(told).buffer_unordered(AT_ONCE);
        let mut failed = None;
        while let Some((pod, written)) = told.next().await {
            match written {
                Ok(()) => {
                    self.counted.annotations.inc();
                    let now = Instant::now();
                    self.cluster.see(|watched| rollout.tell(pod, watched, now));
                    tracing::info!(pod = pod.name, node = pod.node, "told of what it mounts");
                }
                Err(error) => {
                    self.counted.failures.inc();
                    failed = Some((pod, error));
                }
            }
        }
        if let Some((pod, error)) = failed {
            tracing::warn!(error = %error, pod = pod.name, "cannot annotate a pod");
            sleep(AFTER_ERROR).await;
        }
    }

    /// Asks these what they made of it.
    async fn ask(&self, rollout: &mut Rollout, pods: Vec<(MountingPod, Expected)>) {
        let answers = pods.into_iter().map(|(pod, expected)| async move {
            let Some(address) = pod.metrics else {
                return (pod.uid, Answer::None);
            };
            match figures::of(address).await {
                Ok(samples) => (pod.uid, Answer::Said(verdict(&samples, &expected))),
                Err(error) => {
                    tracing::debug!(%error, pod = pod.name, %address, "cannot ask a pod");
                    (pod.uid, Answer::None)
                }
            }
        });
        let mut answers = stream::iter(answers).buffer_unordered(AT_ONCE);
        while let Some((uid, answer)) = answers.next().await {
            if let Some(stop) = rollout.answered(&uid, answer, Instant::now()) {
                return self.tell_stopped(rollout, &stop).await;
            }
        }
    }

    async fn tell_stopped(&self, rollout: &Rollout, stop: &Stop) {
        let Stop {
            pod,
            node,
            refusal,
            told,
        } = stop;
        let left = self.cluster.see(|watched| watched.due().len());
        let note = format!(
            "{refusal}, in pod {pod} on node {node}, where the version before goes on serving: no more pods are told of it \
             ({told} were, {} were not) until it changes again. kubelet brings it to them by itself within a minute or two. \
             `drivebay status` in that pod says why",
            left.unwrap_or_default()
        );
        tracing::warn!("{note}");
        self.counted.stops.inc();
        self.counted.is_stopped(Stopped::Yes);
        self.publish(rollout, &Said::bad("DeliveryStopped", note))
            .await;
    }

    async fn tell_over(&self, rollout: &Rollout, Counts { told, took }: Counts) {
        let pods = match told {
            1 => "1 pod was".to_owned(),
            many => format!("{many} pods were"),
        };
        let unseen = match told - took {
            0 => String::new(),
            unseen => format!(", {unseen} could not be asked"),
        };
        let note = format!("{pods} told of it: {took} took it up{unseen}");
        tracing::info!("{note}");
        self.publish(rollout, &Said::good("Delivered", note)).await;
    }

    /// At each ConfigMap that a change is about. Whoever reads that can do without.
    async fn publish(&self, rollout: &Rollout, said: &Said<'_>) {
        for name in &rollout.changed {
            let uid = self.cluster.see(|watched| {
                let map = watched.maps.get(name);
                map.map(|map| map.uid.clone())
            });
            let Some(uid) = uid.flatten() else { continue };
            let about = ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("ConfigMap".to_owned()),
                namespace: Some(self.namespace.clone()),
                name: Some(name.clone()),
                uid: Some(uid),
                ..ObjectReference::default()
            };
            self.events.tell(&about, said).await;
        }
    }
}

impl Blindness {
    /// Once is enough.
    fn tell(&mut self, counts: Counts) {
        if *self == Self::Untold && counts.took < counts.told {
            tracing::warn!(
                "refusals of pods are not seen that tell no figures at a port named `metrics`, or do not answer there: they \
                 are told all the same"
            );
            *self = Self::Told;
        }
    }
}
