//! What a caller brings for one call and nobody keeps: it is taken out of a message before anything else is done with
//! it, whatever the call is.
//!
//! Which messages have any is read from `proto/csi.proto` when this is compiled, so that no call can forget them.

use std::collections::BTreeMap;

use crate::error::DriverError;
use crate::volume::{Secret, Secrets};

/// A request of CSI, with secrets or without.
pub(super) trait BringsSecrets {
    /// Those it has; it has none afterwards.
    fn take_secrets(&mut self) -> BTreeMap<String, String>;
}

/// Takes them out.
pub(super) fn taken(message: &mut impl BringsSecrets) -> Result<Secrets, DriverError> {
    let secret = |(name, value): (String, String)| (name, Secret::new(value.into_bytes()));
    let pairs = message.take_secrets().into_iter().map(secret).collect();
    Secrets::bounded(pairs).map_err(|error| DriverError::invalid_argument(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::proto;
    use super::*;

    #[test]
    fn secrets_are_taken_out_of_the_message() {
        let pair = ("password".to_owned(), "hunter2".to_owned());
        let mut message = proto::NodeStageVolumeRequest {
            secrets: BTreeMap::from([pair]),
            ..Default::default()
        };
        let secrets = taken(&mut message).expect("one");
        let value = secrets.get("password").map(Secret::reveal);
        assert_eq!(value, Some(&b"hunter2"[..]));
        assert!(message.secrets.is_empty());
        let mut none = proto::NodeUnstageVolumeRequest::default();
        assert!(taken(&mut none).expect("none").is_empty());
    }

    #[test]
    fn more_than_a_call_may_bring_is_refused_without_a_value() {
        let pair = |at: u32| (format!("{at}"), "hunter2".to_owned());
        let mut message = proto::CreateVolumeRequest {
            secrets: (0..65).map(pair).collect(),
            ..Default::default()
        };
        let error = taken(&mut message).expect_err("too many").to_string();
        assert_eq!(error, "the call brings 65 secrets; 64 are the most");
    }
}
