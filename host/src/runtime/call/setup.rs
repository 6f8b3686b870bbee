//! What a call needs of the driver that makes it.

use std::fmt;
use std::time::Instant;

use crate::broker::{Broker, CallMemory};
use crate::runtime::guest_time::GuestTime;

/// What a call needs besides its arguments.
pub struct CallSetup {
    /// Whom its guest's questions go to.
    pub(crate) broker: Box<dyn Broker>,
    /// When everything has to be over.
    pub(crate) deadline: Instant,
    /// What it may take of this process's memory.
    pub(crate) memory: CallMemory,
    /// Where its guest's time is counted.
    pub(crate) guest_time: GuestTime,
}

/// A call that no driver makes, over at that moment: what a guest that is tried asks of the host is denied.
#[cfg(feature = "compiler")]
pub(crate) type NobodysCall = fn(Instant) -> CallSetup;

impl fmt::Debug for CallSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallSetup")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
