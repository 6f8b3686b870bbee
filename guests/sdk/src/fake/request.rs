//! What callers ask for, in few words.

use crate::bindings::types::{CapacityRange, CreateRequest, Parameters, Volume};

/// Parameters, or the keys of a place.
pub fn pairs(pairs: &[(&str, &str)]) -> Parameters {
    let owned = |(key, value): &(&str, &str)| ((*key).into(), (*value).into());
    pairs.iter().map(owned).collect()
}

/// A volume that exists, by its id and its context.
pub fn volume(id: &str, context: &[(&str, &str)]) -> Volume {
    Volume {
        id: id.into(),
        context: pairs(context),
        publish_context: Vec::new(),
    }
}

/// A new volume of at least so many bytes, anywhere, from nothing.
pub fn request(name: &str, bytes: u64, parameters: &[(&str, &str)]) -> CreateRequest {
    CreateRequest {
        name: name.into(),
        capacity: CapacityRange {
            required_bytes: Some(bytes),
            limit_bytes: None,
        },
        parameters: pairs(parameters),
        capabilities: Vec::new(),
        source_snapshot_id: None,
        accessibility_requirements: Vec::new(),
    }
}
