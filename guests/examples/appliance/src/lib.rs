//! Volumes of an imaginary appliance that has an account for each: one use of a secret after the other.
//!
//! | call | credentials | from the Secret |
//! |---|---|---|
//! | create, delete, look at | basic authentication | `username`, `password` of whoever administers it |
//! | attach | basic authentication, by a name that everybody may know | `password` |
//! | expand | a header | `token` |
//! | stage | a signature | `key` of the volume's own account |
//!
//! Detaching asks the appliance nothing: FlexVolume sends no secrets along, and here an attachment ends by itself. What
//! the appliance exports is a directory in a pool that the node has anyway, so that the example needs no more than HTTP.

mod api;
mod bindings;
mod controller;
mod node;

pub use bindings::Appliance;
use bindings::exports::drivebay::driver::identity::{self, Description, Parameter};

/// The volume's account: the public half of its key.
const ACCOUNT: &str = "account";

impl identity::Guest for Appliance {
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "volumes of an imaginary appliance with an account for each".into(),
            parameters: vec![Parameter {
                name: ACCOUNT.into(),
                scope: "volume".into(),
                required: true,
                default: None,
                description: "The volume's account on the appliance.".into(),
            }],
        }
    }
}
