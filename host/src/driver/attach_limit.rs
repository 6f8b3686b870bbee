//! How many volumes a node can have, of backends that let it have only so many: what the operator gave for this node, else
//! for machines of its type, else what the backend says. Never none: the scheduler would give the node volumes that
//! can never be attached to it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::lock::LockScope;
use super::operation::Operation;
use super::session::Session;
use crate::error::{Condition, DriverError};
use crate::runtime::Guest;
use crate::store::Export;

/// How many volumes of a driver this node can have, by the operator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachLimit(pub NonZeroU32);

impl Session {
    /// How many volumes nodes can have by what machine they are, as the backend says.
    ///
    /// # Errors
    /// `unsupported` where the component knows no such limit.
    pub fn attach_limits(&self) -> Result<BTreeMap<String, u32>, DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let doing = "tell how many volumes a node can have";
        let guest = self.guest_with(&operation, Export::AttachLimit, doing)?;
        guest.list_limits(operation.setup())
    }

    /// Of this node; `None` where the component knows no such limit.
    pub(super) fn attach_limit(
        &self,
        guest: &Guest,
        operation: &Operation,
        given: Option<AttachLimit>,
    ) -> Result<Option<u32>, DriverError> {
        let limits = &self.config().attach_limits;
        if !guest.manifest.exports(Export::AttachLimit) {
            if !limits.is_empty() {
                // Once: kubelet asks again each time that it registers the driver.
                self.shared.told_useless_limits.call_once(|| {
                    tracing::warn!(
                        driver.name = self.config().name.0,
                        "[attach-limit] has no effect: the component knows no such limit"
                    );
                });
            }
            return Ok(None);
        }
        if let Some(AttachLimit(given)) = given {
            return Ok(Some(given.get()));
        }
        let instance_type = match limits.is_empty() {
            true => None,
            false => Some(guest.get_instance_type(operation.setup())?),
        };
        if let Some(limit) = instance_type.as_deref().and_then(|name| limits.of(name)) {
            return Ok(Some(limit));
        }
        let asked = guest.get_limit(operation.setup());
        asked.map(Some).map_err(|error| {
            // For its name in the message only.
            let name = || guest.get_instance_type(operation.setup()).ok();
            self.unknown(instance_type.or_else(name).as_deref(), error)
        })
    }

    fn unknown(&self, instance_type: Option<&str>, error: DriverError) -> DriverError {
        let may_pass = [Condition::Unavailable, Condition::InProgress];
        let condition = match may_pass.contains(&error.condition()) {
            true => error.condition(),
            false => Condition::FailedPrecondition,
        };
        let name = instance_type.map_or_else(|| "TYPE".to_owned(), |name| format!("{name:?}"));
        let message = format!(
            "cannot tell how many volumes this node can have; set MAX_VOLUMES_PERNODE (--max-volumes-per-node), or add \
             {name} = NUMBER to [attach-limit.instance-types] of the driver's file (`drivebay attach-limits {}` prints the \
             backend's), or grant a key by which the backend can be asked",
            self.config().name
        );
        DriverError::new(condition, message).caused_by(error)
    }
}
