//! One key, and what is done with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::error::DriverError;
use crate::volume::Secret;

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    HmacSha1,
    HmacSha256,
}

impl Algorithm {
    /// As the contract names them.
    pub(super) const NAMED: [(&'static str, Self); 2] = [
        ("hmac-sha1", Self::HmacSha1),
        ("hmac-sha256", Self::HmacSha256),
    ];
}

/// A key, its secret parts wiped when nobody needs it any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Public.
    pub(super) id: String,
    pub(super) secret: Secret,
    /// What has to be sent along with a temporary key.
    pub(super) session_token: Option<Secret>,
    /// Seconds since 1970, where it ends.
    pub(super) expires: Option<u64>,
}

/// Keys that a call has used, by their names.
pub(crate) type CallKeys = BTreeMap<String, Arc<Key>>;

/// What goes along with the key of a dry run.
#[cfg(feature = "compiler")]
pub const MADE_UP_TOKEN: &str = "made-up-session-token";

impl Key {
    /// Nobody's, for a dry run: a temporary one, because its guest has to know how those are used.
    #[cfg(feature = "compiler")]
    pub(in crate::broker) fn made_up() -> Self {
        Self {
            id: "made-up-key".to_owned(),
            secret: Secret::new(b"made up".to_vec()),
            session_token: Some(Secret::new(MADE_UP_TOKEN.as_bytes().to_vec())),
            expires: None,
        }
    }

    /// One that a call brought, good for as long as that.
    pub(in crate::broker) fn of_call(
        id: String,
        secret: Secret,
        session_token: Option<Secret>,
    ) -> Self {
        Self {
            id,
            secret,
            session_token,
            expires: None,
        }
    }

    /// Seconds it is still good for.
    pub(super) fn left(&self, now: u64) -> u64 {
        self.expires
            .map_or(u64::MAX, |expires| expires.saturating_sub(now))
    }

    pub(super) fn session_token(&self) -> Result<Option<String>, DriverError> {
        let text = |token: &Secret| {
            String::from_utf8(token.reveal().to_vec())
                .map_err(|_| DriverError::denied("the session token is not text"))
        };
        self.session_token.as_ref().map(text).transpose()
    }

    pub(super) fn sign(
        &self,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, DriverError> {
        match algorithm {
            Algorithm::HmacSha1 => code::<Hmac<Sha1>>(self.secret.reveal(), message),
            Algorithm::HmacSha256 => code::<Hmac<Sha256>>(self.secret.reveal(), message),
        }
    }
}

fn code<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Result<Vec<u8>, DriverError> {
    // HMAC takes keys of any length (RFC 2104 section 2).
    let mut mac = <M as KeyInit>::new_from_slice(secret)
        .map_err(|_| DriverError::internal("the key has a length that cannot be used"))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &[u8]) -> Key {
        Key {
            id: "id".into(),
            secret: Secret::new(secret.to_vec()),
            session_token: None,
            expires: None,
        }
    }

    #[track_caller]
    fn signed(secret: &[u8], algorithm: Algorithm, message: &[u8]) -> String {
        let signature = key(secret).sign(algorithm, message).expect("signed");
        signature.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn hmac_sha1_is_that_of_rfc_2202() {
        for (secret, message, code) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b617318655057264e28bc0b6fb378c8ef146be00",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
            ),
            (
                &[0x0c; 20],
                b"Test With Truncation",
                "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04",
            ),
            (
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
            (
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
                "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
            ),
        ] {
            assert_eq!(signed(secret, Algorithm::HmacSha1, message), code);
        }
    }

    #[test]
    fn hmac_sha256_is_that_of_rfc_4231() {
        for (secret, message, code) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ] {
            assert_eq!(signed(secret, Algorithm::HmacSha256, message), code);
        }
    }

    #[test]
    fn a_key_shows_its_id_and_nothing_else() {
        let mut key = key(b"hunter2");
        key.session_token = Some(Secret::new(b"hunter2".to_vec()));
        assert!(!format!("{key:?}").contains("hunter2"));
        assert_eq!(
            key.session_token().expect("text").as_deref(),
            Some("hunter2")
        );
    }

    #[test]
    fn a_key_without_an_end_lasts() {
        let mut key = key(b"x");
        assert_eq!(key.left(100), u64::MAX);
        key.expires = Some(130);
        assert_eq!((key.left(100), key.left(130), key.left(200)), (30, 0, 0));
    }
}
