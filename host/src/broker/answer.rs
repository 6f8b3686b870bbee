//! What a guest is answered, as plain data: what each function of the contract returns.

use serde::{Deserialize, Serialize};

use super::ask::Pairs;
use super::handle::{
    DeviceHandle, DirectoryHandle, EndpointHandle, SecretHandle, SigningKeyHandle,
};
use super::private::Private;
use crate::error::Condition;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// It is so now.
    Done,
    /// It is not.
    Failed(Told),
    Directory(DirectoryHandle),
    Status(FileStatus),
    Entries(Vec<Entry>),
    Content(Private<Vec<u8>>),
    Statistics(FilesystemStatistics),
    Device(DeviceHandle),
    /// Of a device or an archive, in bytes.
    Size(u64),
    DeviceContent(DeviceContent),
    Endpoint(EndpointHandle),
    Authority(String),
    Region(Option<String>),
    Response(Response),
    SigningKey(SigningKeyHandle),
    Secret(SecretHandle),
    SecretName(String),
    KeyId(String),
    SessionToken(Private<Option<String>>),
    Signature(Private<Vec<u8>>),
    Seconds(u64),
    Nonce(Private<Vec<u8>>),
    Hash(Private<Vec<u8>>),
}

/// Why something is not so, in words that a guest may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    #[serde(with = "EncodedCondition")]
    pub(crate) condition: Condition,
    pub(crate) message: String,
}

/// As [`Condition`], which knows of no encoding.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Condition", rename_all = "kebab-case")]
enum EncodedCondition {
    InvalidArgument,
    OutOfRange,
    NotFound,
    AlreadyExists,
    InProgress,
    Unavailable,
    Exhausted,
    FailedPrecondition,
    Denied,
    Unsupported,
    Internal,
}

/// `files.file-status`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStatus {
    pub(crate) kind: String,
    pub(crate) mode: u32,
    pub(crate) size_bytes: u64,
    pub(crate) mtime_seconds: u64,
}

/// `files.entry`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: String,
}

/// `files.filesystem-statistics`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilesystemStatistics {
    pub(crate) total_bytes: u64,
    pub(crate) available_bytes: u64,
    pub(crate) total_inodes: u64,
    pub(crate) available_inodes: u64,
}

/// `block-devices.content`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeviceContent {
    Blank,
    Filesystem(String),
    Other(String),
}

/// `https.response`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Private<Pairs>,
    pub(crate) body: Private<Vec<u8>>,
}
