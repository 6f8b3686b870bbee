//! From the command line to the loops, and to their end.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use drivebay::config::{self, Paths};
use drivebay::csi::{MetricsAddress, MetricsListener, Pages};
use drivebay::driver::{self, Driver, Work};
use drivebay::log_stream::{self, LogLevel};
use drivebay::sys;
use drivebay::volume::DriverName;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::Api;
use kube::runtime::controller::{self, Action};
use kube::runtime::watcher;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::backend::Backend;
use crate::claim::NamedSnapshots;
use crate::doubts::Doubts;
use crate::events::{Events, PROVISION};
use crate::health::{Health, Phase, ProvisionPages};
use crate::intent::Holder;
use crate::lease::Leadership;
use crate::memory::Memory;
use crate::metrics::{Failure, Metrics};
use crate::names::{INTENT_LABEL, Provisioner};
use crate::nodes::Nodes;
use crate::predecessor::Predecessors;
use crate::provisioning::{AFTER_ERROR, Provisioning, StepError, Stores};
use crate::reflected::Reflected;
use crate::turns::Turns;
use crate::{claims, components, intents, volumes};

/// How often a component is looked for that is not there yet.
const COMPONENT_WAIT: Duration = Duration::from_secs(1);

/// For how long the API server may say nothing on a connection. Watches are renewed every 290 s, and silent until then where
/// nothing happens.
const SILENCE: Duration = Duration::from_secs(295);

/// How long the requests of one step to the API server may take together, beside its call of the driver. Whoever leads cannot
/// renew the lease either where they take longer.
const REQUESTS: Duration = Duration::from_secs(600);

/// How many objects of a kind wait for their turn, in their order. Of those beyond that kube picks any for the next place, so
/// that a claim would wait for as long as others come.
const WAITING: u16 = 1000;

/// Until it is told to end, or cannot go on.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    log_stream::log_to_stderr(LogLevel::Info);
    let paths = arguments.paths();
    paths.close()?;
    let driver = find(&paths, &arguments.driver)?;
    driver.check_privileges(Work::Controller)?;
    let host = sys::host_name().context("cannot read the name of this machine")?;
    let following = components::follow(&paths, &arguments.components_from, host.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the threads that wait for the API server")?;
    let ended = runtime.block_on(provision(arguments, driver, &host));
    drop(following);
    // Whoever lost the lease waits for nothing that is under way.
    runtime.shutdown_background();
    ended
}

fn find(paths: &Paths, name: &str) -> anyhow::Result<Driver> {
    let name = DriverName(name.to_owned());
    let found = config::find_driver(paths, &name);
    let found = driver::or_activated(found, paths, |driver| driver.name == name)?;
    let Some(config) = found else {
        bail!(
            "no driver {name}: there is no {}",
            paths.driver_file(&name).display()
        );
    };
    Ok(Driver::new(config, paths.clone()))
}

/// The name that classes know the driver by.
fn provisioner(driver: &Driver, paths: &Paths) -> anyhow::Result<Provisioner> {
    let config = driver.config();
    let Some(name) = &config.flexvolume else {
        bail!(
            "driver {} has no FlexVolume name that a StorageClass could have: set flexvolume in {}",
            config.name,
            paths.driver_file(&config.name).display()
        );
    };
    Ok(Provisioner(format!("{}/{}", name.vendor, name.driver)))
}

/// A name that no other process has, nor this one when it is started anew.
pub(crate) fn holder(host: &str) -> anyhow::Result<Holder> {
    let random = sys::random_bytes().context("the kernel has no random numbers")?;
    Ok(Holder(format!(
        "{host}_{:032x}",
        u128::from_be_bytes(random)
    )))
}

async fn provision(arguments: Arguments, driver: Driver, host: &str) -> anyhow::Result<()> {
    let paths = arguments.paths();
    let provisioner = provisioner(&driver, &paths)?;
    let name = driver.config().name.clone();
    let client = client()
        .await
        .context("cannot find out how to call the API server")?;
    let holder = holder(host)?;
    let leadership = Leadership::new(
        Api::namespaced(client.clone(), &arguments.namespace),
        format!("drivebay-provision-{name}"),
        holder.clone(),
        arguments.lease_duration,
    );
    let metrics = Metrics::new(&name.0);
    let longest_turn = driver.config().limits.deadline + REQUESTS;
    let tenure = leadership.tenure();
    let backend = Backend::new(driver, arguments.at_once, tenure.clone(), metrics.clone());
    let predecessors = Arc::new(Predecessors::new(
        client.clone(),
        arguments.not_beside,
        provisioner.clone(),
    ));
    let writes = Turns::new(arguments.at_once);
    let turns = vec![backend.turns().clone(), writes.clone()];
    let health = Health::new(tenure, turns, longest_turn);
    tell(
        arguments.metrics_address.as_ref(),
        ProvisionPages {
            metrics: metrics.clone(),
            health: health.clone(),
        },
    )?;
    let mut told_to_end = told_to_end()?;
    tokio::select! {
        none_runs = predecessors.none_runs() => none_runs?,
        () = &mut told_to_end => return Ok(()),
    }
    tokio::select! {
        () = is_ready(&backend, &health) => {}
        () = &mut told_to_end => return Ok(()),
    }
    tracing::info!(holder = holder.0, "waits for the lease of {provisioner}");
    health.enter(Phase::StandsBy);
    tokio::select! {
        () = leadership.win() => {}
        () = &mut told_to_end => return Ok(()),
    }
    tracing::info!(
        holder = holder.0,
        "makes volumes for claims of {provisioner}"
    );
    health.enter(Phase::Leads);
    let (end, ends) = watch::channel(());
    let file = paths.driver_file(&name).display().to_string();
    let of = Parts {
        client,
        namespace: arguments.namespace,
        provisioner,
        backend: backend.clone(),
        writes: writes.clone(),
        file,
        holder,
        named_snapshots: arguments.named_snapshots,
        predecessors: Arc::clone(&predecessors),
        metrics,
    };
    let loops = loops(of, &name, &ends);
    tokio::pin!(loops);
    tokio::select! {
        lost = leadership.keep() => return Err(lost),
        another = predecessors.shows() => return Err(another),
        () = &mut loops => bail!("the loops have ended"),
        () = &mut told_to_end => {}
    }
    tracing::info!("told to end: what is under way is finished first");
    backend.turns().end();
    writes.end();
    drop(end);
    tokio::select! {
        lost = leadership.keep() => return Err(lost),
        () = async { loops.await; backend.turns().close().await } => {}
    }
    leadership
        .give_up()
        .await
        .context("cannot give up the lease, which will run out")
}

/// Whose requests end also where nobody answers: without a bound a step would wait for ever.
pub(crate) async fn client() -> anyhow::Result<Client> {
    let mut config = kube::Config::infer().await?;
    config.read_timeout = Some(SILENCE);
    config.write_timeout = Some(SILENCE);
    // What counts is since when this request waits, and not for how long its connection was idle before.
    config.reset_reader_on_write = true;
    Ok(Client::try_from(config)?)
}

/// Where the operator wants it, for as long as the process lives.
pub(crate) fn tell(address: Option<&MetricsAddress>, pages: impl Pages) -> anyhow::Result<()> {
    let Some(address) = address else {
        return Ok(());
    };
    let listener = MetricsListener::open(address)
        .with_context(|| format!("cannot serve metrics at {address}"))?;
    tokio::spawn(async move {
        if let Err(error) = listener.answer(pages).await {
            tracing::error!(%error, "cannot serve metrics");
        }
    });
    Ok(())
}

/// Waits for a component that can be called.
async fn is_ready(backend: &Backend, health: &Health) {
    let mut told = String::new();
    while let Err(error) = backend.is_ready().await {
        let reason = error.chain();
        if reason != told {
            tracing::warn!(error = reason, "waits for a component");
            health.enter(Phase::Waits(format!("waits for a component: {reason}")));
            told = reason;
        }
        sleep(COMPONENT_WAIT).await;
    }
}

/// SIGTERM or SIGINT.
pub(crate) fn told_to_end() -> anyhow::Result<std::pin::Pin<Box<impl Future<Output = ()>>>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    Ok(Box::pin(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }))
}

/// What [`Provisioning`] is made of besides what the loops see.
struct Parts {
    client: Client,
    namespace: String,
    provisioner: Provisioner,
    backend: Backend,
    writes: Turns,
    file: String,
    holder: Holder,
    named_snapshots: NamedSnapshots,
    predecessors: Arc<Predecessors>,
    metrics: Metrics,
}

/// The three loops. They end once whoever holds the other end of `ends` has dropped it, and what they are at is done.
async fn loops(parts: Parts, driver: &DriverName, ends: &watch::Receiver<()>) {
    let client = parts.client.clone();
    let labelled = watcher::Config::default().labels(&format!("{INTENT_LABEL}={driver}"));
    let written: Api<ConfigMap> = Api::namespaced(client.clone(), &parts.namespace);
    let every = watcher::Config::default();
    let (claims, follow_claims) = Reflected::new(Api::all(client.clone()), every.clone());
    let (intents, follow_intents) = Reflected::new(written.clone(), labelled.clone());
    let (volumes, follow_volumes) = Reflected::new(Api::all(client.clone()), every.clone());
    let (classes, follow_classes) = Reflected::new(Api::all(client.clone()), every);
    let shared = Arc::new(Provisioning {
        events: Events::new(client.clone(), PROVISION, &parts.holder),
        nodes: Nodes::new(client.clone()),
        client: client.clone(),
        namespace: parts.namespace,
        provisioner: parts.provisioner,
        backend: parts.backend,
        writes: parts.writes,
        file: parts.file,
        holder: parts.holder,
        named_snapshots: parts.named_snapshots,
        led_since: Instant::now(),
        stores: Stores {
            claims: claims.store.clone(),
            intents: intents.store.clone(),
            volumes: volumes.store.clone(),
            classes: classes.store,
        },
        memory: Memory::default(),
        doubts: Doubts::default(),
        predecessors: parts.predecessors,
        metrics: parts.metrics,
    });
    let leads = Arc::downgrade(&shared);
    let backlog = move || leads.upgrade().map(|it| it.backlog()).unwrap_or_default();
    shared.metrics.lead(backlog);
    let config = controller::Config::default().concurrency(WAITING);
    let worked = async {
        if shared.stores.are_filled().await.is_err() {
            return;
        }
        let of_claims = claims
            .controller()
            .with_config(config.clone())
            .watches(written, labelled, claims::of_intent)
            .graceful_shutdown_on(end_of(ends));
        let of_intents = intents
            .controller()
            .with_config(config.clone())
            .graceful_shutdown_on(end_of(ends));
        let of_volumes = volumes
            .controller()
            .with_config(config)
            .graceful_shutdown_on(end_of(ends));
        tokio::join!(
            followed(of_claims.run(claims::reconcile, after_error, Arc::clone(&shared))),
            followed(of_intents.run(intents::reconcile, after_error, Arc::clone(&shared))),
            followed(of_volumes.run(volumes::reconcile, after_error, Arc::clone(&shared))),
        );
    };
    let follow = async {
        tokio::join!(
            follow_claims,
            follow_intents,
            follow_volumes,
            follow_classes
        );
    };
    tokio::select! {
        () = worked => {}
        () = follow => {}
    }
}

fn end_of(ends: &watch::Receiver<()>) -> impl Future<Output = ()> + Send + Sync + use<> {
    let mut ends = ends.clone();
    // Nothing is ever sent: the sender goes.
    async move { while ends.changed().await.is_ok() {} }
}

fn after_error<K>(_: Arc<K>, error: &StepError, shared: Arc<Provisioning>) -> Action {
    shared.metrics.failed(Failure::ApiServer);
    let error: &dyn std::error::Error = error;
    let reason = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::warn!(reason, "{error}");
    Action::requeue(AFTER_ERROR)
}

/// Until a loop ends. What a step could not do was told where it happened.
async fn followed<T>(
    steps: impl Stream<Item = Result<T, controller::Error<StepError, watcher::Error>>>,
) {
    let told = |step| {
        match step {
            Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
            // It went while it was to be looked at again.
            Err(controller::Error::ObjectNotFound(_)) => {}
            Err(error) => tracing::warn!(error = %error, "cannot watch the API server's objects"),
        }
        ready(())
    };
    steps.for_each(told).await;
}
