//! ECS, asked with the SDK's patience.

use drivebay_guest::api;
pub(crate) use drivebay_guest::api::Api;
use drivebay_guest::backoff::Rhythm;
use drivebay_guest::create_once::Tokens;
use drivebay_guest::failure::Refusal;
use drivebay_guest::host::Host;
use drivebay_guest::https::Response;
use drivebay_guest::json::Json;
use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::error_codes;

/// What a look at the state says is to be done.
pub(crate) type Step = api::Step<Action>;

/// When something came to what was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reached {
    Already,
    Now,
}

/// The outside, as far as this guest needs it.
pub(crate) trait Cloud {
    /// Time, chance and the log.
    fn host(&self) -> &dyn Host;

    /// The region that the operator configured.
    fn region(&self) -> Result<String, Error>;

    /// Send one call to ECS, signed anew.
    fn send(&self, call: &Call) -> Result<Response, Error>;

    /// Ask the instance's metadata service.
    fn metadata(&self, path: &str) -> Result<String, Error>;
}

/// ECS.
#[derive(Clone, Copy)]
pub(crate) struct Ecs<'a> {
    pub(crate) cloud: &'a dyn Cloud,
}

impl Api for Ecs<'_> {
    type Action = Action;

    const NAME: &'static str = "ECS";

    const ENDPOINT: &'static str = "ecs";

    const THROTTLED: &'static str = error_codes::THROTTLED;

    const GAVE_UP: &'static str = error_codes::GAVE_UP;

    const LOOK_AGAIN: &'static str = "DependencyViolation InvalidDisk.AlreadyDetached InvalidDisk.InUse InvalidDiskSize \
        InvalidDiskSize.TooSmall NoChangeInDiskCategoryAndPerformanceLevel";

    /// Throttling counts by the minute, so that the later pauses have to be long. In all about half a minute; a
    /// caller with more patience asks again.
    const REPEATS: Rhythm = Rhythm {
        first_ms: 1000,
        longest_ms: 10_000,
        times: 6,
    };

    /// A change shows within a second or two, mostly; looking more often only uses up the account's calls. In all more
    /// than any call's deadline: that comes first.
    const POLLS: Rhythm = Rhythm {
        first_ms: 250,
        longest_ms: 2000,
        times: 60,
    };

    /// About 12 seconds.
    const LAG: u32 = 8;

    fn host(&self) -> &dyn Host {
        self.cloud.host()
    }

    fn send(&self, call: &Call) -> Result<Response, Error> {
        self.cloud.send(call)
    }

    fn refusal(response: &Response, answer: &'static Json) -> Option<Refusal> {
        let pause = Params(&response.headers).get("x-acs-retry-after");
        Some(Refusal {
            code: answer.some_text("Code")?,
            message: answer.text("Message"),
            request_id: answer.text("RequestId"),
            retry_after: pause.and_then(|milliseconds| milliseconds.parse().ok()),
        })
    }

    fn condition(action: Action, code: &str) -> Condition {
        error_codes::condition(action, code)
    }

    fn hint(action: Action, code: &str) -> Option<String> {
        error_codes::hint(action, code)
    }
}

impl Tokens for Ecs<'_> {
    const TOKEN: &'static str = "ClientToken";

    const MISMATCH: &'static str = "IdempotentParameterMismatch";

    /// A new disk takes a second or so until it can be used, and one from a snapshot longer. Looked at after 1 s, 3 s, 7 s
    /// and so on, and in all for longer than any call's deadline.
    const NEW: Rhythm = Rhythm {
        first_ms: 1000,
        longest_ms: 4000,
        times: 60,
    };

    /// A quarter of a minute. Descriptions are said to lag by a second or two.
    const POLLS_FOR_NEW: u32 = 5;

    const POLLS_FOR_KNOWN: u32 = 5;
}

impl Ecs<'_> {
    /// A call in a region, which most actions ask for.
    pub(crate) fn call_in_region(&self, call: Call) -> Result<&'static Json, Error> {
        let region = self.cloud.region()?;
        Ok(self.call(&call.with("RegionId", &region))?)
    }
}

#[cfg(test)]
mod tests;
