//! What the host offers to guests: one file for each interface of the contract.
//!
//! A host function checks the grant and asks the kernel's door in the same breath. It takes plain data
//! and handles, never closures or shared memory, so that guest code can one day run in a process without
//! privileges.

mod block_devices;
#[cfg(test)]
mod canned;
mod exchange;
mod files;
mod guest_memory;
mod https;
mod log;
mod memory;
mod mounts;
mod signing;
mod tally;
mod told;

use std::time::{Duration, Instant};

use wasmtime::component::{HasSelf, Linker, ResourceTable};

use crate::bindings::drivebay::driver as wit;
use crate::error::{Condition, DriverError, GuestText};
use crate::grant::{Capability, Grants, Refusal};
use crate::worker::{Fault, FaultKind, Reply, Request, WorkerClient};

#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use block_devices::Device;
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use files::Directory;
pub(crate) use guest_memory::{CallMemory, NoMemory};
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use https::Endpoint;
pub(crate) use log::LogBudget;
pub use memory::DriverMemory;
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use mounts::{Purpose, Target};
pub(crate) use signing::CallKeys;
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use signing::SigningKey;

/// Everything one call of a guest may touch; dropped with the call.
pub(crate) struct CallContext {
    pub(crate) table: ResourceTable,
    pub(crate) grants: Grants,
    pub(crate) worker: Box<dyn WorkerClient>,
    pub(crate) deadline: Instant,
    pub(crate) log: LogBudget,
    /// What outlives the call.
    pub(crate) memory: DriverMemory,
    /// What it may take of this process's memory.
    pub(crate) taken: CallMemory,
    /// Keys that were used already: one call signs with one key, whatever is refreshed meanwhile.
    pub(crate) keys: CallKeys,
    /// The request that got no answer before the deadline: the reason why there is no time left.
    pub(crate) unanswered: Option<Fault>,
    /// Whether a request was refused because this process or this node had too much to do.
    pub(crate) was_full: bool,
    /// How long host functions waited for workers and the network.
    pub(crate) waited: Duration,
}

impl CallContext {
    /// For an answer that is large, before it is asked for.
    fn take_buffer(&mut self, bytes: usize) -> Result<(), DriverError> {
        let taken = self.taken.take_buffer(bytes, self.deadline);
        taken.map_err(|error| {
            DriverError::unavailable("cannot take in an answer now").caused_by(error)
        })
    }

    fn ask(&mut self, request: Request) -> Result<Reply, DriverError> {
        self.ask_until(request, self.deadline)
    }

    /// The same with less patience.
    fn ask_until(&mut self, request: Request, until: Instant) -> Result<Reply, DriverError> {
        let begun = Instant::now();
        let answer = self.worker.call(request, until.min(self.deadline));
        self.waited += begun.elapsed();
        self.was_full |= matches!(&answer, Err(fault) if fault.kind == FaultKind::Full);
        if let Err(fault) = &answer
            && until >= self.deadline
            && self.used_up_the_time(fault.kind)
        {
            self.unanswered = Some(fault.clone());
        }
        Ok(answer?)
    }

    /// Whether that is why there is none left: it waited until now for an answer, for another job or for a slot.
    fn used_up_the_time(&self, kind: FaultKind) -> bool {
        let is_up = self.deadline <= Instant::now() + LAST_MOMENT;
        matches!(kind, FaultKind::TimedOut | FaultKind::Stuck)
            || is_up
                && matches!(
                    kind,
                    FaultKind::Busy | FaultKind::Exhausted | FaultKind::Full
                )
    }

    /// What the guest fails with. It cannot say who ran out of something: where this process had, that is what it passes on.
    pub(crate) fn failed_with(&self, error: wit::types::Error) -> DriverError {
        let error = from_wit(error);
        match self.was_full && error.condition() == Condition::Exhausted {
            true => error.of_process(),
            false => error,
        }
    }
}

/// Whoever waits for something that may become free looks for it at most so long before the deadline for the last time.
const LAST_MOMENT: Duration = Duration::from_millis(100);

/// How the linker gets from a store's state to the call's context.
type Get<T> = fn(&mut T) -> &mut CallContext;

/// Makes one capability callable. The contract's shared words need no grant.
///
/// # Errors
/// From the linker, where a name is defined twice.
pub(crate) fn link<T: 'static>(
    linker: &mut Linker<T>,
    capability: Capability,
    get: Get<T>,
) -> wasmtime::Result<()> {
    type Own = HasSelf<CallContext>;
    match capability {
        Capability::Mounts => wit::mounts::add_to_linker::<_, Own>(linker, get)?,
        Capability::Files => wit::files::add_to_linker::<_, Own>(linker, get)?,
        Capability::Log => wit::log::add_to_linker::<_, Own>(linker, get)?,
        Capability::BlockDevices => wit::block_devices::add_to_linker::<_, Own>(linker, get)?,
        Capability::Https => wit::https::add_to_linker::<_, Own>(linker, get)?,
        Capability::Signing => wit::signing::add_to_linker::<_, Own>(linker, get)?,
    }
    Ok(())
}

/// Makes the words of `types` known.
///
/// # Errors
/// From the linker.
pub(crate) fn link_types<T: 'static>(linker: &mut Linker<T>, get: Get<T>) -> wasmtime::Result<()> {
    wit::types::add_to_linker::<_, HasSelf<CallContext>>(linker, get)
}

impl wit::types::Host for CallContext {}

/// A refusal is logged and counted here, once, and becomes `denied`.
impl From<Refusal> for DriverError {
    fn from(refusal: Refusal) -> Self {
        tally::note_refusal(&refusal);
        Self::denied(refusal.to_string())
    }
}

/// Of one name, word or path that a guest says, in bytes: as long as the kernel takes a path (`PATH_MAX`), or all of a
/// mount's options.
const MAX_NAME: usize = 4096;

/// Asked before it is looked up or quoted anywhere: a message is several times as long as what it quotes.
fn nameable(name: &str) -> Result<(), DriverError> {
    match name.len() > MAX_NAME {
        true => Err(DriverError::invalid_argument(format!(
            "a name or a value of {} bytes is refused: {MAX_NAME} are the most",
            name.len()
        ))),
        false => Ok(()),
    }
}

/// For the guest: the condition, and a message in words that it may read.
fn into_wit(condition: Condition, message: String) -> wit::types::Error {
    use wit::types::Error as Wit;
    match condition {
        Condition::InvalidArgument => Wit::InvalidArgument(message),
        Condition::OutOfRange => Wit::OutOfRange(message),
        Condition::NotFound => Wit::NotFound(message),
        Condition::AlreadyExists => Wit::AlreadyExists(message),
        Condition::InProgress => Wit::InProgress(message),
        Condition::Unavailable => Wit::Unavailable(message),
        Condition::Exhausted => Wit::Exhausted(message),
        Condition::FailedPrecondition => Wit::FailedPrecondition(message),
        Condition::Denied => Wit::Denied(message),
        Condition::Unsupported => Wit::Unsupported(message),
        Condition::Internal => Wit::Internal(message),
    }
}

/// From the guest, whose sentence is text from a stranger.
fn from_wit(error: wit::types::Error) -> DriverError {
    use wit::types::Error as Wit;
    let (condition, message) = match error {
        Wit::InvalidArgument(message) => (Condition::InvalidArgument, message),
        Wit::OutOfRange(message) => (Condition::OutOfRange, message),
        Wit::NotFound(message) => (Condition::NotFound, message),
        Wit::AlreadyExists(message) => (Condition::AlreadyExists, message),
        Wit::InProgress(message) => (Condition::InProgress, message),
        Wit::Unavailable(message) => (Condition::Unavailable, message),
        Wit::Exhausted(message) => (Condition::Exhausted, message),
        Wit::FailedPrecondition(message) => (Condition::FailedPrecondition, message),
        Wit::Denied(message) => (Condition::Denied, message),
        Wit::Unsupported(message) => (Condition::Unsupported, message),
        Wit::Internal(message) => (Condition::Internal, message),
    };
    DriverError::new(condition, GuestText::sentence(&message))
}

#[cfg(test)]
mod tests {
    use super::wit::types::Error as Told;
    use super::*;
    use crate::error::Whose;
    use crate::grant::{BlockDevicesGrant, MountsGrant};

    #[test]
    fn every_condition_survives_the_way_to_a_guest_and_back() {
        for condition in Condition::ALL {
            let back = from_wit(into_wit(condition, "why".to_owned()));
            assert_eq!(
                (back.condition(), back.to_string().as_str()),
                (condition, "why")
            );
        }
    }

    struct Full;

    impl WorkerClient for Full {
        fn call(&mut self, _request: Request, _deadline: Instant) -> Result<Reply, Fault> {
            Err(Fault::new(FaultKind::Full, "too much to do"))
        }
    }

    #[test]
    fn what_a_guest_passes_on_of_this_process_is_not_the_backends_limit() {
        let mut context = canned::Canned::default().context(Grants::default(), "".as_ref());
        context.worker = Box::new(Full);
        let exhausted = || wit::types::Error::Exhausted("full".to_owned());
        assert_eq!(context.failed_with(exhausted()).whose(), Whose::Backend);
        let host = "filer".to_owned();
        let error = context.ask(Request::Resolve { host }).expect_err("full");
        assert_eq!(error.whose(), Whose::Process);
        let passed_on = context.failed_with(exhausted());
        assert_eq!(
            (passed_on.condition(), passed_on.whose()),
            (Condition::Exhausted, Whose::Process)
        );
        let other = wit::types::Error::NotFound("gone".to_owned());
        assert_eq!(context.failed_with(other).whose(), Whose::Backend);
    }

    /// A context with grants of nothing, and the message of a refusal in it.
    fn told<T>(ask: impl FnOnce(&mut CallContext) -> wasmtime::Result<Result<T, Told>>) -> String {
        let grants = Grants {
            mounts: Some(MountsGrant::default()),
            block_devices: Some(BlockDevicesGrant {
                filesystems: vec!["ext4".into()],
                ..BlockDevicesGrant::default()
            }),
            ..Grants::default()
        };
        let mut context = canned::Canned::default().context(grants, "".as_ref());
        match ask(&mut context).expect("no trap") {
            Err(Told::InvalidArgument(said)) => said,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it was taken"),
        }
    }

    #[test]
    fn a_name_is_bounded_before_it_is_looked_up_or_quoted() {
        let long = || "\u{1}".repeat(MAX_NAME + 1);
        let source = |fs_type: String| wit::mounts::RemoteSource {
            fs_type,
            server: "filer".into(),
            path: "/a".into(),
        };
        let disk = || wit::block_devices::Identity {
            serial: long(),
            size_bytes: None,
        };
        for said in [
            told(|it| wit::https::Host::open_endpoint(it, long())),
            told(|it| wit::signing::Host::open_key(it, long())),
            told(|it| wit::mounts::Host::open_directory(it, long())),
            told(|it| wit::mounts::Host::open_remote(it, source(long()), Vec::new())),
            told(|it| wit::block_devices::Host::find_device(it, disk())),
        ] {
            let expected = "a name or a value of 4097 bytes is refused: 4096 are the most";
            assert_eq!(said, expected);
        }
        assert!(nameable(&"x".repeat(MAX_NAME)).is_ok());
    }

    #[test]
    fn a_guests_message_is_one_bounded_line() {
        let error = from_wit(wit::types::Error::Internal(format!(
            "a\nb\u{1b}[31m{}",
            "x".repeat(5000)
        )));
        assert!(error.to_string().starts_with(r"a\nb\u{1b}[31mx"), "{error}");
        assert_eq!(error.to_string().len(), 1024);
    }
}
