//! FlexVolume's `device`: a string from `attach` that kubelet hands to `waitforattach` and `mountdevice`.
//!
//! The controller attaches on another machine than the one that mounts, so the publish context travels in
//! it. Never empty: with an empty device kubelet would skip its own mount too, and pods would write to the
//! node's disk.

use crate::error::DriverError;
use crate::volume::Parameters;

const PREFIX: &str = "drivebay:";

/// `drivebay:key=value&key=value`, with `%XX` for anything unusual.
pub(super) fn encode(publish_context: &Parameters) -> String {
    let pair = |(key, value): &(String, String)| format!("{}={}", escaped(key), escaped(value));
    let pairs: Vec<String> = publish_context.pairs().iter().map(pair).collect();
    format!("{PREFIX}{}", pairs.join("&"))
}

/// The inverse. An empty device is what kubelet sends after an attach that it was not told about.
pub(super) fn decode(device: &str) -> Result<Parameters, DriverError> {
    if device.is_empty() {
        return Ok(Parameters::default());
    }
    let pairs = device.strip_prefix(PREFIX).and_then(|text| {
        text.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=')?;
                Some((plain(key)?, plain(value)?))
            })
            .collect::<Option<Vec<_>>>()
    });
    pairs.map(Parameters::new).ok_or_else(|| {
        DriverError::invalid_argument(format!(
            "device {device:?} is not a device that this driver returned from attach"
        ))
    })
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b':' => {
                out.push(char::from(byte))
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn plain(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.map(char::from).and_then(|digit| digit.to_digit(16));
        let value = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&str, &str)]) -> Parameters {
        Parameters::new(
            pairs
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
        )
    }

    #[test]
    fn what_attach_returned_arrives_at_mountdevice() {
        let context = context(&[("serial", "d-1"), ("note", "a&b={%}ü")]);
        assert_eq!(decode(&encode(&context)).expect("ours"), context);
    }

    #[test]
    fn a_device_is_never_empty_and_never_looks_like_options() {
        assert_eq!(encode(&context(&[])), "drivebay:");
        assert!(!encode(&context(&[("{", "{")])).contains('{'));
    }

    #[test]
    fn a_foreign_device_is_refused() {
        assert!(decode("/dev/vdb").is_err());
        assert!(decode("drivebay:a%G0=1").is_err());
        assert!(decode("").expect("nothing known").pairs().is_empty());
    }
}
