//! A model of a node and of what is behind it: what answers the guest of a component that is tried without either.
//!
//! The broker of a dry run is the one of every call: handles, grants, sizes, order and words are its, so that a guest
//! cannot tell. Only the worker that it asks is another one: nothing is mounted, nobody is spoken to, and the directories
//! that are worked on lie beneath one of the run's own, where real workers do the work.
//!
//! Servers may be real besides. Real workers speak to them then, as the grants say, and time that guests let pass passes;
//! mounts, disks and granted directories stay the model's.
//!
//! ```text
//! dry_broker              the broker of a call: what is granted, time that passes without anybody waiting
//! granting                what is granted where nobody has granted anything yet
//! worker                  what workers are asked, answered by what there is
//! state, staging, kept    what there is; what of it stays for the next operation
//! mounts, shares, devices what is mounted where; what servers have; disks
//! http_tape               what servers answer
//! ```

mod devices;
mod dry_broker;
mod granting;
mod http_tape;
mod kept;
mod mounts;
mod shares;
mod staging;
mod state;
mod worker;

pub(crate) use devices::{Grown, NeedsAttaching};
pub(crate) use dry_broker::DryBroker;
pub use state::{Backend, Servers};
pub(crate) use state::{Granted, Model, ModelSettings};
pub(crate) use worker::ModelWorker;
