//! Everything that is random: ids, keys, and by how much things are late.

use std::time::Duration;

/// Characters of the cloud's ids.
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Characters of an id after its prefix; for disks this is also the longest serial that virtio-blk can carry.
const ID_LENGTH: usize = 20;

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Linux has had random bytes for everyone since before containers; without them there is nothing to test.
    assert!(getrandom::fill(&mut bytes).is_ok(), "no random bytes");
    bytes
}

fn text<const N: usize>() -> String {
    let letter = |byte: u8| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]);
    bytes::<N>().map(letter).iter().collect()
}

/// A new id of a resource, such as `d-…` for the prefix `d`.
pub(crate) fn id(prefix: &str) -> String {
    format!("{prefix}-{}", text::<ID_LENGTH>())
}

/// A secret or a token.
pub(crate) fn secret() -> String {
    text::<40>()
}

/// An answer's id, in the groups of a UUID.
pub(crate) fn request_id() -> String {
    let hex: String = bytes::<16>()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let groups = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    groups.join("-")
}

/// Any duration up to this one, so that what began in order does not end in order.
pub(crate) fn up_to(most: Duration) -> Duration {
    let part = u32::from(u16::from_le_bytes(bytes()));
    most * part / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_ids_leave_a_serial_of_20_characters() {
        let id = id("d");
        assert_eq!(id.len(), 22, "{id}");
        assert!(id[2..].bytes().all(|byte| ALPHABET.contains(&byte)), "{id}");
    }

    #[test]
    fn request_ids_look_like_the_clouds() {
        let groups: Vec<usize> = request_id().split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
    }
}
