//! What a test may set while the emulator runs, through the control port. Kept over restarts.

use serde::{Deserialize, Serialize};

/// Settings that are not part of the real cloud's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Knobs {
    /// How long each asynchronous transition takes.
    pub(crate) delay_ms: u64,
    /// Whether they end by themselves at all.
    pub(crate) pace: Pace,
    /// The OIDC token that STS accepts; any but an empty one if this is not set.
    pub(crate) oidc_token: Option<String>,
    /// How long keys last, whatever DurationSeconds says.
    pub(crate) sts_lifetime_seconds: Option<u32>,
    /// Whether the metadata service answers requests without a token.
    pub(crate) metadata_v1: Permission,
    /// The instance's RAM role; none if empty.
    pub(crate) role: String,
    /// What deleting a disk or snapshot that does not exist answers: the documents say both.
    pub(crate) delete_missing: DeleteMissing,
    /// Whether a disk that was never attached can have snapshots.
    pub(crate) snapshot_of_never_attached: Permission,
    /// What becomes of groups of snapshots that are asked for now; one that fails does so by its last snapshot.
    pub(crate) snapshot_groups: Fate,
    /// Codes of failures after which CreateDisk's client token is still spent.
    pub(crate) tokens_kept_after: Vec<String>,
    /// How many attachments of one instance may be under way at once.
    pub(crate) parallel_attaches: Option<usize>,
    /// How many disks the account may have.
    pub(crate) disk_quota: Option<usize>,
    /// Resource groups that do not exist; all others do.
    pub(crate) missing_resource_groups: Vec<String>,
    /// KMS keys that do not exist; all others do.
    pub(crate) missing_kms_keys: Vec<String>,
}

/// Whether time passes for what is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pace {
    /// Each transition ends after its delay.
    Running,
    /// What begins from now on stays under way until a test lets it go on.
    Held,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Permission {
    Allowed,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeleteMissing {
    /// InvalidDiskId.NotFound, as the error list says.
    Error,
    /// Success, as the text says.
    Ignore,
}

/// What becomes of something that takes a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fate {
    Succeed,
    Fail,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            delay_ms: 50,
            pace: Pace::Running,
            oidc_token: None,
            sts_lifetime_seconds: None,
            metadata_v1: Permission::Refused,
            role: "drivebay-node".to_owned(),
            delete_missing: DeleteMissing::Error,
            snapshot_of_never_attached: Permission::Refused,
            snapshot_groups: Fate::Succeed,
            tokens_kept_after: Vec::new(),
            parallel_attaches: None,
            disk_quota: None,
            missing_resource_groups: Vec::new(),
            missing_kms_keys: Vec::new(),
        }
    }
}
