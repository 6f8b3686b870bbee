//! What ECS's error codes amount to. Pure.
//!
//! The code decides and never the HTTP status: one and the same code comes with 400 or with 403, depending on the
//! action. Codes are those of the official pages of each action; what is not listed goes by its family.

use drivebay_guest::prelude::*;

use crate::api_request::Action;

/// Codes whose effect nobody knows: the gateway, or ECS itself, gave up in the middle.
const GAVE_UP: [&str; 4] = [
    "InternalError",
    "ServiceUnavailable",
    // Seen also where a proxy sends a request twice.
    "SignatureNonceUsed",
    "UnknownError",
];

/// Whole codes, by what they amount to; spaces are between them.
const CODES: [(Condition, &str); 10] = [
    (Condition::AlreadyExists, "IdempotentParameterMismatch"),
    (
        Condition::InProgress,
        "DiskCreatingSnapshot DisksDetachingOnEcsExceeded IdempotentProcessing \
         InvalidOperation.Conflict InvalidOperation.DiskDetachingFromThisEcs \
         InvalidSnapshotId.NotReady InvalidStatus.DiskNotReady LastOrderProcessing \
         LastTokenProcessing Operation.Conflict",
    ),
    (
        Condition::Internal,
        "InvalidAction.NotFound InvalidClientToken.Malformed InvalidParam.Type \
         MissingParamter.RegionId",
    ),
    (
        Condition::Unsupported,
        "DiskCategory.OperationNotSupported InvalidOperation.CreateFromSnapshotUnsupported \
         OperationDenied.SnapshotNotAllowed",
    ),
    (
        Condition::InvalidArgument,
        "BurstingEnabledForDiskCategoryUnsupported Duplicate.TagKey \
         InvalidEncrypted.NotMatchKmsKeyId InvalidKMSKeyId.NotFound InvalidResourceGroup.NotFound \
         InvalidZoneId.NotFound NumberExceed.Tags",
    ),
    (
        Condition::OutOfRange,
        "InvalidDataDiskSize.ValueNotSupported InvalidProvisionedIops.LimitExceed \
         InvalidSize.ValueNotSupported OperationDenied.PerformanceLevelNotMatch",
    ),
    (
        Condition::FailedPrecondition,
        "Account.Arrearage DependencyViolation DiskError DiskNotPortable DiskStillAttached \
         DiskTypeViolation IncorrectInstanceStatus InstanceExpiredOrInArrears \
         InstanceLockedForSecurity InvalidAccountStatus.SnapshotServiceUnavailable \
         InvalidDiskSize.NotSupportResizeOnline ModifyingDiskCategoryLimitExceed \
         ResourcesNotInSameZone",
    ),
    (
        Condition::Exhausted,
        "DiskAttachedNumberExceeded InstanceDiskLimitExceeded InvalidDiskCategory.NotSupported \
         InvalidDiskCategory.ValueNotSupported InvalidZoneId.DiskCategoryUnsupported \
         OperationDenied.NoStock Zone.NotOnSale",
    ),
    (
        Condition::Unavailable,
        "InvalidSecurityToken.Expired InvalidTimeStamp.Expired",
    ),
    (
        Condition::Denied,
        "MissingSecurityToken SignatureDoesNotMatch UserNotInTheWhiteList",
    ),
];

/// What says that disks cannot be cut together. Each of them alone might do.
const APART: [&str; 8] = [
    "CapacityExceed.TooManyDisks",
    "DiskCategory.OperationNotSupported",
    "DiskId.ValueNotSupported",
    "IncorrectDiskType.NotSupport",
    "InvalidDisk.DiskCategoryInconsistent",
    "InvalidDiskIds.NotInSameZone",
    "InvalidOperation.MultiAttachDisk",
    "NumberExceed.TooManyDisks",
];

/// Families, the more special first.
const PREFIXES: &[(&str, Condition)] = &[
    ("Throttling", Condition::Unavailable),
    ("Forbidden", Condition::Denied),
    ("NoPermission", Condition::Denied),
    ("InvalidAccessKeyId.", Condition::Denied),
    ("InvalidSecurityToken.", Condition::Denied),
    ("QuotaExceed", Condition::Exhausted),
    ("InvalidDataDiskCategory.", Condition::Exhausted),
    ("IncorrectDiskStatus.Never", Condition::FailedPrecondition),
    ("IncorrectDiskStatus", Condition::InProgress),
    ("DiskIn", Condition::FailedPrecondition),
    ("SnapshotCreated", Condition::FailedPrecondition),
    ("InvalidDiskSize", Condition::OutOfRange),
    ("InvalidRegion", Condition::InvalidArgument),
    ("OperationConflict", Condition::InProgress),
    ("InvalidDisk.", Condition::FailedPrecondition),
    ("InvalidDiskStatus.", Condition::FailedPrecondition),
    ("InvalidInstance.", Condition::FailedPrecondition),
    ("InvalidInstanceStatus.", Condition::FailedPrecondition),
    ("InvalidInstanceType.", Condition::FailedPrecondition),
    ("InvalidOperation.", Condition::FailedPrecondition),
    ("DeleteWithInstance.", Condition::FailedPrecondition),
    ("OperationDenied", Condition::FailedPrecondition),
    ("InvalidVersion", Condition::Internal),
    ("InvalidDiskIds.", Condition::Internal),
    ("MissingParam", Condition::InvalidArgument),
    ("InvalidParam", Condition::InvalidArgument),
    ("InvalidPerformanceLevel.", Condition::InvalidArgument),
];

/// What a refusal amounts to. A code that nobody knows is `internal`, by which callers try again later.
pub(crate) fn condition(action: Action, code: &str) -> Condition {
    if gave_up(code) {
        return Condition::Unavailable;
    }
    if let Some(special) = of_action(action, code) {
        return special;
    }
    let mut exact = CODES.iter();
    if let Some((condition, _)) = exact.find(|(_, codes)| codes.split(' ').any(|one| one == code)) {
        return *condition;
    }
    match PREFIXES.iter().find(|(prefix, _)| code.starts_with(prefix)) {
        Some((_, condition)) => *condition,
        None if code.ends_with(".NotFound") => Condition::NotFound,
        None if code.ends_with(".Malformed") => Condition::InvalidArgument,
        None => Condition::Internal,
    }
}

/// Where the same code means another thing.
fn of_action(action: Action, code: &str) -> Option<Condition> {
    match (action, code) {
        // ECS says so, in general words, where a zone is sold out.
        (Action::CreateDisk, "OperationDenied") => Some(Condition::Exhausted),
        // There the size is given and the level chosen; here the level can be had once the disk has grown.
        (Action::ModifyDiskSpec, "OperationDenied.PerformanceLevelNotMatch") => {
            Some(Condition::FailedPrecondition)
        }
        (Action::ModifyDiskSpec | Action::ModifyDiskAttribute, code)
            if code.starts_with("InvalidDiskCategory.")
                || code.starts_with("InvalidProvisionedIops.")
                // Such a disk stays what it is, whatever is done first.
                || code == "InvalidOperation.MultiAttachDisk" =>
        {
            Some(Condition::InvalidArgument)
        }
        (Action::ResizeDisk, "InvalidDiskCategory.NotSupported") => Some(Condition::Unsupported),
        (Action::CreateSnapshotGroup, code) if APART.contains(&code) => {
            Some(Condition::FailedPrecondition)
        }
        (Action::CreateSnapshotGroup, "CreateSnapshot.Failed") => Some(Condition::Unavailable),
        (Action::CreateSnapshotGroup, "InvalidRegion.NotSupport") => Some(Condition::Unsupported),
        _ => None,
    }
}

/// Whether the call may have taken effect all the same.
pub(crate) fn gave_up(code: &str) -> bool {
    GAVE_UP.contains(&code)
}

/// Whether ECS did nothing because it was asked too often.
pub(crate) fn throttled(code: &str) -> bool {
    code.starts_with("Throttling")
}

/// What the operator can do.
pub(crate) fn hint(action: Action, code: &str) -> Option<String> {
    if code.starts_with("Forbidden.RAM") || code.starts_with("NoPermission") {
        return Some(format!(
            "allow ecs:{} in the RAM policy of the access key",
            action.name()
        ));
    }
    if action == Action::CreateSnapshotGroup && APART.contains(&code) {
        return Some(TOGETHER.into());
    }
    let known = HINTS.iter().find(|(start, _)| code.starts_with(start));
    known.map(|(_, hint)| String::from(*hint))
}

/// By how codes begin, the more special first.
const HINTS: &[(&str, &str)] = &[
    (
        "InvalidAccessKeyId.",
        "check the key that [grants.signing.access-key] names",
    ),
    (
        "SignatureDoesNotMatch",
        "check the key that [grants.signing.access-key] names",
    ),
    (
        "InvalidSecurityToken.",
        "the host renews temporary keys; if this stays, check [grants.signing.access-key]",
    ),
    (
        "InvalidTimeStamp.Expired",
        "check this machine's clock: 15 minutes are tolerated",
    ),
    (
        "InstanceDiskLimitExceeded",
        "the instance's type limits its disks",
    ),
    (
        "DiskNotPortable",
        "subscription disks cannot be moved: convert it to pay-as-you-go",
    ),
    ("IncorrectInstanceStatus", "start the instance"),
    ("InvalidInstanceStatus.NotRunning", "start the instance"),
    (
        "InvalidDiskSize.NotSupportResizeOnline",
        "stop the pod that uses it, then expand",
    ),
    ("InvalidInstance.ZoneConflict", SAME_ZONE),
    ("ResourcesNotInSameZone", SAME_ZONE),
    (
        "InvalidAccountStatus.SnapshotServiceUnavailable",
        "enable the snapshot service in the ECS console",
    ),
    (
        "IncorrectDiskStatus.Never",
        "a disk that never was attached has no content to keep",
    ),
    (
        "QuotaExceed.Snapshot",
        "delete snapshots of the disk, or raise the quota in Quota Center",
    ),
    ("QuotaExceed", "raise the quota in Quota Center"),
    ("Account.Arrearage", ARREARS),
    ("DiskInArrears", ARREARS),
    ("InstanceExpiredOrInArrears", ARREARS),
];

const SAME_ZONE: &str =
    "disk and node have to be in one zone: use volumeBindingMode WaitForFirstConsumer";
const TOGETHER: &str =
    "ECS cuts ESSDs of one zone together, up to a number and a size, and none that is shared";
const ARREARS: &str = "settle the account's bill";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_the_conditions_callers_act_on() {
        use Action::*;
        for (action, code, expected) in [
            (AttachDisk, "InvalidDiskId.NotFound", Condition::NotFound),
            (
                AttachDisk,
                "InvalidInstanceId.NotFound",
                Condition::NotFound,
            ),
            (
                AttachDisk,
                "InstanceDiskLimitExceeded",
                Condition::Exhausted,
            ),
            (
                AttachDisk,
                "InvalidDisk.InUse",
                Condition::FailedPrecondition,
            ),
            (AttachDisk, "IncorrectDiskStatus", Condition::InProgress),
            (
                AttachDisk,
                "OperationConflict.DisksAttachingParallellyExceed",
                Condition::InProgress,
            ),
            (
                AttachDisk,
                "InvalidInstanceType.NotSupportDiskCategory",
                Condition::FailedPrecondition,
            ),
            (
                CreateDisk,
                "InvalidDataDiskCategory.NotSupported",
                Condition::Exhausted,
            ),
            (CreateDisk, "QuotaExceed.PostPaidDisk", Condition::Exhausted),
            (
                CreateDisk,
                "InvalidZoneId.NotFound",
                Condition::InvalidArgument,
            ),
            (
                CreateDisk,
                "InvalidSnapshotId.NotFound",
                Condition::NotFound,
            ),
            (
                CreateDisk,
                "InvalidParameter.DiskCategoryAndMultiAttachNotMatch",
                Condition::InvalidArgument,
            ),
            (CreateDisk, "OperationDenied", Condition::Exhausted),
            (
                CreateDisk,
                "IdempotentParameterMismatch",
                Condition::AlreadyExists,
            ),
            (CreateDisk, "Throttling.User", Condition::Unavailable),
            (CreateDisk, "InternalError", Condition::Unavailable),
            (CreateDisk, "Forbidden.RAM", Condition::Denied),
            (CreateDisk, "InvalidAccessKeyId.NotFound", Condition::Denied),
            (
                TagResources,
                "NumberExceed.Tags",
                Condition::InvalidArgument,
            ),
            (
                DeleteDisk,
                "IncorrectDiskStatus.Initializing",
                Condition::InProgress,
            ),
            (
                DeleteDisk,
                "InvalidDiskStatus.DeleteProtection",
                Condition::FailedPrecondition,
            ),
            (
                DetachDisk,
                "DisksDetachingOnEcsExceeded",
                Condition::InProgress,
            ),
            (
                ResizeDisk,
                "InvalidDiskSize.TooLarge",
                Condition::OutOfRange,
            ),
            (
                ResizeDisk,
                "InvalidInstanceStatus.NotRunning",
                Condition::FailedPrecondition,
            ),
            (
                ResizeDisk,
                "InvalidDiskCategory.NotSupported",
                Condition::Unsupported,
            ),
            (
                ModifyDiskSpec,
                "InvalidDiskCategory.ValueNotSupported",
                Condition::InvalidArgument,
            ),
            (
                ModifyDiskSpec,
                "DiskInCoolingPeriod",
                Condition::FailedPrecondition,
            ),
            (
                ModifyDiskSpec,
                "InvalidOperation.MultiAttachDisk",
                Condition::InvalidArgument,
            ),
            (CreateSnapshot, "QuotaExceed.Snapshot", Condition::Exhausted),
            (
                CreateSnapshot,
                "IncorrectDiskStatus.NeverUsed",
                Condition::FailedPrecondition,
            ),
            (
                CreateSnapshot,
                "InvalidSnapshotName.Malformed",
                Condition::InvalidArgument,
            ),
            (
                CreateSnapshotGroup,
                "DiskCategory.OperationNotSupported",
                Condition::FailedPrecondition,
            ),
            (
                CreateSnapshotGroup,
                "InvalidDiskIds.NotInSameZone",
                Condition::FailedPrecondition,
            ),
            (
                CreateSnapshotGroup,
                "InvalidOperation.MultiAttachDisk",
                Condition::FailedPrecondition,
            ),
            (
                CreateSnapshotGroup,
                "InvalidDiskId.NotFound",
                Condition::NotFound,
            ),
            (
                DeleteSnapshotGroup,
                "InvalidSnapshotGroup.NotFound",
                Condition::NotFound,
            ),
            (
                DeleteSnapshot,
                "SnapshotCreatedDisk",
                Condition::FailedPrecondition,
            ),
            (DescribeDisks, "SomethingNew", Condition::Internal),
        ] {
            assert_eq!(condition(action, code), expected, "{code}");
        }
    }

    #[test]
    fn no_code_is_listed_twice() {
        let listed = CODES.iter().flat_map(|(_, codes)| codes.split(' '));
        let codes: Vec<&str> = listed.collect();
        for (position, code) in codes.iter().enumerate() {
            assert!(
                codes[..position].iter().all(|earlier| earlier != code),
                "{code}"
            );
        }
    }

    #[test]
    fn a_special_family_comes_before_a_general_one() {
        for (position, (prefix, _)) in PREFIXES.iter().enumerate() {
            let hidden = |(earlier, _): &&(&str, Condition)| prefix.starts_with(earlier);
            assert_eq!(PREFIXES[..position].iter().find(hidden), None, "{prefix}");
        }
    }

    #[test]
    fn a_missing_permission_is_named() {
        let hint = hint(Action::ResizeDisk, "Forbidden.RAM").expect("a hint");
        assert!(hint.contains("ecs:ResizeDisk"), "{hint}");
    }

    #[test]
    fn what_disks_have_to_have_in_common_is_said_of_groups_alone() {
        let code = "InvalidOperation.MultiAttachDisk";
        let said = hint(Action::CreateSnapshotGroup, code).expect("a hint");
        assert!(said.contains("ESSDs of one zone"), "{said}");
        assert_eq!(hint(Action::ModifyDiskSpec, code), None);
    }
}
