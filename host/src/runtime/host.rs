//! What a guest imports: each function becomes a question to the call's broker, and its answer what the function returns.
//! Nothing is decided here.
//!
//! One file for each interface of the contract. A handle is the broker's number, and the contract's resources are empty
//! types that say what kind it is of.

mod block_devices;
mod files;
mod https;
mod log;
mod mounts;
mod secret_keys;
mod secret_mounts;
mod secret_requests;
mod secrets;
mod signing;
#[cfg(test)]
mod tests;
mod types;

use wasmtime::component::{HasSelf, Linker};

use super::state::State;
use crate::bindings::drivebay::driver as wit;
use crate::broker::{Answer, Ask, Handle};
use crate::store::Import;

pub(super) use types::condition_of;
use types::from_wit;

/// What a function of the contract that can fail returns.
type Answered<T> = wasmtime::Result<Result<T, wit::types::Error>>;

/// Makes one interface callable. The contract's shared words need no grant.
pub(super) fn link(linker: &mut Linker<State>, import: Import) -> wasmtime::Result<()> {
    type Own = HasSelf<State>;
    match import {
        Import::Mounts => wit::mounts::add_to_linker::<_, Own>(linker, |state| state)?,
        Import::Files => wit::files::add_to_linker::<_, Own>(linker, |state| state)?,
        Import::BlockDevices => wit::block_devices::add_to_linker::<_, Own>(linker, |state| state)?,
        Import::Https => wit::https::add_to_linker::<_, Own>(linker, |state| state)?,
        Import::Signing => wit::signing::add_to_linker::<_, Own>(linker, |state| state)?,
        Import::Secrets => wit::secrets::add_to_linker::<_, Own>(linker, |state| state)?,
        Import::SecretMounts => wit::secret_mounts::add_to_linker::<_, Own>(linker, |state| state)?,
        Import::SecretRequests => {
            wit::secret_requests::add_to_linker::<_, Own>(linker, |state| state)?;
        }
        Import::SecretKeys => wit::secret_keys::add_to_linker::<_, Own>(linker, |state| state)?,
        Import::Log => wit::log::add_to_linker::<_, Own>(linker, |state| state)?,
    }
    Ok(())
}

/// Makes the words of `types` known.
pub(super) fn link_types(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wit::types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl State {
    /// Asks, and reads the one kind of answer that there is to the question.
    fn ask<T>(
        &mut self,
        ask: impl Into<Ask>,
        read: impl FnOnce(Answer) -> Option<T>,
    ) -> Answered<T> {
        let answer = self.broker.ask(ask.into())?;
        if let Answer::Failed(told) = answer {
            return Ok(Err(types::into_wit(told)));
        }
        match read(answer) {
            Some(answer) => Ok(Ok(answer)),
            None => wasmtime::bail!("the host gave an answer of another kind"),
        }
    }

    /// Asks for something to be so.
    fn ask_to(&mut self, ask: impl Into<Ask>) -> Answered<()> {
        self.ask(ask, |answer| (answer == Answer::Done).then_some(()))
    }

    /// Asks what the contract has no error for: where there is none, the call ends.
    fn ask_surely<T>(
        &mut self,
        ask: impl Into<Ask>,
        read: impl FnOnce(Answer) -> Option<T>,
    ) -> wasmtime::Result<T> {
        match self.ask(ask, read)? {
            Ok(answer) => Ok(answer),
            Err(error) => wasmtime::bail!("{}", from_wit(error)),
        }
    }

    fn give_back(&mut self, handle: impl Into<Handle>) -> wasmtime::Result<()> {
        self.broker.ask(Ask::Drop(handle.into()))?;
        Ok(())
    }
}

/// Reads one kind of answer.
macro_rules! read {
    ($kind:ident) => {
        |answer| {
            let $crate::broker::Answer::$kind(answer) = answer else {
                return None;
            };
            Some(answer)
        }
    };
}
use read;
