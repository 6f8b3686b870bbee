//! What the handles of one call stand for. A guest sees none of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::handle::{
    DeviceHandle, DirectoryHandle, EndpointHandle, Handle, SecretHandle, SigningKeyHandle,
    TargetHandle,
};
use super::line::Violation;
use super::signing::Key;
use crate::sys::MountEntry;
use crate::volume::Access;
use crate::worker::{DirectoryOrigin, WantedDevice};

/// At once, in one call; no guest needs more than a few.
const MAX_HANDLES: usize = 256;

/// Of the handle that was given out last in this process. It begins anew after some billions, when calls that had those
/// are long over.
static LAST: AtomicU32 = AtomicU32::new(0);

/// Where a volume has to appear, lent to a guest for one call.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    /// Decided by the caller; a guest cannot widen it.
    pub(crate) access: Access,
    /// What is mounted there already.
    pub(crate) mounted: Option<Arc<MountEntry>>,
    /// Decided by the caller.
    pub(crate) purpose: Purpose,
}

/// Why a guest is lent a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To mount the volume there.
    Mount,
    /// To tell by the same calls whether the volume is what is mounted there: it is compared with what the guest
    /// would mount, and nothing is mounted, made or written.
    Compare,
}

#[derive(Debug)]
enum Held {
    Target(Target),
    Directory(DirectoryOrigin),
    /// Never the name of a node.
    Device(WantedDevice),
    /// By its name in the driver's grants.
    Endpoint(String),
    SigningKey(KeyOrigin),
    /// By its name in the driver's grants and in what the call brought.
    Secret(String),
}

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyOrigin {
    /// The driver's grants, by that name.
    Granted(String),
    /// The call, which brought the secret of that name.
    Brought(String, Arc<Key>),
}

impl Held {
    fn handle(&self, number: u32) -> Handle {
        match self {
            Self::Target(_) => TargetHandle(number).into(),
            Self::Directory(_) => DirectoryHandle(number).into(),
            Self::Device(_) => DeviceHandle(number).into(),
            Self::Endpoint(_) => EndpointHandle(number).into(),
            Self::SigningKey(_) => SigningKeyHandle(number).into(),
            Self::Secret(_) => SecretHandle(number).into(),
        }
    }
}

/// All that one call holds.
#[derive(Debug, Default)]
pub(super) struct HandleTable(BTreeMap<u32, Held>);

macro_rules! kinds {
    ($($kind:ident($held:ty): $handle:ident, $insert:ident, $get:ident;)*) => {
        impl HandleTable {$(
            pub(super) fn $insert(&mut self, held: $held) -> Result<$handle, Violation> {
                match self.0.len() < MAX_HANDLES {
                    true => Ok($handle(self.hold(Held::$kind(held)))),
                    false => Err(Violation::TooManyHandles(MAX_HANDLES)),
                }
            }

            pub(super) fn $get(&self, handle: $handle) -> Result<&$held, Violation> {
                let Some(Held::$kind(held)) = self.0.get(&handle.0) else {
                    return Err(Violation::NoHandle(handle.into()));
                };
                Ok(held)
            }
        )*}
    };
}

kinds! {
    Directory(DirectoryOrigin): DirectoryHandle, insert_directory, directory;
    Device(WantedDevice): DeviceHandle, insert_device, device;
    Endpoint(String): EndpointHandle, insert_endpoint, endpoint;
    SigningKey(KeyOrigin): SigningKeyHandle, insert_signing_key, signing_key;
    Secret(String): SecretHandle, insert_secret, secret;
}

impl HandleTable {
    pub(super) fn lend(&mut self, target: Target) -> TargetHandle {
        TargetHandle(self.hold(Held::Target(target)))
    }

    pub(super) fn target(&mut self, handle: TargetHandle) -> Result<&mut Target, Violation> {
        let Some(Held::Target(target)) = self.0.get_mut(&handle.0) else {
            return Err(Violation::NoHandle(handle.into()));
        };
        Ok(target)
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.0.values().filter_map(|held| match held {
            Held::Target(target) => Some(target),
            Held::Directory(_)
            | Held::Device(_)
            | Held::Endpoint(_)
            | Held::SigningKey(_)
            | Held::Secret(_) => None,
        })
    }

    /// Handles that the call was lent, before its guest asked for any.
    #[cfg(feature = "compiler")]
    pub(super) fn lent(&self) -> Vec<u32> {
        self.0.keys().copied().collect()
    }

    pub(super) fn give_back(&mut self, handle: Handle) -> Result<(), Violation> {
        let number = handle.number();
        let held = self.0.get(&number).map(|held| held.handle(number));
        if held != Some(handle) {
            return Err(Violation::NoHandle(handle));
        }
        self.0.remove(&number);
        Ok(())
    }

    fn hold(&mut self, held: Held) -> u32 {
        let number = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.0.insert(number, held);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_good_for_its_kind_and_its_call() {
        let (mut call, mut another) = (HandleTable::default(), HandleTable::default());
        let endpoint = call.insert_endpoint("ecs".into()).expect("room");
        assert_eq!(call.endpoint(endpoint), Ok(&"ecs".to_owned()));
        let key = SigningKeyHandle(endpoint.0);
        assert_eq!(call.signing_key(key), Err(Violation::NoHandle(key.into())));
        assert!(call.target(TargetHandle(endpoint.0)).is_err());
        assert!(call.endpoint(EndpointHandle(0)).is_err());
        another.insert_endpoint("ecs".into()).expect("room");
        let said = another.endpoint(endpoint).expect_err("another call's");
        assert_eq!(
            said.to_string(),
            format!("it has no endpoint {}", endpoint.0)
        );
    }

    #[test]
    fn what_was_given_back_is_gone_and_another_kind_cannot_be() {
        let mut call = HandleTable::default();
        let endpoint = call.insert_endpoint("ecs".into()).expect("room");
        assert!(call.give_back(DeviceHandle(endpoint.0).into()).is_err());
        assert_eq!(call.give_back(endpoint.into()), Ok(()));
        assert!(call.endpoint(endpoint).is_err());
        assert!(call.give_back(endpoint.into()).is_err());
    }

    #[test]
    fn handles_of_a_call_are_bounded() {
        let mut call = HandleTable::default();
        for _ in 0..MAX_HANDLES {
            call.insert_endpoint("ecs".into()).expect("room");
        }
        let one_more = call.insert_endpoint("ecs".into());
        assert_eq!(one_more, Err(Violation::TooManyHandles(MAX_HANDLES)));
    }
}
