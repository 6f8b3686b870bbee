//! The first signature version: HMAC-SHA1 over method and parameters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::wire::encoding::{canonical_query, encode};
use crate::words::Secret;

/// The parameter that holds the signature and so is not signed.
pub(crate) const SIGNATURE: &str = "Signature";

/// What is signed: all parameters of query and form but the signature itself.
pub fn string_to_sign<'a>(
    method: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let signed = pairs.into_iter().filter(|(key, _)| *key != SIGNATURE);
    format!("{method}&%2F&{}", encode(&canonical_query(signed)))
}

/// The signature as it is sent, before percent-encoding.
pub fn sign(secret: &Secret, string_to_sign: &str) -> String {
    // The key is the secret and an ampersand; version 3 uses the bare secret.
    let key = format!("{}&", secret.expose());
    // An HMAC takes keys of any length, so this arm is never left out.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    mac.update(string_to_sign.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}
