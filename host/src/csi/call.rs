//! One RPC: the caller's deadline, a thread that may wait, and the way back.
//!
//! CSI has no cancellation: a caller that gives up repeats the call with the same fields. So the work goes
//! on when its caller is gone, and holds the volume's lock until it is really over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tonic::{Request, Response, Status};
use tracing::field;

use super::capabilities;
use super::deadline;
use super::metrics::Call;
use super::plugin::Service;
use super::secrets::{self, BringsSecrets};
use super::status::{RpcKind, status};
use crate::driver::{CallTimeouts, Session};
use crate::error::DriverError;

/// How long a call waits for another one on the same volume: long enough for two pods that start together,
/// short enough that a caller soon learns that its volume is busy.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// How much sooner than the caller's deadline we answer, so that our own error gets out: a tenth of the
/// time, at most this.
const HEAD_START: Duration = Duration::from_secs(1);

/// An RPC that has no answer yet.
struct Pending {
    rpc: &'static str,
    session: Session,
    /// None as long as it has no line in the log.
    span: tracing::Span,
    call: Option<Call>,
}

impl Service {
    /// Carries out one operation with the caller's deadline, on a thread that may block.
    pub(super) async fn answer<M, A>(
        &self,
        rpc: &'static str,
        request: Request<M>,
        operation: impl FnOnce(&Session, M) -> Result<A, DriverError> + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        M: BringsSecrets + Send + 'static,
        A: Send + 'static,
    {
        let (pending, message) = self.pending(rpc, request)?;
        let pending = pending.in_span("");
        self.on_a_thread(pending, move |driver| operation(driver, message))
            .await
    }

    /// The same for what is asked of a volume, unless the answer is known where the message arrived: a thread costs more
    /// than a look. `fast` may read files of the host's own, and waits for no guest, no lock and no server; it says
    /// nothing where one of these is needed. It logs nothing.
    pub(super) async fn answer_fast_or_on_thread<M, W, A>(
        &self,
        rpc: &'static str,
        request: Request<M>,
        volume_id: impl FnOnce(&M) -> &str,
        wanted: impl FnOnce(&Session, M) -> Result<W, DriverError>,
        fast: impl FnOnce(&Session, &W) -> Result<Option<A>, DriverError>,
        operation: impl FnOnce(&Session, &W) -> Result<A, DriverError> + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        M: BringsSecrets,
        W: Send + 'static,
        A: Send + 'static,
    {
        let (pending, message) = self.pending(rpc, request)?;
        let volume_id = volume_id(&message).to_owned();
        let pending = pending.in_span_if_followed(&volume_id);
        let outcome = pending.span.in_scope(|| {
            let wanted = wanted(&pending.session, message)?;
            Ok((fast(&pending.session, &wanted)?, wanted))
        });
        match outcome {
            Err(error) => pending.in_span(&volume_id).end(Err(error)),
            Ok((Some(answer), _)) => pending.end(Ok(answer)),
            Ok((None, wanted)) => {
                let pending = pending.in_span(&volume_id);
                self.on_a_thread(pending, move |driver| operation(driver, &wanted))
                    .await
            }
        }
    }

    /// Answers what waits for nothing, where the message arrived: no guest, no lock, no mount. It logs nothing.
    pub(super) fn answer_now<M, A>(
        &self,
        rpc: &'static str,
        request: Request<M>,
        operation: impl FnOnce(&Session) -> Result<A, DriverError>,
    ) -> Result<Response<A>, Status>
    where
        M: BringsSecrets,
    {
        let (pending, _) = self.pending(rpc, request)?;
        let pending = pending.in_span_if_followed("");
        let outcome = pending.span.in_scope(|| operation(&pending.session));
        match outcome {
            Ok(answer) => pending.end(Ok(answer)),
            Err(error) => pending.in_span("").end(Err(error)),
        }
    }

    /// Once the driver may run one more call; until then the caller waits, and nothing has begun.
    async fn on_a_thread<A: Send + 'static>(
        &self,
        pending: Pending,
        operation: impl FnOnce(&Session) -> Result<A, DriverError> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        let permit = self
            .0
            .concurrency
            .acquire(pending.rpc, &pending.session)
            .await;
        let permit = match permit {
            Ok(permit) => permit,
            Err(error) => return pending.end(Err(error)),
        };
        let kind = RpcKind::of(pending.rpc);
        let call = pending.call.clone();
        let work = move || {
            // Held to the end of the work, which is later than the end of a caller's deadline.
            let _permit = permit;
            let outcome = pending.span.in_scope(|| operation(&pending.session));
            pending.end(outcome)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
            let error = DriverError::internal(
                "the operation panicked, which is a bug of the host; its log says where",
            );
            let outcome = Err(status(&error, kind));
            if let Some(call) = call {
                call.finish(&outcome);
            }
            outcome
        })
    }

    fn pending<M: BringsSecrets>(
        &self,
        rpc: &'static str,
        request: Request<M>,
    ) -> Result<(Pending, M), Status> {
        let timeouts = CallTimeouts {
            answer: answer_by(request.metadata(), Instant::now()),
            lock: LOCK_WAIT,
        };
        let mut pending = Pending {
            rpc,
            session: self.0.driver.session_within(timeouts),
            span: tracing::Span::none(),
            call: request.extensions().get::<Call>().cloned(),
        };
        let mut message = request.into_inner();
        match secrets::taken(&mut message) {
            Ok(brought) => pending.session = pending.session.with_secrets(&brought),
            Err(error) => return Err(pending.in_span("").refuse(&error)),
        }
        Ok((pending, message))
    }
}

impl Pending {
    /// With what every log line of the call carries. A call that is answered at once has no line and pays for none,
    /// unless every call is followed.
    fn in_span(self, volume_id: &str) -> Self {
        if !self.span.is_none() {
            return self;
        }
        let span = span(self.rpc, &self.session);
        if !volume_id.is_empty() {
            span.record("volume.id", volume_id);
        }
        Self { span, ..self }
    }

    fn in_span_if_followed(self, volume_id: &str) -> Self {
        match tracing::enabled!(tracing::Level::DEBUG) {
            true => self.in_span(volume_id),
            false => self,
        }
    }

    /// Where the component lacks the RPC itself, nothing can have been done, and UNIMPLEMENTED says so.
    fn kind(&self) -> RpcKind {
        match self.session.capabilities() {
            Ok(has) if !capabilities::offers(has, self.rpc) => RpcKind::Plain,
            Ok(_) | Err(_) => RpcKind::of(self.rpc),
        }
    }

    /// One line for each call. Messages hold no secrets, and requests are not shown.
    fn end<A>(self, outcome: Result<A, DriverError>) -> Result<Response<A>, Status> {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => return Err(self.refuse(&error)),
        };
        self.span.in_scope(|| tracing::debug!("done"));
        if let Some(call) = self.call {
            call.finish(&Ok(()));
        }
        Ok(Response::new(answer))
    }

    fn refuse(self, error: &DriverError) -> Status {
        let status = status(error, self.kind());
        self.span.in_scope(|| {
            tracing::warn!(code = ?status.code(), error = status.message(), "not done");
        });
        if let Some(call) = self.call {
            call.finish::<()>(&Err(status.clone()));
        }
        status
    }
}

/// Of the highest level, as it counts whatever the level is. The operation fills in what it works on.
fn span(rpc: &'static str, session: &Session) -> tracing::Span {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    tracing::error_span!(
        "csi",
        rpc,
        request.id = REQUESTS.fetch_add(1, Ordering::Relaxed),
        driver.name = session.config().name.0,
        component.version = session.version().map(|version| version.as_str()),
        volume.id = field::Empty,
        volume.name = field::Empty,
        snapshot.id = field::Empty,
        snapshot.name = field::Empty,
        group.id = field::Empty,
        group.name = field::Empty,
    )
}

/// Until when the answer has to be on its way, by the deadline that gRPC callers send along.
fn answer_by(metadata: &tonic::metadata::MetadataMap, now: Instant) -> Option<Instant> {
    let whole = deadline::patience(metadata.as_ref())?;
    now.checked_add(whole - HEAD_START.min(whole / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_leaves_before_the_caller_gives_up() {
        let now = Instant::now();
        let left = |header: &str| {
            let mut metadata = tonic::metadata::MetadataMap::new();
            metadata.insert("grpc-timeout", header.parse().expect("a header"));
            answer_by(&metadata, now).map(|until| until - now)
        };
        assert_eq!(left("2M"), Some(Duration::from_secs(119)));
        assert_eq!(left("120S"), Some(Duration::from_secs(119)));
        assert_eq!(left("1000m"), Some(Duration::from_millis(900)));
        assert_eq!(left("forever"), None);
        assert_eq!(left("123456789S"), None);
    }

    #[test]
    fn a_caller_without_a_deadline_waits_as_long_as_the_driver_may_take() {
        assert_eq!(
            answer_by(&tonic::metadata::MetadataMap::new(), Instant::now()),
            None
        );
    }
}
