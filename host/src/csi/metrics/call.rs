//! One RPC, from the moment it is taken from the connection until its work is over.
//!
//! Counted around everything that answers, so that the calls of CSI's Identity, and those that no service
//! knows, count as well. A caller that gives up does not end the work: the call is over when the last who
//! has part in it is done, and its code is what the work came to.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use tonic::codegen::{Service, http};
use tonic::{Code, Status};
use tower_layer::Layer;

use super::driver_calls::DriverCalls;
use super::unserved_calls::Rejected;
use super::{Metrics, method};

/// Clones have part in the same call.
#[derive(Debug, Clone)]
pub(in crate::csi) struct Call(Arc<InFlight>);

#[derive(Debug)]
struct InFlight {
    calls: Arc<DriverCalls>,
    method: &'static str,
    begun: Instant,
    code: OnceLock<Code>,
}

impl Call {
    fn begin(layer: &CountLayer, method: &'static str) -> Self {
        layer.calls.begin();
        Self(Arc::new(InFlight {
            calls: Arc::clone(&layer.calls),
            method,
            begun: Instant::now(),
            code: OnceLock::new(),
        }))
    }

    /// What the work came to; what was said first counts.
    pub(in crate::csi) fn finish<A>(&self, outcome: &Result<A, Status>) {
        self.ended(outcome.as_ref().map_or_else(Status::code, |_| Code::Ok));
    }

    /// Whether nobody had said it before.
    fn ended(&self, code: Code) -> bool {
        self.0.code.set(code).is_ok()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Nobody said what it came to: the caller went before anything was done.
        let code = self.code.get().copied().unwrap_or(Code::Cancelled);
        self.calls.end(self.method, code, self.begun.elapsed());
    }
}

/// Counts every RPC of one driver.
#[derive(Debug, Clone)]
pub(in crate::csi) struct CountLayer {
    calls: Arc<DriverCalls>,
    rejected: Rejected,
}

impl CountLayer {
    pub(in crate::csi) fn new(metrics: Metrics, driver: &str) -> Self {
        Self {
            calls: Arc::new(DriverCalls::new(metrics, driver)),
            rejected: Rejected::default(),
        }
    }
}

impl<S> Layer<S> for CountLayer {
    type Service = CountService<S>;

    fn layer(&self, inner: S) -> CountService<S> {
        CountService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service whose calls count.
#[derive(Debug, Clone)]
pub(in crate::csi) struct CountService<S> {
    inner: S,
    layer: CountLayer,
}

impl<S, B, R> Service<http::Request<B>> for CountService<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let method = method::name(request.uri().path());
        // What the others are called is what the caller wrote.
        let asked = (method == method::UNKNOWN).then(|| request.uri().path().to_owned());
        let call = Call::begin(&self.layer, method);
        let rejected = self.layer.rejected.clone();
        request.extensions_mut().insert(call.clone());
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await;
            if let Ok(response) = &answer {
                // An error without a message has its status among the headers; success follows a message.
                let status = Status::from_header_map(response.headers());
                let is_news = call.ended(status.as_ref().map_or(Code::Ok, Status::code));
                if let Some(status) = status.filter(|_| is_news) {
                    rejected.tell(call.0.calls.driver(), method, asked.as_deref(), &status);
                }
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> (Metrics, Call) {
        let metrics = Metrics::of(&[]);
        let layer = CountLayer::new(metrics.clone(), "nfs");
        (metrics, Call::begin(&layer, "NodePublishVolume"))
    }

    #[track_caller]
    fn shows(metrics: &Metrics, line: &str) {
        let text = metrics.text().expect("written");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }

    #[test]
    fn a_call_is_in_flight_until_the_last_who_has_part_in_it_is_done() {
        let (metrics, call) = call();
        let work = call.clone();
        drop(call);
        shows(&metrics, "drivebay_rpcs_in_flight{driver=\"nfs\"} 1");
        assert!(!metrics.text().expect("written").contains("rpcs_total{"));
        work.finish::<()>(&Err(Status::aborted("busy")));
        work.finish(&Ok(()));
        drop(work);
        shows(&metrics, "drivebay_rpcs_in_flight{driver=\"nfs\"} 0");
        shows(
            &metrics,
            "drivebay_rpcs_total{driver=\"nfs\",method=\"NodePublishVolume\",code=\"Aborted\"} 1",
        );
    }

    #[test]
    fn a_call_that_came_to_nothing_was_cancelled() {
        let (metrics, call) = call();
        drop(call);
        shows(
            &metrics,
            "drivebay_rpcs_total{driver=\"nfs\",method=\"NodePublishVolume\",code=\"Canceled\"} 1",
        );
    }
}
