//! What this process did, in numbers, for Prometheus and for `drivebay status`.
//!
//! | metric | labels | what it counts |
//! |---|---|---|
//! | `drivebay_rpcs_total` | driver, method, code | RPCs that are over; the code as gRPC's Go library spells it |
//! | `drivebay_rpc_duration_seconds` | driver, method | how long they took: a histogram |
//! | `drivebay_rpcs_in_flight` | driver | RPCs that are not over, also where the caller has gone |
//! | `drivebay_guest_seconds_total` | driver | time in the component, without what its host functions waited |
//! | `drivebay_host_seconds_total` | driver | time waiting for the kernel's workers and the network |
//! | `drivebay_workers_killed_total` | driver, reason | workers given up: `deadline`, `stuck` in the kernel, `failure` |
//! | `drivebay_refusals_total` | driver, capability | what the component asked for and was not granted |
//! | `drivebay_driver_ready` | driver | 1 where a component is loaded that may serve, as CSI's Probe has it; else 0 |
//! | `drivebay_component_info` | driver, component, version, sha256 | 1; the component that serves now |
//! | `drivebay_component_offer_info` | driver, component, content, state, driver_file | 1; what the sources offer, how far that has come, and which driver's file counts |
//! | `drivebay_component_loaded_info` | driver, version, sha256 | 1; a component that this process has loaded |
//! | `drivebay_component_pending` | driver, step | 1; a version on its way |
//! | `drivebay_component_refused` | driver, step | what was delivered and did not become a version |
//! | `drivebay_registered` | driver | whether kubelet has registered it: 1 or 0; only where it is to |
//! | `drivebay_component_held`, `drivebay_component_rejected` | driver | versions that wait for the operator; that are not activated by themselves |
//!
//! `driver` is the name of the driver's file. No label takes a value from a request: the number of series
//! depends on drivers and methods, and never on volumes. Counters begin at zero with the process.
//!
//! ```text
//! address           where all of it is told
//! call              one RPC, counted from its first byte to the end of its work
//! method            CSI's methods by name
//! rejected          calls that are answered before a service sees them, for the log
//! counters          of all drivers of this process; driver_calls: those of one driver's calls
//! drivers           what the drivers counted themselves
//! registrations     which drivers kubelet has registered
//! connections       which are being answered, and which has to go
//! listener          GET /metrics, /livez and /readyz
//! samples           what it answered, read back
//! ```

mod address;
mod call;
mod connections;
mod counters;
mod driver_calls;
mod drivers;
mod listener;
mod method;
mod registrations;
mod samples;
mod unserved_calls;

pub use address::{MetricsAddress, MetricsAddressError};
pub(super) use call::{Call, CountedServices};
pub(super) use counters::Metrics;
pub(super) use listener::{Listeners, Occupied, ServePages};
pub use listener::{MetricsListener, Pages};
pub use samples::{Sample, Samples};
