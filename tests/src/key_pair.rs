//! A key pair made by openssl, and signatures as openssl and cosign write them.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{Node, text};

/// On P-256, which is what `cosign generate-key-pair` makes.
#[derive(Debug)]
pub struct KeyPair {
    private: PathBuf,
    public: PathBuf,
}

impl KeyPair {
    /// In files of that name beneath a directory.
    #[track_caller]
    pub fn make(directory: &Path, name: &str) -> Self {
        let pair = Self {
            private: directory.join(format!("{name}.key")),
            public: directory.join(format!("{name}.pem")),
        };
        let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
        openssl(&[&["genpkey"], &curve[..], &["-out", text(&pair.private)]].concat());
        let (private, public) = (text(&pair.private), text(&pair.public));
        openssl(&["pkey", "-in", private, "-pubout", "-out", public]);
        pair
    }

    /// Where the public key is, in PEM.
    pub fn public(&self) -> &Path {
        &self.public
    }

    /// What `openssl dgst -sha256 -sign` writes.
    #[track_caller]
    pub fn sign(&self, content: &[u8]) -> Vec<u8> {
        let (file, signature) = (
            self.private.with_extension("signed"),
            self.private.with_extension("sig"),
        );
        fs::write(&file, content).expect("writable");
        let private = text(&self.private);
        let (file, into) = (text(&file), text(&signature));
        openssl(&["dgst", "-sha256", "-sign", private, "-out", into, file]);
        fs::read(signature).expect("just written")
    }

    /// What `cosign sign-blob --key … --bundle` writes, without an entry in a log of transparency.
    #[track_caller]
    pub fn bundle(&self, content: &[u8]) -> Vec<u8> {
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": []},
            "messageSignature": {
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": STANDARD.encode(Sha256::digest(content)),
                },
                "signature": STANDARD.encode(self.sign(content)),
            },
        });
        bundle.to_string().into_bytes()
    }
}

#[track_caller]
fn openssl(arguments: &[&str]) {
    let output = Node::run("openssl", arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// SHA-256 as the host writes it.
pub fn digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
