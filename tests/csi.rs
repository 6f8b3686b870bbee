//! `drivebay serve` as CSI's callers see it.
