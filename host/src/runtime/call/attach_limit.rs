//! `attach-limit`: how many volumes a node can have.

use std::collections::BTreeMap;

use super::validate::Answered;
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;

/// In bytes: CSI's bound on strings.
const LONGEST_TYPE: usize = 128;

/// Several times as many as the largest cloud has.
const MAX_TYPES: usize = 10_000;

impl Guest {
    /// `attach-limit.get-instance-type`
    pub fn get_instance_type(&self, setup: CallSetup) -> Result<String, DriverError> {
        let said = self.call(setup, "get-instance-type", |store, instance| {
            let limit = exports::attach_limit::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            limit.call_get_instance_type(&mut *store)
        })?;
        instance_type(self.answered("attach-limit.get-instance-type"), said)
    }

    /// `attach-limit.get-limit`
    pub fn get_limit(&self, setup: CallSetup) -> Result<u32, DriverError> {
        let said = self.call(setup, "get-limit", |store, instance| {
            let limit = exports::attach_limit::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            limit.call_get_limit(&mut *store)
        })?;
        at_least_one(self.answered("attach-limit.get-limit"), said)
    }

    /// `attach-limit.list-limits`, by the types' names.
    pub fn list_limits(&self, setup: CallSetup) -> Result<BTreeMap<String, u32>, DriverError> {
        let said = self.call(setup, "list-limits", |store, instance| {
            let limit = exports::attach_limit::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            limit.call_list_limits(&mut *store)
        })?;
        let answered = self.answered("attach-limit.list-limits");
        answered.count("limits", said.len(), MAX_TYPES)?;
        said.into_iter()
            .map(|one| {
                let name = instance_type(answered, one.instance_type)?;
                Ok((name, at_least_one(answered, one.max_volumes)?))
            })
            .collect()
    }
}

fn instance_type(answered: Answered<'_>, said: String) -> Result<String, DriverError> {
    answered.count("instance-type, in bytes", said.len(), LONGEST_TYPE)?;
    answered.word("instance-type", said)
}

/// To CSI 0 says that there is no limit.
fn at_least_one(answered: Answered<'_>, said: u32) -> Result<u32, DriverError> {
    match said {
        0 => Err(answered.wrong("limit", "it is 0, which would say that there is none")),
        limit => Ok(limit),
    }
}
