//! The worker that speaks to the network and holds no privilege.

mod privileges;
mod resolve;
mod serve;

pub(super) use serve::serve;
