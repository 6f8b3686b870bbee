//! A question and its answer, as people and programs can read them.

use serde_json::{Map, Value};

use super::answer::Answer;
use super::ask::Ask;
use super::line::Violation;
use super::readable::readable;
use crate::error::one_line;

/// Of a line for people, in bytes.
const LONGEST: usize = 2000;

/// Of one text in it, in characters.
const LONGEST_TEXT: usize = 200;

/// Without anything that the call brought.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exchange {
    ask: Value,
    answer: Result<Value, String>,
}

impl Exchange {
    /// `hide` takes out of a text what the call brought.
    pub(super) fn of(
        ask: &Ask,
        answer: &Result<Answer, Violation>,
        hide: &dyn Fn(String) -> String,
    ) -> Self {
        let mut exchange = Self {
            ask: readable(ask),
            answer: match answer {
                Ok(answer) => Ok(readable(answer)),
                Err(violation) => Err(violation.to_string()),
            },
        };
        hide_in(&mut exchange.ask, hide);
        if let Ok(answer) = &mut exchange.answer {
            hide_in(answer, hide);
        }
        exchange
    }

    /// As a line of a tape.
    pub(crate) fn line(&self) -> String {
        let ask = &self.ask;
        match &self.answer {
            Ok(answer) => format!(r#"{{"ask":{ask},"answer":{answer}}}"#),
            Err(violation) => {
                format!(
                    r#"{{"ask":{ask},"violation":{}}}"#,
                    Value::from(violation.as_str())
                )
            }
        }
    }

    /// For people: what was asked, and what came of it. Nothing of lines for the log, which are told as such, and of
    /// handles that are given back.
    pub(crate) fn in_words(&self) -> Option<String> {
        let (interface, ..) = parts(&self.ask)?;
        if interface == "log" {
            return None;
        }
        let line = question_in_words(&self.ask);
        let answer = match &self.answer {
            Ok(answer) => answer_in_words(answer),
            Err(violation) => format!("the call is over: {violation}"),
        };
        Some(one_line(&format!("{line} -> {answer}"), LONGEST))
    }
}

/// For people, without an answer.
pub(super) fn question_in_words(ask: &Value) -> String {
    let Some((interface, function, parameters)) = parts(ask) else {
        return ask.to_string();
    };
    let mut line = format!("{interface}.{function}");
    for (name, value) in parameters {
        line += &format!(" {name}={}", parameter(name, value));
    }
    line
}

/// Interface, function and parameters; none of a handle that is given back.
fn parts(ask: &Value) -> Option<(&str, &str, &Map<String, Value>)> {
    let (interface, function) = ask.as_object()?.iter().next()?;
    let (function, parameters) = function.as_object()?.iter().next()?;
    Some((interface, function, parameters.as_object()?))
}

fn parameter(name: &str, value: &Value) -> String {
    match (name, value.as_u64()) {
        ("mode", Some(mode)) => format!("{mode:04o}"),
        _ => in_words(value),
    }
}

fn answer_in_words(answer: &Value) -> String {
    let only = answer.as_object().and_then(|answer| answer.iter().next());
    match only {
        None => answer.as_str().unwrap_or_default().to_owned(),
        Some((kind, told)) if kind == "failed" => {
            let text = |key: &str| told[key].as_str().unwrap_or_default();
            format!("{}: {}", text("condition"), text("message"))
        }
        Some((kind, told)) => format!("{kind} {}", in_words(told)),
    }
}

/// Bytes that are a text are told as one.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", cut(text)),
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(in_words).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(object) => {
            if let (Some(text), 1) = (object.get("text"), object.len()) {
                return in_words(text);
            }
            let pairs = object.iter();
            let pairs: Vec<String> = pairs
                .map(|(name, value)| format!("{name}={}", parameter(name, value)))
                .collect();
            format!("{{{}}}", pairs.join(" "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn hide_in(value: &mut Value, hide: &dyn Fn(String) -> String) {
    match value {
        Value::String(text) => *text = hide(std::mem::take(text)),
        Value::Array(list) => list.iter_mut().for_each(|item| hide_in(item, hide)),
        Value::Object(object) => object.values_mut().for_each(|item| hide_in(item, hide)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::answer::{FileStatus, Told};
    use crate::broker::ask::{FilesAsk, Level, LogAsk, MountsAsk};
    use crate::broker::handle::{DirectoryHandle, TargetHandle};
    use crate::broker::private::Private;
    use crate::error::Condition;

    fn words(ask: impl Into<Ask>, answer: Answer) -> Option<String> {
        let hide = |text: String| text.replace("hunter2", "*******");
        Exchange::of(&ask.into(), &Ok(answer), &hide).in_words()
    }

    #[test]
    fn people_read_what_was_asked_and_what_came_of_it() {
        let directory = DirectoryHandle(2);
        let path = || "a".to_owned();
        let content = Private(b"hunter2\n".to_vec());
        let status = FileStatus {
            kind: "file".into(),
            mode: 0o640,
            size_bytes: 7,
            mtime_seconds: 1,
        };
        let failed = Told {
            condition: Condition::NotFound,
            message: "no".into(),
        };
        let open = MountsAsk::OpenDirectory {
            name: "pool".into(),
        };
        for (said, expected) in [
            (
                words(open, Answer::Directory(directory)),
                "mounts.open-directory name=\"pool\" -> directory 2",
            ),
            (
                words(
                    FilesAsk::Mkdir {
                        directory,
                        path: path(),
                        mode: 0o755,
                    },
                    Answer::Done,
                ),
                "files.mkdir directory=2 mode=0755 path=\"a\" -> done",
            ),
            (
                words(
                    FilesAsk::WriteFile {
                        directory,
                        path: path(),
                        content,
                    },
                    Answer::Done,
                ),
                "files.write-file content=\"*******\\n\" directory=2 path=\"a\" -> done",
            ),
            (
                words(
                    FilesAsk::Stat {
                        directory,
                        path: path(),
                    },
                    Answer::Status(status),
                ),
                "files.stat directory=2 path=\"a\" -> status {kind=\"file\" mode=0640 mtime_seconds=1 size_bytes=7}",
            ),
            (
                words(
                    FilesAsk::Stat {
                        directory,
                        path: path(),
                    },
                    Answer::Failed(failed),
                ),
                "files.stat directory=2 path=\"a\" -> not-found: no",
            ),
        ] {
            assert_eq!(said.as_deref(), Some(expected));
        }
    }

    #[test]
    fn of_the_log_and_of_handles_that_are_given_back_nothing_is_said_twice() {
        let line = LogAsk::Write {
            level: Level::Info,
            message: "x".into(),
        };
        assert_eq!(words(line, Answer::Done), None);
        let handle = Ask::Drop(TargetHandle(1).into());
        assert_eq!(words(handle, Answer::Done), None);
    }
}
