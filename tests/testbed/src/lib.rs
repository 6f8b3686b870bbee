//! What tests, the demo and measurements stand on.

mod cloud;
mod command;
mod emulator;

pub use cloud::{Cloud, NODE_NAME};
pub use emulator::Emulator;
