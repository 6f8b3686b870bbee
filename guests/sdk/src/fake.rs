//! A host in memory, for the unit tests of guests, which run natively. Feature `fake`; a guest has this crate with it among
//! its `dev-dependencies`.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod host;
mod request;
mod tree;

pub use host::FakeHost;
pub use request::{pairs, request, volume};
pub use tree::{Cut, FakeTree, PARTIAL};
