//! Bytes that cross a pipe as text and are wiped when nobody needs them any more.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

/// The body of a request or an answer; a key can be in it. Base64 on the pipe: a list of numbers would be
/// four times as long.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(Zeroizing<Vec<u8>>);

impl Body {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.as_bytes())))
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = STANDARD.decode(text.as_bytes());
        // The decoder's own words would quote from the text.
        bytes
            .map(Self::new)
            .map_err(|_| de::Error::custom("a body is not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_crosses_the_pipe_unchanged_and_unseen() {
        let body = Body::new(vec![0, 255, b'\n', 7]);
        let text = serde_json::to_string(&body).expect("text");
        assert_eq!(text, "\"AP8KBw==\"");
        let back: Body = serde_json::from_str(&text).expect("a body");
        assert_eq!(back, body);
        assert_eq!(format!("{back:?}"), "Body(4 bytes)");
        assert!(serde_json::from_str::<Body>("\"?\"").is_err());
    }
}
