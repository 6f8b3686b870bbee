//! What a guest can ask, as plain data: a case for each function of the contract's imports, by its name there, with its
//! parameters by theirs. What a method is called on comes first, by the resource's name.
//!
//! Whoever answers trusts nothing of it, the numbers of handles included.

use serde::{Deserialize, Serialize};

use super::handle::{
    DeviceHandle, DirectoryHandle, EndpointHandle, Handle, SecretHandle, SigningKeyHandle,
    TargetHandle,
};
use super::private::Private;

/// A name and, where there is one, its value.
pub(crate) type MountOption = (String, Option<String>);

/// A mount option, and the secret that is its value.
pub(crate) type SecretOption = (String, SecretHandle);

/// Names and values of a query, or of headers.
pub(crate) type Pairs = Vec<(String, String)>;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    Mounts(MountsAsk),
    Files(FilesAsk),
    BlockDevices(BlockDevicesAsk),
    Https(HttpsAsk),
    Signing(SigningAsk),
    Secrets(SecretsAsk),
    SecretMounts(SecretMountsAsk),
    SecretRequests(SecretRequestsAsk),
    SecretKeys(SecretKeysAsk),
    Log(LogAsk),
    /// A handle is given back.
    Drop(Handle),
}

/// `mounts`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum MountsAsk {
    MountRemote {
        target: TargetHandle,
        source: RemoteSource,
        options: Vec<MountOption>,
    },
    Bind {
        target: TargetHandle,
        directory: DirectoryHandle,
        path: String,
    },
    OpenDirectory {
        name: String,
    },
    OpenRemote {
        source: RemoteSource,
        options: Vec<MountOption>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemoteSource {
    pub(crate) fs_type: String,
    pub(crate) server: String,
    pub(crate) path: String,
}

/// `files`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum FilesAsk {
    Mkdir {
        directory: DirectoryHandle,
        path: String,
        mode: u32,
    },
    Chmod {
        directory: DirectoryHandle,
        path: String,
        mode: u32,
    },
    Stat {
        directory: DirectoryHandle,
        path: String,
    },
    Readdir {
        directory: DirectoryHandle,
        path: String,
    },
    ReadFile {
        directory: DirectoryHandle,
        path: String,
    },
    CreateFile {
        directory: DirectoryHandle,
        path: String,
        content: Private<Vec<u8>>,
    },
    WriteFile {
        directory: DirectoryHandle,
        path: String,
        content: Private<Vec<u8>>,
    },
    Rename {
        directory: DirectoryHandle,
        source: String,
        to: String,
    },
    RemoveTree {
        directory: DirectoryHandle,
        path: String,
    },
    Rmdir {
        directory: DirectoryHandle,
        path: String,
    },
    CopyTree {
        directory: DirectoryHandle,
        source: String,
        to: String,
    },
    ArchiveTree {
        directory: DirectoryHandle,
        source: String,
        to: String,
        compression: String,
    },
    ExtractArchive {
        directory: DirectoryHandle,
        source: String,
        to: String,
    },
    Statfs {
        directory: DirectoryHandle,
    },
}

/// `block-devices`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum BlockDevicesAsk {
    SizeBytes {
        device: DeviceHandle,
    },
    Inspect {
        device: DeviceHandle,
    },
    EnsureFilesystem {
        device: DeviceHandle,
        fs_type: String,
        options: Vec<String>,
    },
    GrowFilesystem {
        device: DeviceHandle,
    },
    Mount {
        device: DeviceHandle,
        target: TargetHandle,
        options: Vec<MountOption>,
    },
    Bind {
        device: DeviceHandle,
        target: TargetHandle,
    },
    FindDevice {
        identity: Identity,
    },
    AwaitDevice {
        identity: Identity,
        timeout_ms: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) serial: String,
    pub(crate) size_bytes: Option<u64>,
}

/// `https`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum HttpsAsk {
    Authority {
        endpoint: EndpointHandle,
    },
    Region {
        endpoint: EndpointHandle,
    },
    Send {
        endpoint: EndpointHandle,
        request: Request,
    },
    OpenEndpoint {
        name: String,
    },
    Sleep {
        milliseconds: u32,
    },
}

/// Signatures and tokens are among its headers, its query or in its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Private<Pairs>,
    pub(crate) headers: Private<Pairs>,
    pub(crate) body: Private<Vec<u8>>,
}

/// `signing`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum SigningAsk {
    Id {
        signing_key: SigningKeyHandle,
    },
    SessionToken {
        signing_key: SigningKeyHandle,
    },
    Sign {
        signing_key: SigningKeyHandle,
        algorithm: String,
        message: Private<Vec<u8>>,
    },
    OpenKey {
        name: String,
    },
    NowSeconds {},
    Nonce {},
    Sha256 {
        message: Private<Vec<u8>>,
    },
}

/// `secrets`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum SecretsAsk {
    Name { secret: SecretHandle },
    OpenSecret { name: String },
}

/// `secret-mounts`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum SecretMountsAsk {
    MountRemote {
        target: TargetHandle,
        source: RemoteSource,
        options: Vec<MountOption>,
        secret_options: Vec<SecretOption>,
    },
    OpenRemote {
        source: RemoteSource,
        options: Vec<MountOption>,
        secret_options: Vec<SecretOption>,
    },
}

/// `secret-requests`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum SecretRequestsAsk {
    Send {
        endpoint: EndpointHandle,
        request: Request,
        headers: Vec<SecretHeader>,
        basic: Option<BasicAuthentication>,
    },
}

/// A header whose value is a text and a secret behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretHeader {
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) secret: SecretHandle,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BasicAuthentication {
    pub(crate) user: User,
    pub(crate) password: SecretHandle,
}

/// Whose password it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum User {
    Name(String),
    Secret(SecretHandle),
}

/// `secret-keys`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum SecretKeysAsk {
    OpenKey {
        id: String,
        secret: SecretHandle,
        session_token: Option<SecretHandle>,
    },
}

/// `log`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum LogAsk {
    Write { level: Level, message: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

macro_rules! of_interfaces {
    ($($case:ident($ask:ident))*) => {
        $(impl From<$ask> for Ask {
            fn from(ask: $ask) -> Self {
                Self::$case(ask)
            }
        })*
    };
}

of_interfaces! {
    Mounts(MountsAsk)
    Files(FilesAsk)
    BlockDevices(BlockDevicesAsk)
    Https(HttpsAsk)
    Signing(SigningAsk)
    Secrets(SecretsAsk)
    SecretMounts(SecretMountsAsk)
    SecretRequests(SecretRequestsAsk)
    SecretKeys(SecretKeysAsk)
    Log(LogAsk)
}

#[cfg(test)]
pub(super) mod tests;
