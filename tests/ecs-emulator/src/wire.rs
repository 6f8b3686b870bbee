//! Requests and answers as they are on the wire, before anyone asks what they mean.

pub(crate) mod answer;
pub(crate) mod call;
pub mod encoding;
pub(crate) mod parameters;
