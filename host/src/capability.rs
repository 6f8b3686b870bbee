//! What the host offers to guests: one file for each interface of the contract.
//!
//! A host function checks the grant and asks the kernel's door in the same breath. It takes plain data
//! and handles, never closures or shared memory, so that guest code can one day run in a process without
//! privileges.

mod block_devices;
mod call_context;
mod convert;
mod driver_state;
#[cfg(test)]
mod fake_worker;
mod files;
mod guest_memory;
mod guest_stats;
mod handle;
mod http_exchange;
mod https;
mod known_value;
mod log;
mod log_budget;
mod mounts;
mod name;
mod redact;
mod signing;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::drivebay::driver as wit;
use crate::error::DriverError;
use crate::grant::{Capability, Refusal};

pub(crate) use call_context::CallContext;
pub use driver_state::DriverState;
pub(crate) use guest_memory::NoMemory;
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use handle::{Device, Directory, Endpoint, Purpose, SigningKey, Target};
#[cfg(feature = "compiler")]
pub(crate) use known_value::value_of;
pub(crate) use log_budget::LogBudget;
pub(crate) use signing::CallKeys;

/// How the linker gets from a store's state to the call's context.
type Get<T> = fn(&mut T) -> &mut CallContext;

/// Makes one capability callable. The contract's shared words need no grant.
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
pub(crate) fn link_types<T: 'static>(linker: &mut Linker<T>, get: Get<T>) -> wasmtime::Result<()> {
    wit::types::add_to_linker::<_, HasSelf<CallContext>>(linker, get)
}

impl wit::types::Host for CallContext {}

/// A refusal is logged and counted here, once, and becomes `denied`.
impl From<Refusal> for DriverError {
    fn from(refusal: Refusal) -> Self {
        guest_stats::note_refusal(&refusal);
        Self::denied(refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::convert::{from_wit, into_wit};
    use super::name::{MAX_NAME, nameable};
    use super::wit::types::Error as Told;
    use super::*;
    use crate::error::{Condition, ErrorOrigin};
    use crate::grant::{BlockDevicesGrant, Grants, MountsGrant};
    use crate::worker::{Fault, FaultKind, Reply, Request, WorkerClient};

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
        let mut context =
            fake_worker::FakeWorker::default().context(Grants::default(), "".as_ref());
        context.worker = Box::new(Full);
        let exhausted = || wit::types::Error::Exhausted("full".to_owned());
        assert_eq!(
            context.failed_with(exhausted()).origin(),
            ErrorOrigin::Backend
        );
        let host = "filer".to_owned();
        let error = context.ask(Request::Resolve { host }).expect_err("full");
        assert_eq!(error.origin(), ErrorOrigin::Process);
        let passed_on = context.failed_with(exhausted());
        assert_eq!(
            (passed_on.condition(), passed_on.origin()),
            (Condition::Exhausted, ErrorOrigin::Process)
        );
        let other = wit::types::Error::NotFound("gone".to_owned());
        assert_eq!(context.failed_with(other).origin(), ErrorOrigin::Backend);
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
        let mut context = fake_worker::FakeWorker::default().context(grants, "".as_ref());
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
