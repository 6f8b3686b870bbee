//! One RPC, from the moment it is taken from the connection until its work is over.
//!
//! Counted around everything that answers, so that the calls of CSI's Identity, and those that no service
//! knows, count as well. A caller that gives up does not end the work: the call is over when the last who
//! has part in it is done, and its code is what the work came to.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tonic::body::Body;
use tonic::codegen::{self, BoxFuture, StdError, http};
use tonic::{Code, Status};

use super::driver_calls::DriverCalls;
use super::{Metrics, method};
use crate::csi::services::Services;

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
    fn begin(calls: &Arc<DriverCalls>, method: &'static str) -> Self {
        calls.begin();
        Self(Arc::new(InFlight {
            calls: Arc::clone(calls),
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

/// The services of one driver, whose calls count.
#[derive(Debug, Clone)]
pub(in crate::csi) struct CountedServices {
    services: Services,
    calls: Arc<DriverCalls>,
}

impl CountedServices {
    pub(in crate::csi) fn new(services: Services, metrics: Metrics, driver: &str) -> Self {
        Self {
            services,
            calls: Arc::new(DriverCalls::new(metrics, driver)),
        }
    }

    /// Counts it, and hands it to its service.
    pub(in crate::csi) fn call<B>(&self, mut request: http::Request<B>) -> Answering
    where
        B: codegen::Body + Send + 'static,
        B::Error: Into<StdError> + Send + 'static,
    {
        let method = method::name(request.uri().path());
        // What the others are called is what the caller wrote.
        let asked = (method == method::UNKNOWN).then(|| request.uri().path().to_owned());
        let call = Call::begin(&self.calls, method);
        request.extensions_mut().insert(call.clone());
        Answering {
            answer: self.services.call(request),
            call,
            asked,
        }
    }
}

/// The answer to a call, and whoever counts it.
pub(in crate::csi) struct Answering {
    answer: BoxFuture<http::Response<Body>, Infallible>,
    call: Call,
    asked: Option<String>,
}

impl Future for Answering {
    type Output = Result<http::Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.answer.as_mut().poll(context))?;
        // An error without a message has its status among the headers; success follows a message.
        let status = Status::from_header_map(answer.headers());
        let is_news = self
            .call
            .ended(status.as_ref().map_or(Code::Ok, Status::code));
        if let Some(status) = status.filter(|_| is_news) {
            let call = &self.call.0;
            call.calls
                .rejected(call.method, self.asked.as_deref(), &status);
        }
        Poll::Ready(Ok(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> (Metrics, Call) {
        let metrics = Metrics::of(&[]);
        let calls = Arc::new(DriverCalls::new(metrics.clone(), "nfs"));
        (metrics, Call::begin(&calls, "NodePublishVolume"))
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
