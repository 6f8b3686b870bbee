//! Why a question is not answered as it was asked.

use super::line::Violation;
use crate::error::DriverError;
use crate::grant::Refusal;

/// Within the broker. A refusal stays one until the answer is made, where it is counted and logged once.
#[derive(Debug)]
pub(super) enum BrokerError {
    Refused(Refusal),
    Failed(DriverError),
    Violated(Violation),
}

impl From<Refusal> for BrokerError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DriverError> for BrokerError {
    fn from(error: DriverError) -> Self {
        Self::Failed(error)
    }
}

impl From<Violation> for BrokerError {
    fn from(violation: Violation) -> Self {
        Self::Violated(violation)
    }
}
