//! Volumes of an imaginary appliance that has an account for each: one use of a secret after the other.
//!
//! | call | credentials | from the Secret |
//! |---|---|---|
//! | create, delete, look at | basic authentication | `username`, `password` of whoever administers it |
//! | attach, detach | basic authentication, by a name that everybody may know | `password` |
//! | expand | a header | `token` |
//! | stage | a signature | `key` of the volume's own account |
//!
//! FlexVolume sends no secrets along to detach, and the appliance is asked nothing then: an attachment ends by itself. What
//! it exports is a directory in a pool that the node has anyway, so that the example needs no more than HTTP.

mod api;
mod controller;
mod node;

use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::parameters::described;

drivebay_guest::parameters! {
    const OF_VOLUMES: "volume" = {
        // The public half of its key.
        ACCOUNT: Written = "account", required = true => "The volume's account on the appliance.";
    }
}

/// The guest.
#[derive(Debug)]
pub struct Appliance;

drivebay_guest::log_panics!();
drivebay_guest::export!(Appliance: identity, controller, attachment, expansion, node);

impl identity::Guest for Appliance {
    fn describe() -> Description {
        let summary = "volumes of an imaginary appliance with an account for each";
        drivebay_guest::description!(summary, described(&[OF_VOLUMES]))
    }
}
