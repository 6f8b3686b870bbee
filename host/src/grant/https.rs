//! `[grants.https.NAME]`: one origin, and what may be sent to it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{AddressGrant, Capability, Origin, PathPattern, Refusal};

/// What a driver may ask of one endpoint.
#[derive(Debug, Clone)]
pub struct HttpsGrant {
    /// What guests call it.
    pub name: String,
    /// Scheme, host and port.
    pub origin: Origin,
    /// What `region()` answers.
    pub region: Option<String>,
    /// Methods that may be used. Never empty.
    pub methods: Vec<Method>,
    /// Paths that may be asked for. Never empty.
    pub paths: Vec<PathPattern>,
    /// Addresses that its name may resolve to.
    pub addresses: AddressGrant,
    /// Certificates to trust besides the platform's, a PEM file.
    pub ca: Option<PathBuf>,
    /// Requests a minute, of all processes of this machine together.
    pub rate: u32,
    /// One request, all included.
    pub timeout: Duration,
    /// Of an answer's body.
    pub max_response_bytes: usize,
}

/// The contract's methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
    ];

    /// As it is sent, and as grants name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The method of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

impl HttpsGrant {
    /// Whether the method may be used.
    pub fn allows_method(&self, method: Method) -> Result<(), Refusal> {
        let names: Vec<_> = self.methods.iter().map(|method| method.name()).collect();
        self.methods
            .contains(&method)
            .then_some(())
            .ok_or_else(|| self.refusal(format!("method {}", method.name()), "methods", &names))
    }

    /// Whether the path may be asked for. The caller has made sure that it means what it says: no `..`, and
    /// nothing encoded that would be one.
    pub fn allows_path(&self, path: &str) -> Result<(), Refusal> {
        let patterns: Vec<_> = self.paths.iter().map(ToString::to_string).collect();
        self.paths
            .iter()
            .any(|pattern| pattern.matches(path))
            .then_some(())
            .ok_or_else(|| self.refusal(format!("path {path:?}"), "paths", &patterns))
    }

    fn refusal(&self, what: String, key: &str, value: &dyn fmt::Debug) -> Refusal {
        Refusal {
            capability: Capability::Https,
            scope: format!("{what} at endpoint {:?}", self.name),
            grant: format!("grants.https.{}.{key} = {value:?}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> HttpsGrant {
        HttpsGrant {
            name: "ecs".into(),
            origin: "https://ecs.example.com".parse().expect("an origin"),
            region: None,
            methods: vec![Method::Post],
            paths: vec![
                "/".parse().expect("a pattern"),
                "/v1/**".parse().expect("a pattern"),
            ],
            addresses: AddressGrant {
                capability: Capability::Https,
                key: "grants.https.ecs.addresses".into(),
                ranges: Vec::new(),
            },
            ca: None,
            rate: 600,
            timeout: Duration::from_secs(15),
            max_response_bytes: 1 << 20,
        }
    }

    #[test]
    fn granted_methods_and_paths_are_allowed() {
        let grant = grant();
        assert_eq!(grant.allows_method(Method::Post), Ok(()));
        for path in ["/", "/v1", "/v1/", "/v1/disks/d-1"] {
            assert_eq!(grant.allows_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn other_methods_and_paths_are_refused_with_the_key_that_decides() {
        let grant = grant();
        let refusal = grant.allows_method(Method::Delete).expect_err("other");
        assert_eq!(
            refusal.to_string(),
            "method DELETE at endpoint \"ecs\" is not granted (grants.https.ecs.methods = [\"POST\"])"
        );
        for path in ["", "//", "/v2", "/v12", "/V1", "x/v1"] {
            assert!(grant.allows_path(path).is_err(), "{path}");
        }
        let refusal = grant.allows_path("/v2").expect_err("other");
        assert_eq!(
            refusal.to_string(),
            "path \"/v2\" at endpoint \"ecs\" is not granted (grants.https.ecs.paths = [\"/\", \"/v1/**\"])"
        );
    }

    #[test]
    fn every_method_has_one_name() {
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.name()), Some(method));
        }
        assert_eq!(Method::from_name("CONNECT"), None);
        assert_eq!(Method::from_name("get"), None);
    }
}
