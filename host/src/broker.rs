//! What a guest may ask of the host, answered: handles, grants, deadlines, budgets, counts of refusals, keys.
//!
//! The line between guest code and privilege runs above this room: a question is plain data, of which nothing is
//! trusted, and so is its answer. The engine is not known here, nor is the contract in any other form than [`Ask`]'s;
//! what grants say and what workers do is not known above. A check and the act that it allows are in one function.
//!
//! ```text
//! ask, answer, handle    what crosses the line, one case for each function of the contract's imports
//! line, encoding         who answers, how a call went; the same as bytes
//! worker_broker          the broker of a call, and how it asks the worker
//! mounts, files, …       what it answers, one file for each interface
//! redact                 what a guest is told of an error
//! model                  what answers in a dry run
//! tape, replay           what was asked and answered once, and what answers from it again
//! ```

mod answer;
mod ask;
mod ask_size;
mod block_devices;
mod driver_state;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "both sides are one process so far")
)]
mod encoding;
mod error;
#[cfg(feature = "compiler")]
mod exchange;
#[cfg(test)]
mod fake_worker;
mod files;
mod filesystem;
mod guest_memory;
mod handle;
mod handle_table;
mod http_exchange;
mod https;
mod known_value;
mod line;
#[cfg(feature = "compiler")]
mod listening_broker;
mod log;
mod log_budget;
#[cfg(feature = "compiler")]
mod model;
mod mounts;
mod name_length;
#[cfg(feature = "compiler")]
mod no_driver;
mod private;
#[cfg(feature = "compiler")]
mod readable;
#[cfg(test)]
mod record;
mod redact;
mod refusal_counts;
#[cfg(feature = "compiler")]
mod replay;
mod secret_keys;
mod secret_mounts;
mod secret_requests;
mod secrets;
mod signing;
#[cfg(feature = "compiler")]
mod tape;
mod worker_broker;

use ask_size::MAX_ASK_BYTES;
use error::BrokerError;
use secrets::masked;

#[cfg(test)]
pub(crate) use answer::Response;
pub(crate) use answer::{Answer, DeviceContent, Told};
pub(crate) use ask::{
    Ask, BasicAuthentication, BlockDevicesAsk, FilesAsk, HttpsAsk, Identity, Level, LogAsk,
    MountsAsk, RemoteSource, Request, SecretHeader, SecretKeysAsk, SecretMountsAsk, SecretOption,
    SecretRequestsAsk, SecretsAsk, SigningAsk, User,
};
pub(crate) use driver_state::DriverState;
#[cfg(feature = "compiler")]
pub(crate) use exchange::Exchange;
pub(crate) use filesystem::refused_filesystem;
pub(crate) use guest_memory::{CallMemory, NoMemory};
pub(crate) use handle::{
    DeviceHandle, DirectoryHandle, EndpointHandle, Handle, SecretHandle, SigningKeyHandle,
    TargetHandle,
};
pub(crate) use handle_table::{Purpose, Target};
#[cfg(feature = "compiler")]
pub(crate) use known_value::value_of;
pub(crate) use line::{Broker, CallReport, Violation};
#[cfg(feature = "compiler")]
pub(crate) use listening_broker::{Heard, ListeningBroker};
#[cfg(feature = "compiler")]
pub use model::{Backend, Servers};
#[cfg(feature = "compiler")]
pub(crate) use model::{
    DryBroker, Granted, Grown, Model, ModelSettings, ModelWorker, NeedsAttaching,
};
pub(crate) use private::Private;
#[cfg(feature = "compiler")]
pub(crate) use replay::Replay;
#[cfg(feature = "compiler")]
pub use signing::MADE_UP_TOKEN;
#[cfg(feature = "compiler")]
pub(crate) use tape::{call_line, head_line};
pub(crate) use worker_broker::{CallBounds, WorkerBroker};

impl Broker for WorkerBroker {
    fn ask(&mut self, ask: Ask) -> Result<Answer, Violation> {
        let answer = self.answer(ask);
        answer.or_else(|error| {
            let error = self.settle(error)?;
            Ok(Answer::Failed(self.tell(&error)))
        })
    }

    fn without_secrets(&self, said: String) -> String {
        masked(&said, &self.secrets).into_owned()
    }

    fn end(&mut self) -> CallReport {
        self.is_over = true;
        std::mem::take(&mut self.report)
    }
}

impl WorkerBroker {
    fn answer(&mut self, ask: Ask) -> Result<Answer, BrokerError> {
        let (bytes, most) = (ask.bytes(), MAX_ASK_BYTES);
        if self.is_over {
            return Err(Violation::Ended.into());
        }
        if bytes > most {
            return Err(Violation::TooLarge { bytes, most }.into());
        }
        match ask {
            Ask::Mounts(ask) => self.mounts(ask),
            Ask::Files(ask) => self.files(ask),
            Ask::BlockDevices(ask) => self.block_devices(ask),
            Ask::Https(ask) => self.https(ask),
            Ask::Signing(ask) => self.signing(ask),
            Ask::Secrets(ask) => self.secrets(ask),
            Ask::SecretMounts(ask) => self.secret_mounts(ask),
            Ask::SecretRequests(ask) => self.secret_requests(ask),
            Ask::SecretKeys(ask) => self.secret_keys(ask),
            Ask::Log(ask) => Ok(self.log(ask)),
            Ask::Drop(handle) => {
                self.held.give_back(handle)?;
                Ok(Answer::Done)
            }
        }
    }
}

#[cfg(test)]
mod tests;
