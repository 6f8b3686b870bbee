//! The deadline that a caller of gRPC sends along, kept whatever its call waits for.
//!
//! Operations know it, and answer a little sooner. What is left is the time in which a message does not arrive: without
//! an end, its call would stay for as long as its connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Response};

const HEADER: &str = "grpc-timeout";

/// An answer that comes in time, or says that there is none. Most calls are answered as soon as they are looked at, and
/// need no timer.
pub(super) struct InTime<F> {
    answer: F,
    within: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F> InTime<F> {
    pub(super) fn new(within: Option<Duration>, answer: F) -> Self {
        Self {
            answer,
            within,
            timer: None,
        }
    }
}

impl<F> Future for InTime<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(answer) = Pin::new(&mut self.answer).poll(context) {
            return Poll::Ready(answer);
        }
        let Some(within) = self.within else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(within)));
        ready!(timer.as_mut().poll(context));
        let late = "there is no answer within the time that the caller gave; what was begun goes on, so repeat the call";
        Poll::Ready(Ok(Status::deadline_exceeded(late).into_http()))
    }
}

/// How long the caller waits, where it says so.
pub(super) fn patience(headers: &HeaderMap) -> Option<Duration> {
    duration(headers.get(HEADER)?.to_str().ok()?)
}

/// At most eight digits and a unit, as gRPC over HTTP/2 has it.
fn duration(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = match digits.len() {
        1..=8 => digits.parse().ok()?,
        _ => return None,
    };
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::runtime;
    use tonic::Code;

    use super::*;

    fn code_of(within: Option<Duration>, answer: impl Future<Output = Answer> + Unpin) -> Code {
        let runtime = runtime::Builder::new_current_thread().enable_time().build();
        let answered = async { InTime::new(within, answer).await };
        let Ok(answer) = runtime.expect("a runtime").block_on(answered);
        Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
    }

    type Answer = Result<Response<Body>, Infallible>;

    #[test]
    fn a_call_that_waits_for_ever_is_answered_at_its_deadline() {
        let patience = Some(Duration::from_millis(1));
        let code = code_of(patience, Box::pin(pending::<Answer>()));
        assert_eq!(code, Code::DeadlineExceeded);
    }

    #[test]
    fn what_is_answered_at_once_is_in_time_however_little_there_is() {
        let answer = || ready(Ok(Response::new(Body::empty())));
        for patience in [None, Some(Duration::ZERO)] {
            assert_eq!(code_of(patience, answer()), Code::Ok, "{patience:?}");
        }
    }

    #[test]
    fn a_callers_time_is_read_in_each_unit_and_nothing_else_is() {
        for (text, nanoseconds) in [
            ("1H", 3_600_000_000_000),
            ("2M", 120_000_000_000),
            ("3S", 3_000_000_000),
            ("4m", 4_000_000),
            ("5u", 5_000),
            ("6n", 6),
        ] {
            assert_eq!(duration(text), Some(Duration::from_nanos(nanoseconds)));
        }
        for text in ["", "S", "1", "1s", "-1S", "123456789S", "forever", "1é"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
