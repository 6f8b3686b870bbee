//! TLS and HTTP, in the process that has no other authority.

mod client;
mod failure;

pub(super) use client::Client;
