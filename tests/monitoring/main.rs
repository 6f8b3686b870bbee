//! deploy/monitoring: alert rules that are raised when they should be, and a dashboard, both of figures that
//! `drivebay serve` really has.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod alerts;
mod dashboard;
mod names;
mod promql;
mod promtool;
mod served;
