//! What crosses the line, and nobody who answers.

mod answer;
mod ask;
mod encoding;
mod guest_memory;
mod handle;
mod known_value;
mod line;
mod private;

pub(crate) use answer::{Answer, DeviceContent, Response, Told};
pub(crate) use ask::{
    Ask, BasicAuthentication, BlockDevicesAsk, FilesAsk, HttpsAsk, Identity, Level, LogAsk,
    MountsAsk, RemoteSource, Request, SecretHeader, SecretKeysAsk, SecretMountsAsk, SecretOption,
    SecretRequestsAsk, SecretsAsk, SigningAsk, User,
};
pub(crate) use guest_memory::{CallMemory, NoMemory};
pub(crate) use handle::{
    DeviceHandle, DirectoryHandle, EndpointHandle, Handle, SecretHandle, SigningKeyHandle,
    TargetHandle,
};
pub(crate) use known_value::value_of;
pub(crate) use line::{Broker, CallReport, Violation};
pub(crate) use private::Private;
