//! Disks and snapshots are made, one for each name.
//!
//! How a second one is kept from coming about, whatever gets lost on the way:
//!
//! - Each carries the caller's name as a tag, and each try begins by looking for that.
//! - Each creation carries a token that depends on nothing but the name and the way it is made, so that ECS itself
//!   answers a repeated one with what the first one made, also while descriptions lag behind.
//! - After an unknown outcome nothing else is tried: the call ends, and the next one begins by looking.
//! - ECS forgets tokens some day; by then descriptions do not lag any more.

use drivebay_guest::prelude::*;

use crate::api_request::Call;
use crate::ecs::Ecs;
use crate::retry_class::Failure;

/// How often something new is looked for before it counts as gone: a quarter of a minute. Descriptions are said to lag
/// by a second or two.
const POLLS_FOR_NEW: u32 = 10;

/// How often something is looked for whose token ECS knows already.
const POLLS_FOR_KNOWN: u32 = 5;

/// Things that were deleted and are still remembered, one after the other. More than this is something else.
const TOKENS: u32 = 5;

/// How far something new has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Missing,
    Pending,
    Ready,
}

/// What is to be made. It keeps by itself what it was shown.
pub(crate) trait Resource {
    /// Look for one that has the name already; an error where it is another than was wanted.
    fn find(&mut self) -> Result<Progress, Error>;

    /// Look at the one that ECS says it made; an error where that is no id.
    fn poll(&mut self, id: &'static str) -> Result<Progress, Error>;
}

/// Find one that has the name, and wait until it can be used; `false` where there is none.
pub(crate) fn find(ecs: Ecs<'_>, name: &str, resource: &mut dyn Resource) -> Result<bool, Error> {
    wait(ecs, name, 0, &mut || resource.find())
}

/// Make it and wait until it can be used. `seed` is what a repeated call has in common with this one.
///
/// A token is used up by something that is gone, and by a try with other parameters. The one that follows is
/// made of the same words and of what used this one up, so that every repetition comes to the same.
pub(crate) fn make(
    ecs: Ecs<'_>,
    call: &Call,
    field: &str,
    seed: &str,
    resource: &mut dyn Resource,
) -> Result<(), Failure> {
    let what = format!("{} of {}", call.action.name(), call.subject);
    let mut words = String::from(seed);
    for _ in 0..TOKENS {
        let token = ecs.cloud.digest(&words);
        match send(ecs, &call.clone().with("ClientToken", &token), field) {
            Ok(id) => {
                if wait(ecs, &what, POLLS_FOR_NEW, &mut || resource.poll(id))
                    .map_err(Failure::not_sent)?
                {
                    return Ok(());
                }
                words += id;
            }
            // Another try with this name: by somebody who succeeded, or one that failed.
            Err(failure) if failure.is("IdempotentParameterMismatch") => {
                if wait(ecs, &what, POLLS_FOR_KNOWN, &mut || resource.find())
                    .map_err(Failure::not_sent)?
                {
                    return Ok(());
                }
                words += &call.fingerprint();
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::not_sent(
        error!(InProgress: "{what} always comes to what is gone since: ECS remembers it, and \
        forgets it with time"),
    ))
}

/// One creation; again while ECS works on the token, or on the disk.
fn send(ecs: Ecs<'_>, call: &Call, field: &str) -> Result<&'static str, Failure> {
    let mut waiting = ecs.waiting();
    loop {
        match ecs.call(call) {
            // Nobody knows what was made; the next call finds it by its name.
            Ok(json) => {
                return json.some_text(field).ok_or_else(|| {
                    let (action, subject) = (call.action.name(), &call.subject);
                    let reason =
                        format!("{action} of {subject} succeeded and named nothing; ask again");
                    Failure::lost(Error::Internal(reason))
                });
            }
            Err(failure) if failure.is_busy() => {
                waiting.pause(failure).map_err(Failure::not_sent)?
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Look until it is ready; `false` where it does not show at all.
fn wait(
    ecs: Ecs<'_>,
    what: &str,
    polls: u32,
    poll: &mut dyn FnMut() -> Result<Progress, Error>,
) -> Result<bool, Error> {
    let mut waiting = ecs.waiting();
    loop {
        match poll()? {
            Progress::Ready => return Ok(true),
            Progress::Missing if waiting.polls() >= polls => return Ok(false),
            Progress::Missing | Progress::Pending => {}
        }
        waiting.pause(error!(InProgress: "{what} is under way; ask again"))?;
    }
}
