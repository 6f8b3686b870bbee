//! Calls to ECS that outlast throttling and lost connections, and waiting for what was asked for.

use drivebay_guest::backoff::{Rhythm, Waiting};
use drivebay_guest::host::Host;
use drivebay_guest::https::Response;
use drivebay_guest::json::Json;
use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call, Repeat};
use crate::retry_class::{self, Failure, Kind};

/// Throttling counts by the minute, so that the later pauses have to be long. In all about half a minute; a
/// caller with more patience asks again.
const REPEATS: Rhythm = Rhythm {
    first_ms: 1000,
    longest_ms: 10_000,
    times: 6,
};

/// A change shows within a second or two, mostly; looking more often only uses up the account's calls. In all more than
/// any call's deadline: that comes first.
const POLLS: Rhythm = Rhythm {
    first_ms: 250,
    longest_ms: 2000,
    times: 60,
};

/// How often the state may look as if nothing had been asked for, before it is asked for again: about 12 seconds.
const LAG: u32 = 8;

/// Refusals after which the next look tells more than the code does.
const POLL_AGAIN: [&str; 6] = [
    "DependencyViolation",
    "InvalidDisk.AlreadyDetached",
    "InvalidDisk.InUse",
    "InvalidDiskSize",
    "InvalidDiskSize.TooSmall",
    "NoChangeInDiskCategoryAndPerformanceLevel",
];

/// What a look at the state says is to be done.
#[derive(Debug)]
pub(crate) enum Step {
    Done,
    /// Nothing but wait, for this reason.
    Wait(String),
    Ask(Call),
}

/// When something came to what was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reached {
    Already,
    Now,
}

/// A call that was accepted, while its effect is not to be seen yet.
#[derive(Default)]
struct Accepted {
    action: Option<Action>,
    polls_left: u32,
}

/// The outside, as far as this guest needs it.
pub(crate) trait Cloud: Host {
    /// The region that the operator configured.
    fn region(&self) -> Result<String, Error>;

    /// Send one call to ECS, signed anew.
    fn send(&self, call: &Call) -> Result<Response, Error>;

    /// Ask the instance's metadata service.
    fn metadata(&self, path: &str) -> Result<String, Error>;
}

/// ECS, with patience.
#[derive(Clone, Copy)]
pub(crate) struct Ecs<'a> {
    pub(crate) cloud: &'a dyn Cloud,
}

impl Ecs<'_> {
    /// One call. Throttled ones are repeated, since ECS did nothing; lost ones only where twice is the same as
    /// once. The caller looks at the state before it repeats any other.
    pub(crate) fn call(&self, call: &Call) -> Result<&'static Json, Failure> {
        let mut attempt = 0;
        loop {
            let answer = match self.cloud.send(call) {
                Ok(response) => retry_class::read(call, &response),
                Err(error) => Err(retry_class::unsent(call, error)),
            };
            let failure = match answer {
                Ok(json) => return Ok(json),
                Err(failure) => failure,
            };
            let may_repeat = match failure.kind {
                Kind::Throttled => true,
                Kind::Lost => call.action.repeat() == Repeat::Freely,
                Kind::Refused | Kind::NotSent => false,
            };
            attempt += 1;
            let pause = REPEATS.backoff(attempt, failure.retry_after, self.cloud.chance());
            if !may_repeat || attempt == REPEATS.times || self.cloud.pause(pause).is_err() {
                return Err(failure);
            }
        }
    }

    /// A call in a region, which most actions ask for.
    pub(crate) fn call_in_region(&self, call: Call) -> Result<&'static Json, Error> {
        let region = self.cloud.region()?;
        Ok(self.call(&call.with("RegionId", &region))?)
    }

    /// Look, do one thing, and look again, until all is as it should be. By this, calls without a token can be
    /// repeated: what got lost shows in the next look, and an answer that comes before its effect does no harm.
    pub(crate) fn reconcile(
        &self,
        poll: &mut dyn FnMut() -> Result<Step, Error>,
    ) -> Result<(), Error> {
        let (mut waiting, mut accepted) = (self.waiting(), Accepted::default());
        loop {
            let otherwise = match poll()? {
                Step::Done => return Ok(()),
                Step::Wait(reason) => Error::InProgress(reason),
                Step::Ask(call) => self.ask(&call, &mut accepted)?,
            };
            waiting.pause(otherwise)?;
        }
    }

    /// Ask, unless that was done a moment ago; the answer is what to end with if time is up now.
    fn ask(&self, call: &Call, accepted: &mut Accepted) -> Result<Error, Error> {
        if accepted.action == Some(call.action) && accepted.polls_left > 0 {
            accepted.polls_left -= 1;
        } else if let Err(failure) = self.call(call) {
            let is_seen_by_polling = failure.passes() || POLL_AGAIN.contains(&failure.code);
            return if is_seen_by_polling {
                Ok(for_now(failure.into()))
            } else {
                Err(failure.into())
            };
        } else {
            *accepted = Accepted {
                action: Some(call.action),
                polls_left: LAG,
            };
        }
        let (action, subject) = (call.action.name(), &call.subject);
        Ok(
            error!(InProgress: "{action} of {subject} was accepted and does not show yet; ask again"),
        )
    }

    pub(crate) fn waiting(&self) -> Waiting<'_> {
        Waiting::new(self.cloud, POLLS)
    }
}

/// A size that ECS refuses because the disk has it already was reached by a call whose answer got lost. Should
/// that not show before time is up, nobody may take the size for impossible.
fn for_now(error: Error) -> Error {
    let Error::OutOfRange(reason) = error else {
        return error;
    };
    Error::InProgress(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCloud, Fault};

    #[test]
    fn pauses_double_with_chance_in_them_and_have_a_bound() {
        let backoff = |attempt, wanted, chance| REPEATS.backoff(attempt, wanted, chance);
        assert_eq!((backoff(1, None, 0), backoff(1, None, 255)), (500, 1000));
        assert_eq!((backoff(3, None, 0), backoff(3, None, 255)), (2000, 4000));
        assert_eq!(backoff(40, None, 255), REPEATS.longest_ms);
        assert!(backoff(1, Some(u64::MAX), 255) < 60_000);
        assert!(backoff(1, Some(1500), 0) >= 1500);
    }

    #[test]
    fn a_throttled_call_is_sent_again() {
        let cloud = FakeCloud::new();
        cloud.fault(Action::DescribeDisks, Fault::Refuse("Throttling.User"));
        cloud.fault(Action::DescribeDisks, Fault::Refuse("Throttling"));
        let ecs = Ecs { cloud: &cloud };
        assert!(ecs.call(&Call::new(Action::DescribeDisks, "disks")).is_ok());
        assert_eq!(cloud.count(Action::DescribeDisks), 3);
    }

    #[test]
    fn throttling_that_does_not_end_is_unavailable() {
        let cloud = FakeCloud::new();
        for _ in 0..REPEATS.times {
            cloud.fault(Action::DescribeDisks, Fault::Refuse("Throttling"));
        }
        let failure = Ecs { cloud: &cloud }
            .call(&Call::new(Action::DescribeDisks, "disks"))
            .expect_err("throttled");
        assert!(matches!(failure.into(), Error::Unavailable(_)));
        assert_eq!(cloud.count(Action::DescribeDisks), REPEATS.times as usize);
    }

    #[test]
    fn a_lost_call_is_sent_again_only_where_twice_is_once() {
        let cloud = FakeCloud::new();
        cloud.fault(Action::DescribeDisks, Fault::Drop);
        cloud.fault(Action::DetachDisk, Fault::Drop);
        let ecs = Ecs { cloud: &cloud };
        assert!(ecs.call(&Call::new(Action::DescribeDisks, "disks")).is_ok());
        let failure = ecs
            .call(&Call::new(Action::DetachDisk, "disk d-1"))
            .expect_err("lost");
        assert_eq!(failure.kind, Kind::Lost);
        assert_eq!(cloud.count(Action::DetachDisk), 1);
    }

    #[test]
    fn waiting_ends_when_the_deadline_is_near() {
        let cloud = FakeCloud::new();
        cloud.deadline_in(10_000);
        let ecs = Ecs { cloud: &cloud };
        let mut waiting = ecs.waiting();
        let end = loop {
            if let Err(end) = waiting.pause(Error::InProgress("not yet".into())) {
                break end;
            }
        };
        assert!(matches!(end, Error::InProgress(_)));
        assert!(waiting.polls() > 3);
    }
}
