//! What a request says about its sender, in either signature version, before any of it is believed.

use crate::error::Refusal;
use crate::signing::v3::Signed;
use crate::signing::{v1, v3};
use crate::wire::call::Call;
use crate::words::{AccessKeyId, Secret, SecurityToken};

/// Which of the two signatures a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// HMAC-SHA1 over all parameters.
    V1,
    /// HMAC-SHA256 over query, headers and body hash.
    V3,
}

/// What a signed request says of itself.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) version: Version,
    pub(crate) key: AccessKeyId,
    pub(crate) token: Option<SecurityToken>,
    pub(crate) nonce: String,
    pub(crate) date: String,
    pub(crate) signature: String,
    pub(crate) string_to_sign: String,
}

/// Headers without which a signature of version 3 could be moved to another request.
const SIGNED_ALWAYS: [&str; 6] = [
    "host",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
];

impl Claims {
    pub(crate) fn read(call: &Call) -> Result<Self, Refusal> {
        match call.header("authorization") {
            Some(text) if text.starts_with(v3::ALGORITHM) => Self::in_headers(call, text),
            Some(_) | None => Self::in_parameters(call),
        }
    }

    fn in_parameters(call: &Call) -> Result<Self, Refusal> {
        let pairs = call.pairs();
        let find = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        let required = |name: &str| find(name).ok_or_else(|| Refusal::missing_parameter(name));
        let (key, signature) = (required("AccessKeyId")?, required("Signature")?);
        let known = [
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
        ];
        for (name, value) in known {
            if required(name)? != value {
                return Err(Refusal::invalid_parameter(name));
            }
        }
        let pairs = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        Ok(Self {
            version: Version::V1,
            key: key.into(),
            token: find("SecurityToken").map(SecurityToken::from),
            nonce: required("SignatureNonce")?,
            date: required("Timestamp")?,
            signature,
            string_to_sign: v1::string_to_sign(&call.method, pairs),
        })
    }

    fn in_headers(call: &Call, authorization: &str) -> Result<Self, Refusal> {
        let field = |name: &str| authorization_field(authorization, name);
        let required = |name: &str| call.header(name).ok_or_else(|| incomplete(name));
        let names: Vec<&str> = field("SignedHeaders")?.split(';').collect();
        demand_signed(call, &names)?;
        let headers: Result<Vec<(&str, &str)>, Refusal> = names
            .iter()
            .map(|name| Ok((*name, required(name)?)))
            .collect();
        let signed = Signed {
            method: &call.method,
            path: &call.path,
            query: call
                .query
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect(),
            headers: headers?,
            body_hash: required("x-acs-content-sha256")?,
        };
        if v3::sha256(&call.body) != signed.body_hash {
            return Err(incomplete("x-acs-content-sha256"));
        }
        Ok(Self {
            version: Version::V3,
            key: AccessKeyId::from(field("Credential")?),
            token: call.header("x-acs-security-token").map(SecurityToken::from),
            nonce: required("x-acs-signature-nonce")?.to_owned(),
            date: required("x-acs-date")?.to_owned(),
            signature: field("Signature")?.to_owned(),
            string_to_sign: signed.string_to_sign(),
        })
    }

    /// The signature that the holder of this secret would have sent.
    pub(crate) fn expected(&self, secret: &Secret) -> String {
        match self.version {
            Version::V1 => v1::sign(secret, &self.string_to_sign),
            Version::V3 => v3::sign(secret, &self.string_to_sign),
        }
    }
}

/// Of `ALGORITHM Credential=…,SignedHeaders=…,Signature=…`, one value.
fn authorization_field<'a>(text: &'a str, name: &str) -> Result<&'a str, Refusal> {
    let fields = text.strip_prefix(v3::ALGORITHM).unwrap_or_default();
    let value = |field: &'a str| field.trim().strip_prefix(name)?.strip_prefix('=');
    fields
        .split(',')
        .find_map(value)
        .ok_or_else(|| incomplete(name))
}

fn demand_signed(call: &Call, names: &[&str]) -> Result<(), Refusal> {
    let token = "x-acs-security-token";
    let with_token = call.header(token).map(|_| token);
    let left_out = SIGNED_ALWAYS
        .into_iter()
        .chain(with_token)
        .find(|name| !names.contains(name));
    left_out.map_or(Ok(()), |name| Err(incomplete(name)))
}

fn incomplete(name: &str) -> Refusal {
    let message =
        format!("The request signature does not conform to Aliyun standards: {name} is missing.");
    Refusal::bad("IncompleteSignature", message)
}
