//! What guests, and users of the node, can do and what they cannot, and how what guests say is taken.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod answers;
mod contract_types;
mod grants;
mod guest_texts;
mod host_paths;
mod hostile_guests;
mod https;
mod imports;
mod jobs;
mod local_users;
mod signing;
