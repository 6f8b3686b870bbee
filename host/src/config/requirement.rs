//! `[require]`: which components may serve a driver.
//!
//! ```toml
//! [require]
//! sha256 = ["DIGEST"]                                   # these,
//! public-keys = ["release.pem"]                         # and those that one of these keys signed; beside this file
//! ```

use super::ConfigError;
use super::public_key::PublicKeyFile;
use super::section::Section;
use super::sha256_digest::digests;

/// `[require]`. A component satisfies it by its digest or by a signature; either suffices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// Digests, 64 lower-case hex digits each.
    pub sha256: Vec<String>,
    /// Files of the keys one of which has to have signed it.
    pub public_keys: Vec<PublicKeyFile>,
}

impl Requirement {
    /// Whether any component of the driver's name will do.
    pub fn is_empty(&self) -> bool {
        self.sha256.is_empty() && self.public_keys.is_empty()
    }

    /// Whether a component with that digest will do, whoever signed it.
    pub fn allows_digest(&self, sha256: &str) -> bool {
        self.is_empty() || self.sha256.iter().any(|digest| digest == sha256)
    }

    /// Whether the key with that fingerprint is one of those that may have signed it.
    pub fn lists_key(&self, fingerprint: &str) -> bool {
        let mut files = self.public_keys.iter();
        files.any(|file| file.fingerprints.iter().any(|known| known == fingerprint))
    }
}

pub(super) fn requirement(root: &mut Section<'_>) -> Result<Requirement, ConfigError> {
    let Some(mut section) = root.section("require")? else {
        return Ok(Requirement::default());
    };
    let requirement = Requirement {
        sha256: digests(&mut section, "sha256")?,
        public_keys: public_keys(&mut section)?,
    };
    section.finish()?;
    Ok(requirement)
}

fn public_keys(section: &mut Section<'_>) -> Result<Vec<PublicKeyFile>, ConfigError> {
    const KEY: &str = "public-keys";
    let mut files = Vec::new();
    for text in section.strings(KEY)?.unwrap_or_default() {
        let path = section.file_named(text);
        let path =
            path.map_err(|reason| section.bad(KEY, format!("holds {text:?}, which {reason}")))?;
        let file = PublicKeyFile::load(path)
            .map_err(|reason| section.bad(KEY, format!("names {text}, {reason}")))?;
        files.push(file);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(text: &str) -> Result<Requirement, String> {
        parse_in(Path::new("/"), text)
    }

    fn parse_in(directory: &Path, text: &str) -> Result<Requirement, String> {
        let table: toml::Table = toml::from_str(text).expect("TOML");
        requirement(&mut Section::root(&directory.join("x.toml"), &table))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_listed_digest_will_do_and_without_a_requirement_any() {
        let (one, other) = ("1".repeat(64), "2".repeat(64));
        let any = parse("").expect("valid");
        assert!(any.is_empty() && any.allows_digest(&one));
        let listed = parse(&format!("[require]\nsha256 = [\"sha256:{one}\"]")).expect("valid");
        assert!(listed.allows_digest(&one) && !listed.allows_digest(&other));
    }

    #[test]
    fn with_keys_alone_no_digest_will_do() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("release.pem");
        std::fs::write(&file, include_str!("../store/signature/vectors/p256.pem"))
            .expect("written");
        let text = format!("[require]\npublic-keys = [{file:?}]");
        let signed = parse(&text).expect("valid");
        assert_eq!(signed.public_keys[0].path, file);
        assert!(!signed.is_empty() && !signed.allows_digest(&"1".repeat(64)));
        let beside = parse_in(root.path(), "[require]\npublic-keys = [\"release.pem\"]");
        assert_eq!(beside, Ok(signed));
    }

    #[test]
    fn files_that_are_no_keys_are_named_with_the_reason() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("release.pem");
        std::fs::write(&file, "no key").expect("written");
        for (text, part) in [
            (
                "[require]\npublic-keys = [\"../release.pem\"]".to_owned(),
                "require.public-keys holds \"../release.pem\", which is neither an absolute path"
                    .to_owned(),
            ),
            #[cfg(feature = "compiler")]
            (
                format!("[require]\npublic-keys = [{file:?}]"),
                format!(
                    "/x.toml: require.public-keys names {}, which holds no public key",
                    file.display()
                ),
            ),
            (
                "[require]\npublic-key = []".to_owned(),
                "did you mean \"require.public-keys\"?".to_owned(),
            ),
            (
                "[require]\nsha256 = [\"abc\"]".to_owned(),
                "require.sha256 holds \"abc\", which is not 64 lower-case hex digits".to_owned(),
            ),
        ] {
            let error = parse(&text).expect_err(&text);
            assert!(error.contains(&part), "{text:?} gave {error:?}");
        }
    }
}
