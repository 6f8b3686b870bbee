//! The worker that only measures: it may be kept for the next question.

use std::io;
use std::path::Path;

use super::answer::answer_all;
use crate::worker::command_line::IDLE;
use crate::worker::statfs::measured;
use crate::worker::{Fault, FaultKind, Reply, Request};

/// The whole life of such a worker; the caller exits afterwards.
pub(super) fn serve() -> io::Result<()> {
    answer_all(Some(IDLE), |request, _| {
        let Request::Measure { path } = request else {
            let message = "a worker that measures was asked for something else";
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        carry_out(&path)
    })
}

pub(super) fn carry_out(path: &Path) -> Result<Reply, Fault> {
    measured(path).map(Reply::Measured)
}
