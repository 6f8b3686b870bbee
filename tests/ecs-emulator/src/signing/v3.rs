//! The third signature version, ACS3-HMAC-SHA256: over query, signed headers and the hash of the body.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::signing::hex;
use crate::wire::encoding::canonical_query;
use crate::words::Secret;

/// First word of the `Authorization` header and first line of what is signed.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The parts of a request that are signed.
#[derive(Debug)]
pub struct Signed<'a> {
    /// `POST` or `GET`.
    pub method: &'a str,
    /// `/` in all RPC-style APIs.
    pub path: &'a str,
    /// Decoded parameters of the query; those of a form body count through the body's hash.
    pub query: Vec<(&'a str, &'a str)>,
    /// Signed headers: lower-case name and trimmed value, in any order.
    pub headers: Vec<(&'a str, &'a str)>,
    /// What `x-acs-content-sha256` says.
    pub body_hash: &'a str,
}

impl Signed<'_> {
    /// The canonical request: method, path, query, headers, names of the headers, hash of the body.
    pub fn canonical_request(&self) -> String {
        let mut headers = self.headers.clone();
        headers.sort_unstable();
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let query = canonical_query(self.query.iter().copied());
        format!(
            "{}\n{}\n{query}\n{lines}\n{}\n{}",
            self.method,
            self.path,
            names.join(";"),
            self.body_hash
        )
    }

    /// What is signed: the algorithm and the hash of the canonical request.
    pub fn string_to_sign(&self) -> String {
        let hash = sha256(self.canonical_request().as_bytes());
        format!("{ALGORITHM}\n{hash}")
    }
}

/// A hash the way the headers carry it.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The signature as the `Authorization` header carries it.
pub fn sign(secret: &Secret, string_to_sign: &str) -> String {
    // An HMAC takes keys of any length, so this arm is never left out.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return String::new();
    };
    mac.update(string_to_sign.as_bytes());
    hex(&mac.finalize().into_bytes())
}
