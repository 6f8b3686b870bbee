//! Things are made by an API, one for each name.
//!
//! How a second one is kept from coming about, whatever gets lost on the way:
//!
//! - Each carries the caller's name, as a tag say, and each try begins by looking for that.
//! - Each creation carries a token that depends on nothing but the name and the way it is made, so that the API itself
//!   answers a repeated one with what the first one made, also while descriptions lag behind.
//! - After an unknown outcome nothing else is tried: the call ends, and the next one begins by looking.
//! - An API forgets tokens some day; by then descriptions do not lag any more.

use crate::api::Api;
use crate::backoff::{Rhythm, Waiting};
use crate::bindings::types::Error;
use crate::call::Call;
use crate::failure::Failure;

/// An API whose creations carry a token.
pub trait Tokens: Api {
    /// The parameter that has it.
    const TOKEN: &'static str;

    /// The code by which a token is refused that came with other parameters before.
    const MISMATCH: &'static str;

    /// How something new is looked at. The first of these pauses comes before the first look: nothing can be used in the
    /// moment in which it was asked for, and each look is a request.
    const NEW: Rhythm = Self::POLLS;

    /// How often something new is looked for before it counts as gone.
    const POLLS_FOR_NEW: u32;

    /// How often something is looked for whose token the API knows already.
    const POLLS_FOR_KNOWN: u32;
}

/// Things that were deleted and are still remembered, one after the other. More than this is something else.
const TOKENS: u32 = 5;

/// How far something new has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It does not show.
    Missing,
    /// It is on its way.
    Pending,
    /// It can be used.
    Ready,
}

/// What is to be made. It keeps by itself what it was shown: so all of this is in a guest once, and not for each kind of
/// thing that it makes.
pub trait Resource {
    /// Look for one that has the name already; an error where it is another than was wanted.
    fn find(&mut self) -> Result<Progress, Error>;

    /// Look at the one that the API says it made; an error where that is no id.
    fn poll(&mut self, id: &'static str) -> Result<Progress, Error>;
}

/// Find one that has the name, and wait until it can be used; `false` where there is none.
pub fn find<A: Api>(api: &A, name: &str, resource: &mut dyn Resource) -> Result<bool, Error> {
    look(api.waiting(), name, 0, &mut || resource.find())
}

/// Make it and wait until it can be used. `field` of the answer has its id; `seed` is what a repeated call has in common
/// with this one.
///
/// A token is used up by something that is gone, and by a try with other parameters. The one that follows is made of the
/// same words and of what used this one up, so that every repetition comes to the same.
pub fn make<A: Tokens>(
    api: &A,
    call: &Call<A::Action>,
    field: &str,
    seed: &str,
    resource: &mut dyn Resource,
) -> Result<(), Failure> {
    // Not by `to_string`, which has a panic of its own.
    let what = format!("{call}");
    let mut words = String::from(seed);
    for _ in 0..TOKENS {
        let token = api.host().digest(&words);
        let is_there = match send(api, &call.clone().with(A::TOKEN, &token), field) {
            Ok(id) => {
                words += id;
                let mut waiting = Waiting::new(api.host(), A::NEW);
                let may_look = waiting.pause(under_way(&what));
                may_look.and_then(|()| {
                    look(waiting, &what, A::POLLS_FOR_NEW, &mut || resource.poll(id))
                })
            }
            // Another try with this name: by somebody who succeeded, or one that failed.
            Err(failure) if failure.is(A::MISMATCH) => {
                words += &call.fingerprint();
                look(api.waiting(), &what, A::POLLS_FOR_KNOWN, &mut || {
                    resource.find()
                })
            }
            Err(failure) => return Err(failure),
        };
        if is_there.map_err(Failure::not_sent)? {
            return Ok(());
        }
    }
    Err(Failure::not_sent(
        error!(InProgress: "{what} always comes to what is gone since: {} remembers it, and forgets it with time",
            A::NAME),
    ))
}

/// One creation; again while the API works on the token, or on the thing.
fn send<A: Tokens>(api: &A, call: &Call<A::Action>, field: &str) -> Result<&'static str, Failure> {
    let mut waiting = api.waiting();
    loop {
        match api.call(call) {
            // Nobody knows what was made; the next call finds it by its name.
            Ok(json) => {
                return json.some_text(field).ok_or_else(|| {
                    Failure::lost(error!(Internal: "{call} succeeded and named nothing; ask again"))
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
fn look(
    mut waiting: Waiting<'_>,
    what: &str,
    polls: u32,
    look: &mut dyn FnMut() -> Result<Progress, Error>,
) -> Result<bool, Error> {
    loop {
        match look()? {
            Progress::Ready => return Ok(true),
            Progress::Missing if waiting.polls() >= polls => return Ok(false),
            Progress::Missing | Progress::Pending => {}
        }
        waiting.pause(under_way(what))?;
    }
}

fn under_way(what: &str) -> Error {
    error!(InProgress: "{what} is under way; ask again")
}

#[cfg(test)]
mod tests;
