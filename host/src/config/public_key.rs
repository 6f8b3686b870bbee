//! The public keys by which components are signed: PEM files that the operator lists.
//!
//! Whoever writes such a file decides which components run, so it is believed only where it is root's alone. The shim
//! has no cryptography in it and knows such keys by their digests alone: it runs what was verified before, as long as
//! the key is still listed.

use std::path::PathBuf;

use rustls_pki_types::pem::{PemObject, SectionKind};

use crate::digest::sha256_hex;
use crate::sys;

/// A file of public keys, as `require.public-keys` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Of each key in it, SHA-256 of its SubjectPublicKeyInfo, hex, as `openssl pkey -pubin -outform DER | sha256sum`
    /// prints it; at least one.
    pub fingerprints: Vec<String>,
    /// The keys themselves, in the same order.
    #[cfg(feature = "compiler")]
    pub keys: Vec<PublicKey>,
}

impl PublicKeyFile {
    /// With the keys in it.
    ///
    /// # Errors
    /// Why it cannot be used, as the end of a sentence that begins with its path.
    pub(super) fn load(path: PathBuf) -> Result<Self, String> {
        let pem = sys::check_parents(&path)
            .and_then(|()| sys::read_trusted(&path))
            .map_err(|error| match error {
                sys::TrustError::Io(error) => format!("which cannot be read: {error}"),
                sys::TrustError::Untrusted(reason) => format!("which is not trusted: {reason}"),
            })?;
        Self::parse(path, &pem)
    }

    /// The same, of what was read there.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn parse(path: PathBuf, pem: &[u8]) -> Result<Self, String> {
        let ders = ders(pem)?;
        Ok(Self {
            path,
            fingerprints: ders.iter().map(sha256_hex).collect(),
            #[cfg(feature = "compiler")]
            keys: spki::keys(ders)?,
        })
    }
}

/// The SubjectPublicKeyInfo of each key in a PEM file.
fn ders(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    const PRIVATE: [SectionKind; 3] = [
        SectionKind::PrivateKey,
        SectionKind::RsaPrivateKey,
        SectionKind::EcPrivateKey,
    ];
    let mut ders = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(|error| format!("which is not PEM: {error}"))?;
        if PRIVATE.contains(&kind) {
            return Err("which holds a private key; keep that where components are signed, and put here what `openssl pkey -pubout` makes of it".to_owned());
        }
        // A certificate says more than a key, and nobody here would look at it.
        if kind == SectionKind::PublicKey {
            ders.push(der);
        }
    }
    match ders.is_empty() {
        true => Err(
            "which holds no public key; it has to be PEM with BEGIN PUBLIC KEY, as `cosign public-key` and `openssl pkey -pubout` write it"
                .to_owned(),
        ),
        false => Ok(ders),
    }
}

#[cfg(feature = "compiler")]
pub use spki::PublicKey;

#[cfg(feature = "compiler")]
mod spki {
    use rustls_pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
    use webpki::{Error, RawPublicKeyEntity, ring};

    use crate::digest::sha256_hex;

    type Algorithm = &'static dyn SignatureVerificationAlgorithm;

    /// What signs components: `cosign`'s keys, and what `openssl dgst -sign` makes of others. With a P-384 key openssl
    /// takes the digest that it is told, and cosign takes SHA-384.
    const ALGORITHMS: [Algorithm; 5] = [
        ring::ECDSA_P256_SHA256,
        ring::ECDSA_P384_SHA256,
        ring::ECDSA_P384_SHA384,
        ring::ED25519,
        ring::RSA_PKCS1_2048_8192_SHA256,
    ];

    /// The SubjectPublicKeyInfo of the smallest RSA key of 2048 bits. What says of itself that it is RSA and is shorter
    /// would be refused with each signature, without a word why.
    const SHORTEST_RSA: usize = 292;

    /// A key that can verify signatures.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PublicKey {
        /// DER of its SubjectPublicKeyInfo.
        info: SubjectPublicKeyInfoDer<'static>,
        /// SHA-256 of that, hex, as `openssl pkey -pubin -outform DER | sha256sum` prints it.
        pub fingerprint: String,
    }

    impl PublicKey {
        fn new(der: Vec<u8>) -> Result<Self, String> {
            let key = Self {
                fingerprint: sha256_hex(&der),
                info: der.into(),
            };
            let entity = RawPublicKeyEntity::try_from(&key.info)
                .map_err(|error| format!("it is not a SubjectPublicKeyInfo: {error}"))?;
            let is_of = |algorithm: &Algorithm| !is_other_kind(&entity, *algorithm);
            if !ALGORITHMS.iter().any(is_of) {
                return Err("its kind cannot be used".to_owned());
            }
            if is_of(&ring::RSA_PKCS1_2048_8192_SHA256) && key.info.len() < SHORTEST_RSA {
                return Err("it is an RSA key of less than 2048 bits".to_owned());
            }
            Ok(key)
        }

        /// Whether whoever holds the private key signed these bytes.
        pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
            RawPublicKeyEntity::try_from(&self.info).is_ok_and(|entity| {
                ALGORITHMS.iter().any(|algorithm| {
                    !is_other_kind(&entity, *algorithm)
                        && entity
                            .verify_signature(*algorithm, message, signature)
                            .is_ok()
                })
            })
        }
    }

    /// Found out with an empty signature, before the message is hashed for nothing.
    fn is_other_kind(key: &RawPublicKeyEntity<'_>, algorithm: Algorithm) -> bool {
        matches!(
            key.verify_signature(algorithm, b"", b""),
            Err(Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_))
        )
    }

    pub(super) fn keys(ders: Vec<Vec<u8>>) -> Result<Vec<PublicKey>, String> {
        let key = |(index, der)| {
            PublicKey::new(der).map_err(|reason| {
                let number = index + 1;
                format!("whose key {number} cannot be used: {reason}; take ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits")
            })
        };
        ders.into_iter().enumerate().map(key).collect()
    }
}

#[cfg(all(test, feature = "compiler"))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    macro_rules! vector {
        ($name:literal) => {
            include_str!(concat!("../store/signature/vectors/", $name))
        };
    }

    fn parse(pem: &str) -> Result<Vec<PublicKey>, String> {
        PublicKeyFile::parse(PathBuf::from("/release.pem"), pem.as_bytes()).map(|file| file.keys)
    }

    #[test]
    fn a_file_may_hold_several_keys_and_words_between_them() {
        let pem = [
            "The key of 2026:",
            vector!("p256.pem"),
            "and that of 2025:",
            vector!("rsa2048.pem"),
        ];
        let keys = parse(&pem.join("\n")).expect("two");
        assert_eq!(keys.len(), 2);
        // By `openssl pkey -pubin -in p256.pem -outform DER | sha256sum`.
        assert_eq!(
            keys[0].fingerprint,
            "9be1a5f81e05b1a1e82ec9d0edb9f52f38412091d42660d709c7697ef578e3ca"
        );
        for pem in [vector!("p384.pem"), vector!("ed25519.pem")] {
            assert_eq!(parse(pem).expect("one").len(), 1);
        }
    }

    #[test]
    fn keys_that_could_never_verify_are_refused_when_the_file_is_read() {
        let damaged = vector!("p256.pem").replace("MFkw", "MFkx");
        for (pem, reason) in [
            (vector!("rsa1024.pem"), "RSA key of less than 2048 bits"),
            (vector!("p521.pem"), "its kind cannot be used"),
            (
                &damaged,
                "key 1 cannot be used: it is not a SubjectPublicKeyInfo",
            ),
            ("", "holds no public key"),
            ("ssh-ed25519 AAAA", "holds no public key"),
            (
                "-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----\n",
                "not PEM",
            ),
            ("-----BEGIN PUBLIC KEY-----\nMFkw\n", "not PEM"),
            (
                "-----BEGIN PRIVATE KEY-----\nMFkw\n-----END PRIVATE KEY-----\n",
                "holds a private key",
            ),
        ] {
            let error = parse(pem).expect_err(pem);
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_file_that_others_can_write_or_exchange_is_not_believed() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("release.pem");
        fs::write(&path, vector!("p256.pem")).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("ours");
        let load = || PublicKeyFile::load(path.clone()).map(|file| file.keys.len());
        assert_eq!(load(), Ok(1));
        fs::set_permissions(&path, Permissions::from_mode(0o664)).expect("ours");
        assert!(load().expect_err("theirs").contains("which is not trusted"));
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("ours");
        fs::set_permissions(root.path(), Permissions::from_mode(0o777)).expect("ours");
        assert!(load().expect_err("theirs").contains("which is not trusted"));
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).expect("ours");
        fs::remove_file(&path).expect("ours");
        assert!(load().expect_err("gone").contains("which cannot be read"));
    }
}
