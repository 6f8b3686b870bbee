//! What ECS's error codes amount to. Pure.
//!
//! The code decides and never the HTTP status: one and the same code comes with 400 or with 403, depending on the
//! action. Codes are those of the official pages of each action; what is not listed goes by its family.

use drivebay_guest::codes::{best, is_among};
use drivebay_guest::prelude::*;

use crate::api_request::Action;

/// ECS did nothing because it was asked too often.
pub(crate) const THROTTLED: &str = "Throttling*";

/// Codes whose effect nobody knows: the gateway, or ECS itself, gave up in the middle. `SignatureNonceUsed` is seen also
/// where a proxy sends a request twice.
pub(crate) const GAVE_UP: &str = "InternalError ServiceUnavailable SignatureNonceUsed UnknownError";

/// Codes and families, by what they amount to.
const CODES: [(Condition, &str); 12] = [
    (Condition::AlreadyExists, "IdempotentParameterMismatch"),
    (
        Condition::InProgress,
        "DiskCreatingSnapshot DisksDetachingOnEcsExceeded IdempotentProcessing IncorrectDiskStatus* \
         InvalidOperation.Conflict InvalidOperation.DiskDetachingFromThisEcs \
         InvalidSnapshotId.NotReady InvalidStatus.DiskNotReady LastOrderProcessing \
         LastTokenProcessing Operation.Conflict OperationConflict*",
    ),
    (
        Condition::Internal,
        "InvalidAction.NotFound InvalidClientToken.Malformed InvalidDiskIds.* InvalidParam.Type \
         InvalidVersion* MissingParamter.RegionId",
    ),
    (
        Condition::Unsupported,
        "DiskCategory.OperationNotSupported InvalidOperation.CreateFromSnapshotUnsupported \
         OperationDenied.SnapshotNotAllowed",
    ),
    (
        Condition::InvalidArgument,
        "*.Malformed BurstingEnabledForDiskCategoryUnsupported Duplicate.TagKey \
         InvalidEncrypted.NotMatchKmsKeyId InvalidKMSKeyId.NotFound InvalidParam* \
         InvalidPerformanceLevel.* InvalidRegion* InvalidResourceGroup.NotFound \
         InvalidZoneId.NotFound MissingParam* NumberExceed.Tags",
    ),
    (
        Condition::OutOfRange,
        "InvalidDataDiskSize.ValueNotSupported InvalidDiskSize* InvalidProvisionedIops.LimitExceed \
         InvalidSize.ValueNotSupported OperationDenied.PerformanceLevelNotMatch",
    ),
    (
        Condition::FailedPrecondition,
        "Account.Arrearage DeleteWithInstance.* DependencyViolation DiskError DiskIn* \
         DiskNotPortable DiskStillAttached DiskTypeViolation IncorrectDiskStatus.Never* \
         IncorrectInstanceStatus InstanceExpiredOrInArrears InstanceLockedForSecurity \
         InvalidAccountStatus.SnapshotServiceUnavailable InvalidDisk.* \
         InvalidDiskSize.NotSupportResizeOnline InvalidDiskStatus.* InvalidInstance.* \
         InvalidInstanceStatus.* InvalidInstanceType.* InvalidOperation.* \
         ModifyingDiskCategoryLimitExceed OperationDenied* ResourcesNotInSameZone SnapshotCreated*",
    ),
    (
        Condition::Exhausted,
        "DiskAttachedNumberExceeded InstanceDiskLimitExceeded InvalidDataDiskCategory.* \
         InvalidDiskCategory.NotSupported InvalidDiskCategory.ValueNotSupported \
         InvalidZoneId.DiskCategoryUnsupported OperationDenied.NoStock QuotaExceed* Zone.NotOnSale",
    ),
    (
        Condition::Unavailable,
        "InvalidSecurityToken.Expired InvalidTimeStamp.Expired Throttling*",
    ),
    (Condition::Unavailable, GAVE_UP),
    (
        Condition::Denied,
        "Forbidden* InvalidAccessKeyId.* InvalidSecurityToken.* MissingSecurityToken NoPermission* \
         SignatureDoesNotMatch UserNotInTheWhiteList",
    ),
    (Condition::NotFound, "*.NotFound"),
];

/// What says that disks cannot be cut together. Each of them alone might do.
const APART: &str = "CapacityExceed.TooManyDisks DiskCategory.OperationNotSupported DiskId.ValueNotSupported \
    IncorrectDiskType.NotSupport InvalidDisk.DiskCategoryInconsistent InvalidDiskIds.NotInSameZone \
    InvalidOperation.MultiAttachDisk NumberExceed.TooManyDisks";

/// A disk that stays what it is, whatever is done first.
const FINAL: &str =
    "InvalidDiskCategory.* InvalidOperation.MultiAttachDisk InvalidProvisionedIops.*";

/// Where the same code means another thing.
const CODES_OF_ACTIONS: [(Action, &[(Condition, &str)]); 5] = [
    (
        Action::CreateDisk,
        // ECS says so, in general words, where a zone is sold out.
        &[(Condition::Exhausted, "OperationDenied")],
    ),
    (
        Action::ModifyDiskSpec,
        &[
            // There the size is given and the level chosen; here the level can be had once the disk has grown.
            (
                Condition::FailedPrecondition,
                "OperationDenied.PerformanceLevelNotMatch",
            ),
            (Condition::InvalidArgument, FINAL),
        ],
    ),
    (
        Action::ModifyDiskAttribute,
        &[(Condition::InvalidArgument, FINAL)],
    ),
    (
        Action::ResizeDisk,
        &[(Condition::Unsupported, "InvalidDiskCategory.NotSupported")],
    ),
    (
        Action::CreateSnapshotGroup,
        &[
            (Condition::FailedPrecondition, APART),
            (Condition::Unavailable, "CreateSnapshot.Failed"),
            (Condition::Unsupported, "InvalidRegion.NotSupport"),
        ],
    ),
];

/// What a refusal amounts to. A code that nobody knows is `internal`, by which callers try again later.
pub(crate) fn condition(action: Action, code: &str) -> Condition {
    let mut of_actions = CODES_OF_ACTIONS.iter();
    let special = of_actions.find(|(special, _)| *special == action);
    special
        .and_then(|(_, codes)| best(codes, code))
        .or_else(|| best(&CODES, code))
        .unwrap_or(Condition::Internal)
}

/// What the operator can do.
pub(crate) fn hint(action: Action, code: &str) -> Option<String> {
    if is_among("Forbidden.RAM* NoPermission*", code) {
        let name = action.name();
        return Some(format!(
            "allow ecs:{name} in the RAM policy of the access key"
        ));
    }
    if action == Action::CreateSnapshotGroup && is_among(APART, code) {
        let together = "ECS cuts ESSDs of one zone together, up to a number and a size, and none that is shared";
        return Some(together.into());
    }
    best(&HINTS, code).map(String::from)
}

/// What helps, and against which codes.
const HINTS: [(&str, &str); 13] = [
    (
        "check the key that [grants.signing.access-key] names",
        "InvalidAccessKeyId.* SignatureDoesNotMatch*",
    ),
    (
        "the host renews temporary keys; if this stays, check [grants.signing.access-key]",
        "InvalidSecurityToken.*",
    ),
    (
        "check this machine's clock: 15 minutes are tolerated",
        "InvalidTimeStamp.Expired*",
    ),
    (
        "the instance's type limits its disks",
        "InstanceDiskLimitExceeded*",
    ),
    (
        "subscription disks cannot be moved: convert it to pay-as-you-go",
        "DiskNotPortable*",
    ),
    (
        "start the instance",
        "IncorrectInstanceStatus* InvalidInstanceStatus.NotRunning*",
    ),
    (
        "stop the pod that uses it, then expand",
        "InvalidDiskSize.NotSupportResizeOnline*",
    ),
    (
        "disk and node have to be in one zone: use volumeBindingMode WaitForFirstConsumer",
        "InvalidInstance.ZoneConflict* ResourcesNotInSameZone*",
    ),
    (
        "enable the snapshot service in the ECS console",
        "InvalidAccountStatus.SnapshotServiceUnavailable*",
    ),
    (
        "a disk that never was attached has no content to keep",
        "IncorrectDiskStatus.Never*",
    ),
    (
        "delete snapshots of the disk, or raise the quota in Quota Center",
        "QuotaExceed.Snapshot*",
    ),
    ("raise the quota in Quota Center", "QuotaExceed*"),
    (
        "settle the account's bill",
        "Account.Arrearage* DiskInArrears* InstanceExpiredOrInArrears*",
    ),
];

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
