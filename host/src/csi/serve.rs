//! Listening, and stopping without leaving anybody without an answer.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::accept::{Acceptor, TakeBack};
use super::concurrency;
use super::endpoint::Endpoint;
use super::graceful_close::LINGER;
use super::health::Health;
use super::http2;
use super::metrics::{CountedServices, Listeners, Metrics, MetricsAddress, Occupied, ServePages};
use super::plugin::{Plugin, Service};
use super::registration::{Registrar, RegistrationError};
use super::services::Services;
use super::takeover::{self, Takeover};
use crate::driver::missing_programs;
use crate::error::DriverError;
use crate::sys::SocketName;

/// Of a driver's two sockets, beside those of its calls: however many calls hang, a name is renewed and given up.
const NAME_THREADS: usize = 2;

/// The same of the socket for metrics.
const METRICS_NAME_THREADS: usize = 1;

/// After a signal to stop: how much longer than their deadline operations may take.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// Where this process says what it does.
#[derive(Debug)]
pub struct MetricsConfig {
    /// For `drivebay status`: a directory that gets a socket of this process.
    pub directory: PathBuf,
    /// For Prometheus and for probes, if wanted: plain HTTP, without asking who is there.
    pub address: Option<MetricsAddress>,
}

/// Why serving ended badly.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "a field without a comment is what its name and type say"
)]
pub enum ServeError {
    /// The driver cannot be served.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The socket cannot be had.
    #[error("cannot listen at {endpoint}")]
    Listen {
        endpoint: Endpoint,
        source: io::Error,
    },
    /// The address for metrics cannot be had.
    #[error("cannot serve metrics at {address}; give another address, or end what listens there")]
    Metrics {
        address: MetricsAddress,
        source: io::Error,
    },
    /// The driver cannot be made known to kubelet.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// Threads, signals.
    #[error("cannot serve")]
    Io(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT, then lets the calls in flight end.
///
/// # Errors
/// [`ServeError`], before anything is served where that is possible.
pub fn serve(plugins: Vec<Plugin>, metrics_config: &MetricsConfig) -> Result<(), ServeError> {
    let longest = plugins
        .iter()
        .map(|plugin| plugin.driver.config().limits.deadline)
        .max()
        .unwrap_or_default();
    let listeners = metrics_config.listen(Occupied::by_predecessor_of(&plugins))?;
    let prepared = plugins
        .into_iter()
        .map(Prepared::new)
        .collect::<Result<Vec<_>, _>>()?;
    let listeners = metrics_config.told(listeners.take_name())?;
    // Last: whoever listens there now does so until nothing can go wrong here.
    let served = prepared
        .into_iter()
        .map(Prepared::listen_where_nobody_does)
        .collect::<Result<Vec<_>, _>>()?;
    let services: Vec<&Service> = served.iter().map(|one| &one.service).collect();
    let pages = ServePages {
        metrics: Metrics::of(&services),
        health: Health::of(&services),
    };
    // This thread carries all messages, and does what waits for nothing: a second one would spend more on
    // handing over than on carrying. The work itself has threads of its own.
    let of_drivers = (concurrency::THREADS + NAME_THREADS) * served.len();
    let runtime = runtime::Builder::new_current_thread()
        .max_blocking_threads(of_drivers + METRICS_NAME_THREADS)
        .thread_name("csi")
        .enable_all()
        .build()?;
    let entered = runtime.enter();
    let _socket = listeners.answer(&pages)?;
    drop(entered);
    let outcome = runtime.block_on(serve_all(served, &pages.metrics, longest + DRAIN_GRACE));
    // Work whose caller has gone is waited for too: killed, it would be repeated.
    runtime.shutdown_timeout(longest + DRAIN_GRACE);
    outcome
}

impl MetricsConfig {
    fn listen(&self, occupied: Occupied) -> Result<Listeners, ServeError> {
        self.told(Listeners::open(
            &self.directory,
            self.address.as_ref(),
            occupied,
        ))
    }

    fn told(&self, listeners: io::Result<Listeners>) -> Result<Listeners, ServeError> {
        match (listeners, &self.address) {
            (Ok(listeners), _) => Ok(listeners),
            (Err(source), Some(address)) => Err(ServeError::Metrics {
                address: address.clone(),
                source,
            }),
            (Err(source), None) => Err(ServeError::Io(source)),
        }
    }
}

impl Occupied {
    /// Whoever serves one of these drivers now has been given the same address for its metrics.
    fn by_predecessor_of(plugins: &[Plugin]) -> Self {
        let is_served = |plugin: &Plugin| takeover::is_another_at(plugin.endpoint.path());
        match plugins.iter().any(is_served) {
            true => Self::ForAWhile,
            false => Self::ForGood,
        }
    }
}

/// A driver, ready to be called.
struct Prepared {
    service: Service,
    endpoint: Endpoint,
}

impl Prepared {
    fn new(plugin: Plugin) -> Result<Self, ServeError> {
        let endpoint = plugin.endpoint.clone();
        let service = Service::new(plugin)?;
        let driver = &service.0.driver;
        // Other drivers of the process are served all the same, and this one's Probe says it.
        if let Err(error) = driver.check_privileges(service.0.mode.work()) {
            tracing::error!(
                driver.name = driver.config().name.0,
                error = error.chain(),
                "the driver cannot work here"
            );
        }
        let programs = missing_programs(driver.config(), service.0.mode.work());
        if !programs.is_empty() {
            tracing::warn!(
                driver.name = driver.config().name.0,
                missing = programs.join(", "),
                "programs are missing that its volumes can want"
            );
        }
        // Compiled now, by a process of its own, rather than in somebody's call.
        if let Err(error) = service.0.driver.session().prepared_capabilities() {
            tracing::error!(
                driver.name = service.0.driver.config().name.0,
                error = error.chain(),
                "the driver is not ready"
            );
        }
        Ok(Self { service, endpoint })
    }

    /// What nobody has is this process's at once, whether it is ready or not: its callers are told what is wrong.
    fn listen_where_nobody_does(self) -> Result<Served, ServeError> {
        let Self { service, endpoint } = self;
        if takeover::is_another_at(endpoint.path()) {
            service.0.takeover_status.waits("it has just started");
            return Ok(Served {
                service,
                endpoint,
                socket: None,
            });
        }
        let taken = SocketName::take_over(endpoint.path()).map_err(|source| ServeError::Listen {
            endpoint: endpoint.clone(),
            source,
        });
        let (name, listener, predecessor) = taken?;
        takeover::tell(&service, endpoint.path(), predecessor);
        Ok(Served {
            service,
            endpoint,
            socket: Some((name, listener)),
        })
    }
}

/// A driver, with its socket unless another process has that.
struct Served {
    service: Service,
    endpoint: Endpoint,
    socket: Option<(SocketName, std::os::unix::net::UnixListener)>,
}

impl Served {
    async fn serve(
        mut self,
        metrics: Metrics,
        mut stop: watch::Receiver<()>,
    ) -> Result<(), ServeError> {
        let (name, socket) = match self.socket.take() {
            Some(taken) => taken,
            None => tokio::select! {
                taken = Takeover::of(&self.service).listen(self.endpoint.path()) => taken,
                _ = stop.changed() => return Ok(()),
            },
        };
        // It listens: kubelet calls a driver as soon as it knows of it.
        let registered = self.register(stop.clone());
        let answered = self.answer(metrics, (name, socket), stop);
        tokio::try_join!(registered, answered).map(|_| ())
    }

    async fn register(&self, stop: watch::Receiver<()>) -> Result<(), ServeError> {
        match Registrar::of(&self.service, self.endpoint.path()) {
            Some(registrar) => Ok(registrar.serve(stop).await?),
            None => Ok(()),
        }
    }

    async fn answer(
        &self,
        metrics: Metrics,
        (name, socket): (SocketName, std::os::unix::net::UnixListener),
        stop: watch::Receiver<()>,
    ) -> Result<(), ServeError> {
        let Self {
            service, endpoint, ..
        } = self;
        let upkeep = Box::new(TakeBack::of(service.0.driver.clone()));
        let (acceptor, (accepted, mut all_closed)) = Acceptor::new(name, socket, upkeep)?;
        let driver_name = &service.0.driver.config().name.0;
        tracing::info!(driver.name = driver_name, csi.name = service.0.name, %endpoint, "serving");
        let services = CountedServices::new(Services::of(service), metrics, driver_name);
        // It ends when nobody comes any more; a signal of its own would come before the last of them.
        let answered = http2::answer_all(accepted, move |request| services.call(request));
        tokio::join!(answered, acceptor.accept_until(stop));
        // The process ends next, and closes what is open still.
        let _ = timeout(LINGER, all_closed.recv()).await;
        Ok(())
    }
}

async fn serve_all(
    served: Vec<Served>,
    metrics: &Metrics,
    drain: Duration,
) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopping) = watch::channel(());
    let mut servers = JoinSet::new();
    for one in served {
        servers.spawn(one.serve(metrics.clone(), stopping.clone()));
    }
    tokio::select! {
        _ = terminate.recv() => tracing::info!("asked to stop; calls in flight are finished first"),
        _ = interrupt.recv() => tracing::info!("interrupted; calls in flight are finished first"),
        Some(ended) = servers.join_next() => return outcome(ended),
    }
    drop(stop);
    let drained = timeout(drain, async {
        while let Some(ended) = servers.join_next().await {
            outcome(ended)?;
        }
        Ok(())
    });
    drained.await.unwrap_or_else(|_| {
        tracing::warn!(
            "stopping with callers still connected, after waiting for the longest deadline"
        );
        Ok(())
    })
}

fn outcome(
    ended: Result<Result<(), ServeError>, tokio::task::JoinError>,
) -> Result<(), ServeError> {
    ended.unwrap_or_else(|error| Err(ServeError::Io(io::Error::other(error))))
}
