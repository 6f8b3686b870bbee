//! Digests of components, as the operator's files write them.

use super::ConfigError;
use super::section::Section;

/// All 64 digits: in a file that outlives the versions of today a beginning may come to mean two. `sha256:` before them
/// is what registries and `kubectl` print.
///
/// # Errors
/// The text, and what it should have been.
pub(super) fn digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match digits.len() == 64 && digits.bytes().all(is_hex) {
        true => Ok(digits.to_owned()),
        false => Err(format!("{text:?}, which is not 64 lower-case hex digits")),
    }
}

/// A list of them; none without the key.
pub(super) fn digests(
    section: &mut Section<'_>,
    key: &'static str,
) -> Result<Vec<String>, ConfigError> {
    let texts = section.strings(key)?.unwrap_or_default();
    let digests = texts.into_iter().map(digest).collect::<Result<_, _>>();
    digests.map_err(|reason| section.bad(key, format!("holds {reason}")))
}
