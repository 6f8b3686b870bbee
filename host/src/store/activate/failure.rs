//! Why an offer did not become a version, and whether trying again can help.

use std::error::Error;

use crate::error::chain;
use crate::store::compile::CompileError;
use crate::store::version_progress::Step;

/// At which step, and why.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) reason: String,
    pub(super) retry: Retry,
}

/// When the same is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// It would fail again.
    Never,
    /// With the next look: a full disk may be cleared.
    Later,
    /// What was read is no longer there.
    AtOnce,
}

impl Failure {
    /// Of what is offered itself.
    pub(super) fn of(step: Step, reason: String) -> Self {
        Self {
            step,
            reason,
            retry: Retry::Never,
        }
    }

    /// Of this node, at this moment.
    pub(super) fn passing(step: Step, error: &dyn Error) -> Self {
        Self {
            step,
            reason: chain(error),
            retry: Retry::Later,
        }
    }

    /// Of a component that is checked, compiled or tried.
    pub(super) fn of_compile(step: Step, error: &CompileError) -> Self {
        let retry = match error {
            CompileError::NotAComponent { .. }
            | CompileError::Unfit { .. }
            | CompileError::Broken { .. }
            | CompileError::Limit { .. } => Retry::Never,
            CompileError::Undone { .. } | CompileError::Unwritable { .. } => Retry::Later,
        };
        Self {
            step,
            reason: chain(error),
            retry,
        }
    }
}
