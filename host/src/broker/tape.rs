//! A tape of what a component asked and was answered: lines of JSON, in their order.
//!
//! ```text
//! {"tape":1}                        the form of the lines that follow
//! {"call":{"targets":[3]}}          a call of the guest begins; handles that it is lent
//! {"ask":…,"answer":…}              a question and its answer
//! {"ask":…,"violation":"…"}         one that ended the call
//! {"result":…}  {"error":…}         what came of the operation
//! ```

use std::collections::VecDeque;

use serde_json::{Value, json};

/// Rises when earlier hosts could not read the lines.
const FORM: u64 = 1;

/// The first line.
pub(crate) fn head_line() -> String {
    json!({ "tape": FORM }).to_string()
}

/// A call begins.
pub(crate) fn call_line(targets: &[u32]) -> String {
    json!({ "call": { "targets": targets } }).to_string()
}

/// All that is on one.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) calls: VecDeque<TapedCall>,
    pub(super) end: Option<Value>,
}

/// One call of the guest.
#[derive(Debug, Default)]
pub(super) struct TapedCall {
    pub(super) targets: Vec<u32>,
    pub(super) exchanges: VecDeque<Taped>,
}

/// One question; without an answer where it ended the call.
#[derive(Debug)]
pub(super) struct Taped {
    pub(super) ask: Value,
    pub(super) answer: Option<Value>,
}

/// Why a tape cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is none of a tape: {reason}")]
pub(crate) struct TapeError {
    line: usize,
    reason: &'static str,
}

impl Tape {
    pub(super) fn parse(text: &str) -> Result<Self, TapeError> {
        let mut tape = Self::default();
        let mut lines = text.lines();
        let wrong = |line| move |reason| TapeError { line, reason };
        head(lines.next().unwrap_or_default()).map_err(wrong(1))?;
        for (at, line) in lines.enumerate() {
            tape.take(line).map_err(wrong(at + 2))?;
        }
        Ok(tape)
    }

    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        let mut line: Value = serde_json::from_str(line).map_err(|_| "it is not JSON")?;
        if let Some(call) = line.get("call") {
            let targets = call["targets"]
                .as_array()
                .ok_or("its call lends no targets")?;
            let number = |target: &Value| target.as_u64().and_then(|it| u32::try_from(it).ok());
            let targets: Option<Vec<u32>> = targets.iter().map(number).collect();
            self.calls.push_back(TapedCall {
                targets: targets.ok_or("a target is no handle")?,
                exchanges: VecDeque::new(),
            });
        } else if line.get("ask").is_some() {
            let call = self.calls.back_mut().ok_or("no call has begun")?;
            let answer = line.get_mut("answer").map(Value::take);
            if answer.is_none() && line.get("violation").is_none() {
                return Err("it has a question and no answer");
            }
            let ask = line["ask"].take();
            call.exchanges.push_back(Taped { ask, answer });
        } else if line.get("result").is_some() || line.get("error").is_some() {
            self.end = Some(line);
        } else {
            return Err("it has neither call, ask, result nor error");
        }
        Ok(())
    }
}

fn head(line: &str) -> Result<(), &'static str> {
    let line: Option<Value> = serde_json::from_str(line).ok();
    match line.as_ref().and_then(|line| line["tape"].as_u64()) {
        Some(FORM) => Ok(()),
        Some(_) => Err("another drivebay wrote it, and this one cannot read it"),
        None => Err("a tape begins with {\"tape\":1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let head = head_line();
        for (lines, line, words) in [
            ("", 1, "begins with"),
            ("{\"tape\":9}", 1, "another drivebay"),
            ("HEAD\n{", 2, "not JSON"),
            (
                "HEAD\n{\"ask\":{},\"answer\":\"done\"}",
                2,
                "no call has begun",
            ),
            (
                "HEAD\n{\"call\":{\"targets\":[]}}\n{\"ask\":{}}",
                3,
                "no answer",
            ),
            ("HEAD\n{\"call\":{\"targets\":[-1]}}", 2, "no handle"),
            ("HEAD\n{\"x\":1}", 2, "neither call"),
        ] {
            let error = Tape::parse(&lines.replace("HEAD", &head)).expect_err("wrong");
            assert_eq!(error.line, line, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
