//! `[grants.secrets.NAME]`: what one secret of a call may be used for.
//!
//! Names alone, never a value: this can be printed. A secret is known by its name in the Secret that the caller read it
//! from; who may write such Secrets is Kubernetes' to say.

use std::fmt;

use super::{Capability, Refusal};

/// What a secret of that name may be used for. Never for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretGrant {
    /// As the Secret has it.
    pub name: String,
    /// Mount options whose value it may be.
    pub mount_options: Vec<String>,
    /// Headers that it may stand in, in lower case.
    pub headers: Vec<String>,
    /// Which parts of basic authentication it may be.
    pub basic_authentication: Vec<BasicPart>,
    /// Endpoints that headers and basic authentication may be sent to, by the names of their grants.
    pub endpoints: Vec<String>,
    /// How it may be used for signatures.
    pub signing: Vec<SigningUse>,
}

/// A part of basic authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BasicPart {
    /// Who it is.
    User,
    /// How that is proven.
    Password,
}

impl BasicPart {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::User, Self::Password];

    /// As grants name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Password => "password",
        }
    }
}

/// What a secret is for a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningUse {
    /// The key, for that algorithm.
    HmacSha1,
    /// The key, for that algorithm.
    HmacSha256,
    /// What has to be sent along with a temporary key, and is told to the guest for that.
    SessionToken,
}

impl SigningUse {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HmacSha1, Self::HmacSha256, Self::SessionToken];

    /// As grants name it; algorithms as the contract does.
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::SessionToken => "session-token",
        }
    }

    fn is_algorithm(self) -> bool {
        match self {
            Self::HmacSha1 | Self::HmacSha256 => true,
            Self::SessionToken => false,
        }
    }
}

impl SecretGrant {
    /// Whether it may be the value of that mount option.
    pub fn allows_mount_option(&self, option: &str) -> Result<(), Refusal> {
        let granted = self.mount_options.iter().any(|name| name == option);
        let used = || format!("as mount option {option:?}");
        self.allow(granted, used, "mount-options", &self.mount_options)
    }

    /// Whether it may stand in that header of a request to that endpoint.
    pub fn allows_header(&self, endpoint: &str, header: &str) -> Result<(), Refusal> {
        let granted = self.headers.iter().any(|name| name == header);
        let used = || format!("in header {header:?}");
        self.allow(granted, used, "headers", &self.headers)?;
        self.allow_endpoint(endpoint)
    }

    /// Whether it may be that part of basic authentication at that endpoint.
    pub fn allows_basic_authentication(
        &self,
        endpoint: &str,
        part: BasicPart,
    ) -> Result<(), Refusal> {
        let granted = self.basic_authentication.contains(&part);
        let used = || format!("as {} of basic authentication", part.name());
        let parts: Vec<&str> = self
            .basic_authentication
            .iter()
            .map(|it| it.name())
            .collect();
        self.allow(granted, used, "basic-authentication", &parts)?;
        self.allow_endpoint(endpoint)
    }

    /// Whether it may be a key at all.
    pub fn allows_key(&self) -> Result<(), Refusal> {
        let granted = self.signing.iter().any(|it| it.is_algorithm());
        self.allow_signing(granted, || "as a key for signatures".to_owned())
    }

    /// Whether messages may be signed with it by that algorithm.
    pub fn allows_algorithm(&self, algorithm: &str) -> Result<(), Refusal> {
        let mut algorithms = self.signing.iter().filter(|it| it.is_algorithm());
        let granted = algorithms.any(|it| it.name() == algorithm);
        self.allow_signing(granted, || format!("as a key for {algorithm}"))
    }

    /// Whether a guest may be told it, as what has to be sent along with a temporary key.
    pub fn allows_session_token(&self) -> Result<(), Refusal> {
        let granted = self.signing.contains(&SigningUse::SessionToken);
        self.allow_signing(granted, || "as a session token".to_owned())
    }

    fn allow_signing(&self, granted: bool, used: impl Fn() -> String) -> Result<(), Refusal> {
        let uses: Vec<&str> = self.signing.iter().map(|it| it.name()).collect();
        self.allow(granted, used, "signing", &uses)
    }

    fn allow_endpoint(&self, endpoint: &str) -> Result<(), Refusal> {
        let granted = self.endpoints.iter().any(|name| name == endpoint);
        let used = || format!("at endpoint {endpoint:?}");
        self.allow(granted, used, "endpoints", &self.endpoints)
    }

    fn allow(
        &self,
        granted: bool,
        used: impl Fn() -> String,
        key: &str,
        value: &dyn fmt::Debug,
    ) -> Result<(), Refusal> {
        granted.then_some(()).ok_or_else(|| Refusal {
            capability: Capability::Secrets,
            scope: format!("secret {:?} {}", self.name, used()),
            grant: format!("grants.secrets.{}.{key} = {value:?}", self.name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> SecretGrant {
        SecretGrant {
            name: "password".into(),
            mount_options: vec!["password".into()],
            headers: vec!["authorization".into()],
            basic_authentication: vec![BasicPart::Password],
            endpoints: vec!["appliance".into()],
            signing: vec![SigningUse::HmacSha256],
        }
    }

    #[test]
    fn what_is_granted_is_allowed() {
        let grant = grant();
        assert_eq!(grant.allows_mount_option("password"), Ok(()));
        assert_eq!(grant.allows_header("appliance", "authorization"), Ok(()));
        let password = grant.allows_basic_authentication("appliance", BasicPart::Password);
        assert_eq!(password, Ok(()));
        assert_eq!(grant.allows_key(), Ok(()));
        assert_eq!(grant.allows_algorithm("hmac-sha256"), Ok(()));
    }

    #[test]
    fn what_is_not_granted_is_refused_with_the_key_that_decides() {
        let grant = grant();
        for (refused, said) in [
            (
                grant.allows_mount_option("username"),
                "secret \"password\" as mount option \"username\" is not granted (grants.secrets.password.mount-options = [\"password\"])",
            ),
            (
                grant.allows_header("appliance", "x-token"),
                "secret \"password\" in header \"x-token\" is not granted (grants.secrets.password.headers = [\"authorization\"])",
            ),
            (
                grant.allows_header("elsewhere", "authorization"),
                "secret \"password\" at endpoint \"elsewhere\" is not granted (grants.secrets.password.endpoints = [\"appliance\"])",
            ),
            (
                grant.allows_basic_authentication("appliance", BasicPart::User),
                "secret \"password\" as user of basic authentication is not granted (grants.secrets.password.basic-authentication = [\"password\"])",
            ),
            (
                grant.allows_algorithm("hmac-sha1"),
                "secret \"password\" as a key for hmac-sha1 is not granted (grants.secrets.password.signing = [\"hmac-sha256\"])",
            ),
            (
                grant.allows_session_token(),
                "secret \"password\" as a session token is not granted (grants.secrets.password.signing = [\"hmac-sha256\"])",
            ),
        ] {
            assert_eq!(refused.expect_err("not granted").to_string(), said);
        }
    }

    #[test]
    fn a_session_token_is_no_key_and_no_algorithm() {
        let token = SecretGrant {
            signing: vec![SigningUse::SessionToken],
            ..SecretGrant::default()
        };
        assert_eq!(token.allows_session_token(), Ok(()));
        assert!(token.allows_key().is_err());
        assert!(token.allows_algorithm("session-token").is_err());
    }
}
