//! `[grants.signing.NAME]`: where one key comes from.
//!
//! Names and places only, never a secret: this can be printed. What a cloud calls its fields, paths and
//! headers stands in the grant, so that no cloud is known in the code.

use std::path::PathBuf;
use std::time::Duration;

use super::{AddressGrant, Origin};

/// Where the host finds a key.
#[derive(Debug, Clone)]
pub struct SigningGrant {
    /// What guests call it.
    pub name: String,
    /// Where it comes from.
    pub source: KeySource,
}

/// The kinds of source.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Files of this node; read anew for each call, because a mounted Kubernetes Secret changes.
    File(FileSource),
    /// Variables of the host's own environment.
    Environment(EnvironmentSource),
    /// The cloud's metadata service: temporary keys of this machine's role.
    Metadata(MetadataSource),
    /// A token of a service account, exchanged for temporary keys.
    Oidc(OidcSource),
}

impl KeySource {
    /// The word for it in a grants file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Environment(_) => "environment",
            Self::Metadata(_) => "metadata",
            Self::Oidc(_) => "oidc",
        }
    }

    /// Whether somebody else is asked for it, over the network.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Metadata(_) | Self::Oidc(_))
    }
}

/// `source = "file"`
#[derive(Debug, Clone)]
pub struct FileSource {
    /// Holds the key's public id.
    pub id: PathBuf,
    /// Holds the secret.
    pub secret: PathBuf,
    /// Holds what a temporary key is sent with.
    pub session_token: Option<PathBuf>,
}

/// `source = "environment"`
#[derive(Debug, Clone)]
pub struct EnvironmentSource {
    /// The variable with the key's public id.
    pub id: String,
    /// The variable with the secret.
    pub secret: String,
    /// The variable with what a temporary key is sent with.
    pub session_token: Option<String>,
}

/// `source = "metadata"`
#[derive(Debug, Clone)]
pub struct MetadataSource {
    /// Scheme, host and port of the service.
    pub origin: Origin,
    /// Addresses that may be connected to.
    pub addresses: AddressGrant,
    /// Lists roles; with a role's name behind it, answers with that role's key.
    pub path: String,
    /// Which role; else the one the service names.
    pub role: Option<String>,
    /// What has to be asked for first, where the service wants that.
    pub token: Option<SessionToken>,
    /// Names of the answer's fields.
    pub fields: FieldNames,
    /// When less than this is left, a new key is fetched.
    pub refresh_before: Duration,
}

/// A token that proves that whoever asks can also send a PUT, which a deceived proxy cannot.
#[derive(Debug, Clone)]
pub struct SessionToken {
    /// Path that hands it out.
    pub path: String,
    /// The request header that says how many seconds it is wanted for.
    pub ttl_header: String,
    /// The request header it is sent in afterwards.
    pub header: String,
}

/// `source = "oidc"`
#[derive(Debug, Clone)]
pub struct OidcSource {
    /// Scheme, host and port of the token exchange.
    pub origin: Origin,
    /// Addresses that may be connected to.
    pub addresses: AddressGrant,
    /// Certificates to trust besides the platform's, a PEM file.
    pub ca: Option<PathBuf>,
    /// Path of the request.
    pub path: String,
    /// Sent in the address; may hold `{now}`.
    pub query: FormValues,
    /// Sent in the body; may hold `{now}` and `{token}`.
    pub form: FormValues,
    /// Holds the token; read anew for each exchange, because kubelet replaces it.
    pub token_file: PathBuf,
    /// Names of the answer's fields.
    pub fields: FieldNames,
    /// When less than this is left, a new key is fetched.
    pub refresh_before: Duration,
}

/// Names and values, with placeholders.
pub type FormValues = Vec<(String, String)>;

/// Where a JSON answer has what: names of nested objects, joined by dots.
#[derive(Debug, Clone)]
pub struct FieldNames {
    /// The public id.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// What has to be sent along, where there is such a thing.
    pub session_token: Option<String>,
    /// When it ends: `2026-11-21T04:53:18Z`.
    pub expires: String,
}
