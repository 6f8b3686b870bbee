//! Swaps of a component while it serves, from outside: the source is written by kubelet's own code, the watcher is
//! `drivebay serve` or `drivebay install --watch`, and whoever calls meanwhile is answered.
//!
//! | what | promise |
//! |---|---|
//! | `swaps`, `sources`, `compressed`, `without_events` | what a source shows serves, in whichever form, and what is not one thing is refused |
//! | `bad_components`, `signatures`, `state_directory`, `crash` | a bad one changes nothing, and says why; nothing is left half done |
//! | `held`, `rollback`, `fleet`, `driver_files` | who decides, and for how long |
//! | `one_version`, `journal`, `retention`, `skew` | a call is of one version, and a volume of the one that made it |
//! | `under_load` | many swaps, many callers |

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod backend;
mod bad_components;
mod callers;
mod compressed;
mod crash;
mod driver_files;
mod fleet;
mod held;
mod journal;
mod one_version;
mod retention;
mod rollback;
mod serving;
mod signatures;
mod site;
mod skew;
mod sources;
mod state_directory;
mod status;
mod swaps;
mod under_load;
mod whole;
mod without_events;
