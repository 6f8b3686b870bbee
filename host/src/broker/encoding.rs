//! Questions and answers as bytes, for the day on which a pipe lies on the line. As workers are asked: JSON, by serde.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Of one message, in bytes: the largest answer is a response's body of 16 MiB (`max-response`), each byte of which has
/// up to four characters; and what stands around it.
const MAX_MESSAGE_BYTES: usize = 72 << 20;

/// Why a message is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodingError {
    #[error("a message of {bytes} bytes is refused: {MAX_MESSAGE_BYTES} are the most")]
    TooLarge { bytes: usize },
    #[error("a message cannot be read")]
    Unreadable,
}

pub(crate) fn encode(message: &impl Serialize) -> Result<Vec<u8>, EncodingError> {
    let bytes = serde_json::to_vec(message).map_err(|_| EncodingError::Unreadable)?;
    bounded(&bytes)?;
    Ok(bytes)
}

/// The reader's own words could quote from what is private.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, EncodingError> {
    bounded(bytes)?;
    serde_json::from_slice(bytes).map_err(|_| EncodingError::Unreadable)
}

fn bounded(bytes: &[u8]) -> Result<(), EncodingError> {
    match bytes.len() > MAX_MESSAGE_BYTES {
        true => Err(EncodingError::TooLarge { bytes: bytes.len() }),
        false => Ok(()),
    }
}
