//! Conditions as gRPC codes: the only such table, and what the callers read out of a code besides.
//!
//! Five RPCs change a backend for callers that draw conclusions from a code. Made or being made is what
//! external-provisioner (`checkError`) and external-snapshotter (`isCSIFinalError`) ask of a creation: after
//! CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE and ABORTED it may be, so that they ask again until they know, also
//! when the claim is gone. Every other code is final: nothing was made, nothing is on its way, and who no longer
//! wants it never calls DeleteVolume. RESOURCE_EXHAUSTED has the provisioner try another node where one was chosen, and
//! is final then.
//! external-resizer reads the same out of an expansion or a modification, and one thing more: which of the final
//! codes means that it can never succeed (`IsInfeasibleError`), so that the claim's owner may choose anew. Of an
//! expansion those are INVALID_ARGUMENT, OUT_OF_RANGE and NOT_FOUND, of a modification INVALID_ARGUMENT alone; and
//! an expansion that ends with FAILED_PRECONDITION is tried again once no pod uses the volume.
//!
//! So a final code leaves these RPCs only where the backend, or a check before it was asked, has refused. That this process
//! has no room for a call says nothing of what an earlier one did.

use tonic::{Code, Status};

use crate::error::{Condition, DriverError, ErrorOrigin};

/// What callers read out of a code, besides what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RpcKind {
    /// Nothing.
    Plain,
    /// Whether something was made, or still may be.
    Creation,
    /// Whether a volume may be growing, or can never grow so.
    Expansion,
    /// Whether a volume may be changing, or can never become so.
    Modification,
}

impl RpcKind {
    /// By the RPC's name.
    pub(super) fn of(rpc: &str) -> Self {
        match rpc {
            "CreateVolume" | "CreateSnapshot" | "CreateVolumeGroupSnapshot" => Self::Creation,
            "ControllerExpandVolume" => Self::Expansion,
            "ControllerModifyVolume" => Self::Modification,
            _ => Self::Plain,
        }
    }
}

/// With a sentence for people and, as CSI wants it, no details.
pub(super) fn status(error: &DriverError, kind: RpcKind) -> Status {
    let code = match (error.origin(), kind) {
        (ErrorOrigin::Backend | ErrorOrigin::Guest, _) | (ErrorOrigin::Process, RpcKind::Plain) => {
            code(error.condition(), kind)
        }
        (ErrorOrigin::Process, _) => Code::Unavailable,
    };
    Status::new(code, error.chain())
}

fn code(condition: Condition, kind: RpcKind) -> Code {
    match kind {
        RpcKind::Plain => plain(condition),
        // Never so, which one code alone says.
        RpcKind::Modification if condition == Condition::OutOfRange => Code::InvalidArgument,
        RpcKind::Creation | RpcKind::Expansion | RpcKind::Modification => of_change(condition),
    }
}

fn plain(condition: Condition) -> Code {
    match condition {
        Condition::InvalidArgument => Code::InvalidArgument,
        Condition::OutOfRange => Code::OutOfRange,
        Condition::NotFound => Code::NotFound,
        Condition::AlreadyExists => Code::AlreadyExists,
        // "Operation pending for volume": the caller comes again with the same arguments.
        Condition::InProgress => Code::Aborted,
        Condition::Unavailable => Code::Unavailable,
        Condition::Exhausted => Code::ResourceExhausted,
        Condition::FailedPrecondition => Code::FailedPrecondition,
        Condition::Denied => Code::PermissionDenied,
        Condition::Unsupported => Code::Unimplemented,
        Condition::Internal => Code::Internal,
    }
}

/// Of whatever may leave something behind at a backend.
fn of_change(condition: Condition) -> Code {
    match condition {
        // Refused as it stands, or for want of room: nothing was done.
        Condition::InvalidArgument
        | Condition::OutOfRange
        | Condition::NotFound
        | Condition::AlreadyExists
        | Condition::FailedPrecondition
        | Condition::Exhausted
        // May be at it.
        | Condition::InProgress
        | Condition::Unavailable => plain(condition),
        // The RPC is there, but never for this: "cannot create a volume from the requested source" and the like.
        Condition::Unsupported => Code::InvalidArgument,
        // A guest that broke down had perhaps done it, or a part of it, before; and who may not ask cannot tell what
        // an earlier try did.
        Condition::Denied | Condition::Internal => Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_has_a_code_of_its_own_and_none_is_success() {
        let codes: Vec<Code> = Condition::ALL.into_iter().map(plain).collect();
        for (index, code) in codes.iter().enumerate() {
            assert_ne!(*code, Code::Ok);
            assert_eq!(codes.iter().position(|other| other == code), Some(index));
        }
    }

    /// Each condition's code in those three, in that order.
    fn codes(condition: Condition) -> [Code; 3] {
        [RpcKind::Creation, RpcKind::Expansion, RpcKind::Modification]
            .map(|kind| code(condition, kind))
    }

    #[test]
    fn what_may_leave_a_creation_an_expansion_and_a_modification() {
        for (condition, expected) in [
            (Condition::InvalidArgument, [Code::InvalidArgument; 3]),
            (
                Condition::OutOfRange,
                [Code::OutOfRange, Code::OutOfRange, Code::InvalidArgument],
            ),
            (Condition::NotFound, [Code::NotFound; 3]),
            (Condition::AlreadyExists, [Code::AlreadyExists; 3]),
            (Condition::InProgress, [Code::Aborted; 3]),
            (Condition::Unavailable, [Code::Unavailable; 3]),
            (Condition::Exhausted, [Code::ResourceExhausted; 3]),
            (Condition::FailedPrecondition, [Code::FailedPrecondition; 3]),
            (Condition::Denied, [Code::Unavailable; 3]),
            (Condition::Unsupported, [Code::InvalidArgument; 3]),
            (Condition::Internal, [Code::Unavailable; 3]),
        ] {
            assert_eq!(codes(condition), expected, "{condition:?}");
        }
    }

    #[test]
    fn what_may_have_been_done_is_never_called_final() {
        let at_it = [
            Condition::InProgress,
            Condition::Unavailable,
            Condition::Denied,
            Condition::Internal,
        ];
        for condition in Condition::ALL {
            let asks_again =
                codes(condition).map(|code| matches!(code, Code::Unavailable | Code::Aborted));
            assert_eq!(asks_again, [at_it.contains(&condition); 3], "{condition:?}");
        }
    }

    #[test]
    fn what_can_never_succeed_is_infeasible_for_the_resizer_and_nothing_else_is() {
        let never = [
            Condition::InvalidArgument,
            Condition::OutOfRange,
            Condition::Unsupported,
        ];
        for condition in Condition::ALL {
            let [_, expansion, modification] = codes(condition);
            let is_infeasible = matches!(
                expansion,
                Code::InvalidArgument | Code::OutOfRange | Code::NotFound
            );
            let is_never = never.contains(&condition);
            let is_gone = condition == Condition::NotFound;
            assert_eq!(is_infeasible, is_never || is_gone, "{condition:?}");
            assert_eq!(
                modification == Code::InvalidArgument,
                is_never,
                "{condition:?}"
            );
        }
    }

    #[test]
    fn every_rpc_that_makes_or_changes_something_at_a_backend_is_read_closely() {
        for (rpc, kind) in [
            ("CreateVolume", RpcKind::Creation),
            ("CreateSnapshot", RpcKind::Creation),
            ("CreateVolumeGroupSnapshot", RpcKind::Creation),
            ("ControllerExpandVolume", RpcKind::Expansion),
            ("ControllerModifyVolume", RpcKind::Modification),
            ("DeleteVolume", RpcKind::Plain),
            ("ControllerPublishVolume", RpcKind::Plain),
            ("NodeExpandVolume", RpcKind::Plain),
        ] {
            assert_eq!(RpcKind::of(rpc), kind, "{rpc}");
        }
    }

    #[test]
    fn a_status_has_the_whole_chain_as_its_message_and_no_details() {
        let error = DriverError::unavailable("cannot mount")
            .caused_by(std::io::Error::other("no route to host"));
        let status = status(&error, RpcKind::Plain);
        assert_eq!(status.message(), "cannot mount: no route to host");
        assert!(status.details().is_empty());
    }

    #[test]
    fn a_full_process_is_final_for_nothing_that_may_have_been_made() {
        let code = |rpc| status(&DriverError::overloaded("full"), RpcKind::of(rpc)).code();
        assert_eq!(code("NodePublishVolume"), Code::ResourceExhausted);
        for rpc in [
            "CreateVolume",
            "ControllerExpandVolume",
            "ControllerModifyVolume",
        ] {
            assert_eq!(code(rpc), Code::Unavailable, "{rpc}");
        }
    }
}
