//! Who signed a component: a detached signature, verified with the keys that the driver's file lists.
//!
//! Nothing is asked of anybody: no certificate, no log, no clock. A signature counts if one of the listed keys made it
//! over exactly these bytes. What else a bundle of cosign holds (certificates, proofs of a log) proves nothing more to
//! somebody who has the key, and is not looked at.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config::PublicKeyFile;
use crate::digest::{hex, sha256_hex};

/// The lengths of RSA's signatures, by keys of 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

const ED25519_BYTES: usize = 64;

const SHA256_BYTES: usize = 32;

/// The key that verified a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBy {
    /// The file it was read from.
    pub file: PathBuf,
    /// SHA-256 of its SubjectPublicKeyInfo, hex.
    pub fingerprint: String,
}

/// Why a component's signature does not count. Of which component, says whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error(
        "there is no signature beside it, and require.public-keys demands one: put it there as NAME.wasm.sig, made of the .wasm as it is uncompressed"
    )]
    Missing,
    /// What is there is something else.
    #[error(
        "its .sig file is not a signature: it {0}; it has to be what `openssl dgst -sha256 -sign` or `cosign sign-blob` writes: the binary signature, its base64 text, or a bundle"
    )]
    UnknownForm(String),
    /// It says itself that it is of something else.
    #[error(
        "its .sig file is a bundle that was made of a file with digest {signed}, and this component has {sha256}"
    )]
    OfOtherBytes {
        /// What was signed, hex.
        signed: String,
        /// The component, hex.
        sha256: String,
    },
    /// No listed key made it.
    #[error("{}", no_key(files))]
    NoKey {
        /// The files of all keys that were tried.
        files: Vec<PathBuf>,
    },
}

fn no_key(files: &[PathBuf]) -> String {
    let names: Vec<_> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    format!(
        "none of the {} keys of require.public-keys made its signature (they are in {}); either another key signed it, or it is no longer what was signed",
        files.len(),
        names.join(", ")
    )
}

/// Which of the keys signed a component's bytes. `signature` is what its `.sig` file holds, if there is one.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(
    component: &[u8],
    signature: Option<&[u8]>,
    files: &[PublicKeyFile],
) -> Result<VerifiedBy, SignatureError> {
    let signature = signature.ok_or(SignatureError::Missing)?;
    let signature = signature_in(signature, component)?;
    let keys = files
        .iter()
        .flat_map(|file| file.keys.iter().map(move |key| (file, key)));
    let signer = keys
        .clone()
        .find(|(_, key)| key.has_signed(component, &signature));
    match signer {
        Some((file, key)) => Ok(VerifiedBy {
            file: file.path.clone(),
            fingerprint: key.fingerprint.clone(),
        }),
        None => Err(SignatureError::NoKey {
            files: keys.map(|(file, _)| file.path.clone()).collect(),
        }),
    }
}

/// The signature itself, out of any of the forms. A binary signature may begin with whatever byte, a brace among them,
/// so text is only what is text from end to end.
fn signature_in(file: &[u8], component: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let Ok(text) = std::str::from_utf8(file) else {
        return match is_binary_signature(file) {
            true => Ok(file.to_owned()),
            false => Err(unknown(
                "is binary, and has neither the form nor the length of one",
            )),
        };
    };
    if text.trim().is_empty() {
        return Err(unknown("is empty"));
    }
    if text.trim_start().starts_with('{') {
        return serde_json::from_str::<Bundle>(text)
            // What it says there is not repeated: whoever delivers a component wrote it.
            .map_err(|error| {
                let (line, column) = (error.line(), error.column());
                unknown(&format!(
                    "is no bundle from line {line}, column {column} on"
                ))
            })?
            .signature(component);
    }
    match decode(text) {
        Some(signature) => Ok(signature),
        // Sixty-four bytes that happen to be text are not impossible for ever.
        None if is_binary_signature(file) => Ok(file.to_owned()),
        None => Err(unknown("is text, and no base64 of one")),
    }
}

/// Base64, whose lines `openssl base64` breaks.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD
        .decode(text)
        .ok()
        .filter(|signature| is_binary_signature(signature))
}

fn is_binary_signature(bytes: &[u8]) -> bool {
    // ECDSA: two numbers in one SEQUENCE of DER, whose length is told in one byte for the curves that are known here.
    let is_ecdsa = matches!(bytes, [0x30, length, rest @ ..] if usize::from(*length) == rest.len());
    is_ecdsa || bytes.len() == ED25519_BYTES || RSA_BYTES.contains(&bytes.len())
}

fn unknown(what: &str) -> SignatureError {
    SignatureError::UnknownForm(what.to_owned())
}

/// What `cosign sign-blob --bundle` writes: up to version 2 the signature with the key beside it, since then a bundle of
/// sigstore. Both have more members, which are not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    base64_signature: Option<String>,
    message_signature: Option<MessageSignature>,
    dsse_envelope: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    message_digest: Option<MessageDigest>,
    signature: String,
}

#[derive(Deserialize)]
struct MessageDigest {
    algorithm: String,
    digest: String,
}

impl Bundle {
    fn signature(self, component: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let text = match self {
            Self {
                message_signature: Some(signature),
                ..
            } => {
                signature.check_digest(component)?;
                signature.signature
            }
            Self {
                base64_signature: Some(signature),
                ..
            } => signature,
            // Of a statement about the component, which `cosign attest-blob` signs.
            Self {
                dsse_envelope: Some(_),
                ..
            } => {
                return Err(unknown(
                    "is a bundle with an attestation, which signs a statement about the component and not its bytes",
                ));
            }
            _ => return Err(unknown("is JSON without a signature in it")),
        };
        decode(&text).ok_or_else(|| unknown("is a bundle whose signature is no base64 of one"))
    }
}

impl MessageSignature {
    /// The digest proves nothing, but where it is another one it tells what happened.
    fn check_digest(&self, component: &[u8]) -> Result<(), SignatureError> {
        let Some(told) = &self.message_digest else {
            return Ok(());
        };
        let signed = STANDARD.decode(&told.digest).unwrap_or_default();
        if told.algorithm != "SHA2_256" || signed.len() != SHA256_BYTES {
            return Ok(());
        }
        let (signed, sha256) = (hex(&signed), sha256_hex(component));
        match signed == sha256 {
            true => Ok(()),
            false => Err(SignatureError::OfOtherBytes { signed, sha256 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &[u8] = b"\0asm\r\0\x01\0 a component";

    macro_rules! vector {
        ($name:literal) => {
            include_bytes!(concat!("signature/vectors/", $name))
        };
    }

    fn file(name: &str, pem: &[u8]) -> PublicKeyFile {
        PublicKeyFile::parse(PathBuf::from(name), pem).expect("a key")
    }

    fn p256() -> PublicKeyFile {
        file("p256.pem", vector!("p256.pem"))
    }

    fn error(component: &[u8], signature: Option<&[u8]>, keys: &[PublicKeyFile]) -> String {
        let error = verify(component, signature, keys).expect_err("refused");
        error.to_string()
    }

    fn cosign_2(signature: &[u8]) -> String {
        let signature = STANDARD.encode(signature);
        let key = STANDARD.encode(vector!("p256.pem"));
        format!(r#"{{"base64Signature":"{signature}","cert":"{key}"}}"#)
    }

    fn sigstore(signature: &[u8], of: &[u8]) -> String {
        let signature = STANDARD.encode(signature);
        let digest = STANDARD.encode(<sha2::Sha256 as sha2::Digest>::digest(of));
        format!(
            r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial":{{"publicKey":{{"hint":"aGludA=="}},"tlogEntries":[]}},
            "messageSignature":{{"messageDigest":{{"algorithm":"SHA2_256","digest":"{digest}"}},
            "signature":"{signature}"}}}}"#
        )
    }

    #[test]
    fn signatures_of_each_kind_of_key_are_verified_and_the_key_is_named() {
        let keys = [
            file("p256.pem", vector!("p256.pem")),
            file("p384.pem", vector!("p384.pem")),
            file("ed25519.pem", vector!("ed25519.pem")),
            file("rsa2048.pem", vector!("rsa2048.pem")),
        ];
        for (signature, by) in [
            (&vector!("p256.sig")[..], "p256.pem"),
            (vector!("p384.sig"), "p384.pem"),
            (vector!("p384-sha384.sig"), "p384.pem"),
            (vector!("ed25519.sig"), "ed25519.pem"),
            (vector!("rsa2048.sig"), "rsa2048.pem"),
        ] {
            let verified = verify(COMPONENT, Some(signature), &keys).expect(by);
            assert_eq!(verified.file, PathBuf::from(by));
            let key = keys.iter().find(|file| file.path == verified.file);
            assert_eq!(verified.fingerprint, key.expect("ours").keys[0].fingerprint);
        }
    }

    #[test]
    fn each_form_of_the_file_is_understood() {
        let signature = vector!("p256.sig");
        let base64 = STANDARD.encode(signature);
        let (first, second) = base64.split_at(64);
        for form in [
            signature.to_vec(),
            base64.clone().into_bytes(),
            format!("{first}\n{second}\n").into_bytes(),
            cosign_2(signature).into_bytes(),
            sigstore(signature, COMPONENT).into_bytes(),
        ] {
            let verified = verify(COMPONENT, Some(&form), &[p256()]);
            assert!(verified.is_ok(), "{verified:?}: {form:?}");
        }
    }

    #[test]
    fn another_key_and_other_bytes_are_refused_in_each_form() {
        let signature = vector!("p256.sig");
        let others = [
            file("p384.pem", vector!("p384.pem")),
            file("rsa2048.pem", vector!("rsa2048.pem")),
        ];
        let mut other_bytes = COMPONENT.to_vec();
        other_bytes[15] ^= 1;
        for form in [
            signature.to_vec(),
            STANDARD.encode(signature).into_bytes(),
            cosign_2(signature).into_bytes(),
        ] {
            let error = error(COMPONENT, Some(&form), &others);
            assert!(
                error.contains("none of the 2 keys") && error.contains("p384.pem, rsa2048.pem"),
                "{error}"
            );
            let error = self::error(&other_bytes, Some(&form), &[p256()]);
            assert!(error.contains("none of the 1 keys"), "{error}");
        }
        // Also where a bundle's digest is made to fit.
        let bundle = sigstore(signature, &other_bytes).into_bytes();
        let error = error(&other_bytes, Some(&bundle), &[p256()]);
        assert!(error.contains("none of the 1 keys"), "{error}");
    }

    #[test]
    fn a_bundle_of_another_file_says_so() {
        let bundle = sigstore(vector!("p256.sig"), b"another file").into_bytes();
        let error = error(COMPONENT, Some(&bundle), &[p256()]);
        assert!(
            error.contains(&sha256_hex(b"another file")) && error.contains(&sha256_hex(COMPONENT)),
            "{error}"
        );
    }

    #[test]
    fn no_signature_and_what_is_none_are_told_apart() {
        let missing = error(COMPONENT, None, &[p256()]);
        assert!(
            missing.contains("there is no signature beside it"),
            "{missing}"
        );
        let signature = vector!("p256.sig");
        for (file, reason) in [
            (&b""[..], "is empty"),
            (b" \n", "is empty"),
            (b"garbage, not base64", "is text"),
            (b"Z2FyYmFnZQ==", "is text"),
            (&signature[..40], "is binary"),
            (&vector!("ed25519.sig")[..63], "is binary"),
            (vector!("p256.pem"), "is text"),
            (b"{", "is no bundle"),
            (b"{}", "JSON without a signature"),
            (br#"{"base64Signature":7}"#, "is no bundle"),
            (br#"{"base64Signature":"AAAA"}"#, "no base64 of one"),
            (
                br#"{"dsseEnvelope":{"payload":"e30=","signatures":[]}}"#,
                "attestation",
            ),
        ] {
            let error = error(COMPONENT, Some(file), &[p256()]);
            assert!(
                error.contains("is not a signature") && error.contains(reason),
                "{file:?}: {error}"
            );
        }
    }

    #[test]
    fn no_changed_bit_of_a_signature_passes() {
        let signature = vector!("p256.sig");
        for bit in 0..signature.len() * 8 {
            let mut changed = signature.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                verify(COMPONENT, Some(&changed), &[p256()]).is_err(),
                "{bit}"
            );
        }
    }
}
