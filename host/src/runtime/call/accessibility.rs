//! `accessibility`: from where volumes can be reached.

use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::Topology;

impl Guest {
    /// `accessibility.get-topology`
    pub fn get_topology(&self, setup: CallSetup) -> Result<Topology, DriverError> {
        let said = self.call(setup, "get-topology", |store, instance| {
            let accessibility = exports::accessibility::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            accessibility.call_get_topology(&mut *store)
        })?;
        self.answered("accessibility.get-topology")
            .topology("place", said)
    }
}
