//! What an operator types, and the files that it leaves: configuration, components, compiled code.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod bad_files;
mod bad_install;
mod closed_pipes;
mod compile_limits;
mod compiled_code;
mod component_by_hand;
mod components;
mod conform;
mod conform_live;
mod delivery;
mod dry_run;
mod dry_run_disks;
mod install;
mod later_state;
mod new;
mod node_config;
mod rollback;
mod run;
mod self_test;
mod signed_install;
mod status;
mod tapes;
mod traces;
mod trial;
