//! What goes to the worker that compiles and comes from it: one line of JSON, and bytes behind it.

use serde::{Deserialize, Serialize};

use crate::store::manifest::Manifest;

/// How much of the component's compilation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wanted {
    /// What the component is and wants.
    Manifest,
    /// Its compiled code too.
    Code,
}

/// Why nothing was compiled.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    NotAComponent(String),
    Unfit(String),
    Broken(String),
    TooManyParts(u64),
    TooManyInstances(u64),
    TooManyNames(u64),
    TooLongName(u64),
    NoMemory,
}

/// What the worker says.
#[derive(Debug, PartialEq)]
pub(super) enum Answer<'a> {
    /// Digests are empty; so is the code where it was not asked for.
    Done {
        manifest: Manifest,
        code: &'a [u8],
    },
    Refused(Refusal),
}

pub(super) fn question(wanted: Wanted, component: &[u8]) -> Vec<u8> {
    message(&wanted, component)
}

pub(super) fn read_question(text: &[u8]) -> Result<(Wanted, &[u8]), String> {
    parts(text)
}

pub(super) fn write(answer: Result<(Manifest, Vec<u8>), Refusal>) -> Vec<u8> {
    let (said, code) = match answer {
        Ok((manifest, code)) => (Ok(manifest), code),
        Err(refusal) => (Err(refusal), Vec::new()),
    };
    message(&said, &code)
}

pub(super) fn read(text: &[u8]) -> Result<Answer<'_>, String> {
    let (said, code) = parts::<Result<Manifest, Refusal>>(text)?;
    Ok(match said {
        Ok(manifest) => Answer::Done { manifest, code },
        Err(refusal) => Answer::Refused(refusal),
    })
}

fn message(said: &impl Serialize, bytes: &[u8]) -> Vec<u8> {
    // Strings and numbers always become JSON, which has no newline of its own.
    let mut message = serde_json::to_vec(said).unwrap_or_default();
    message.push(b'\n');
    message.extend_from_slice(bytes);
    message
}

fn parts<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<(T, &'a [u8]), String> {
    let senseless = || "gave an answer that cannot be read".to_owned();
    let end = text
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or_else(senseless)?;
    let said = serde_json::from_slice(&text[..end]).map_err(|_| senseless())?;
    Ok((said, &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (wanted, component) = (Wanted::Code, &b"\0asm\nmore"[..]);
        let question = question(wanted, component);
        assert_eq!(read_question(&question), Ok((wanted, component)));
        let refusal = || Refusal::Unfit("a\nb".to_owned());
        assert_eq!(read(&write(Err(refusal()))), Ok(Answer::Refused(refusal())));
    }

    #[test]
    fn an_answer_that_broke_off_is_none() {
        for text in [&b""[..], b"{", b"{}\n", b"\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
