//! What goes to the worker that compiles and comes from it: one line of JSON, and bytes behind it.

use serde::{Deserialize, Serialize};

use crate::store::manifest::{Description, Interfaces};

/// An answer that is none, as a sentence about the worker.
pub(super) const SENSELESS: &str = "gave an answer that cannot be read";

/// What is asked of the bytes behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Question {
    /// Whether a component is of the contract.
    Check,
    /// The compiled code of a component that was checked.
    Compile,
    /// Whether compiled code works, of a component with those interfaces.
    SelfTest(Interfaces),
}

/// What was done, for each question.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Done {
    Checked(Interfaces),
    /// The code is behind it.
    Compiled,
    Passed(Description),
}

/// Why it was not.
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

pub(super) fn question(question: &Question, bytes: &[u8]) -> Vec<u8> {
    message(question, bytes)
}

pub(super) fn read_question(text: &[u8]) -> Result<(Question, &[u8]), String> {
    parts(text)
}

pub(super) fn write(answer: Result<(Done, Vec<u8>), Refusal>) -> Vec<u8> {
    let (said, code) = match answer {
        Ok((done, code)) => (Ok(done), code),
        Err(refusal) => (Err(refusal), Vec::new()),
    };
    message(&said, &code)
}

pub(super) fn read(text: &[u8]) -> Result<(Result<Done, Refusal>, &[u8]), String> {
    parts(text)
}

fn message(said: &impl Serialize, bytes: &[u8]) -> Vec<u8> {
    // Strings and numbers always become JSON, which has no newline of its own.
    let mut message = serde_json::to_vec(said).unwrap_or_default();
    message.push(b'\n');
    message.extend_from_slice(bytes);
    message
}

fn parts<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<(T, &'a [u8]), String> {
    let senseless = || SENSELESS.to_owned();
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
        let (asked, component) = (Question::Compile, &b"\0asm\nmore"[..]);
        let question = question(&asked, component);
        assert_eq!(read_question(&question), Ok((asked, component)));
        let refusal = || Refusal::Unfit("a\nb".to_owned());
        assert_eq!(read(&write(Err(refusal()))), Ok((Err(refusal()), &b""[..])));
        let done = write(Ok((Done::Compiled, b"code\n".to_vec())));
        assert_eq!(read(&done), Ok((Ok(Done::Compiled), &b"code\n"[..])));
    }

    #[test]
    fn an_answer_that_broke_off_is_none() {
        for text in [&b""[..], b"{", b"{}\n", b"\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
