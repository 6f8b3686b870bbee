//! What a call needs of the driver that makes it.

use std::fmt;
use std::time::Instant;

use crate::capability::DriverState;
use crate::worker::WorkerClient;

/// What a call needs besides its arguments.
pub struct CallSetup {
    /// The way to the kernel, holding the volume's lock.
    pub worker: Box<dyn WorkerClient>,
    /// When everything has to be over.
    pub deadline: Instant,
    /// What the driver's calls have in common.
    pub driver: DriverState,
}

impl fmt::Debug for CallSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallSetup")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
