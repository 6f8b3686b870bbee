//! Answers from a tape: each question has to be the one that was asked then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::answer::Answer;
use super::ask::Ask;
use super::exchange::question_in_words;
use super::handle::TargetHandle;
use super::line::{Broker, CallReport, Violation};
use super::readable::{from_readable, readable};
use super::tape::{Tape, TapeError, Taped};

/// Of one operation, for all calls of its guest; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Replay(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    tape: Tape,
    /// In words.
    differences: Vec<String>,
}

/// Answers one call.
#[derive(Debug)]
pub(crate) struct ReplayBroker {
    replay: Replay,
    left: VecDeque<Taped>,
    asked: usize,
}

impl Replay {
    pub(crate) fn of(text: &str) -> Result<Self, TapeError> {
        Ok(Self(Arc::new(Mutex::new(State {
            tape: Tape::parse(text)?,
            differences: Vec::new(),
        }))))
    }

    /// The target that the next call was lent.
    pub(crate) fn lent(&self) -> Option<TargetHandle> {
        let state = self.state();
        let target = state.tape.calls.front()?.targets.first()?;
        Some(TargetHandle(*target))
    }

    /// The next call.
    pub(crate) fn call(&self) -> ReplayBroker {
        let call = self.state().tape.calls.pop_front();
        if call.is_none() {
            self.differ("the tape has no other call of the guest".to_owned());
        }
        ReplayBroker {
            replay: self.clone(),
            left: call.unwrap_or_default().exchanges,
            asked: 0,
        }
    }

    /// In what it went another way than the tape says, once the operation ended so: a line of a tape.
    pub(crate) fn differences(&self, end: &str) -> Vec<String> {
        let mut state = self.state();
        let mut differences = std::mem::take(&mut state.differences);
        if !differences.is_empty() {
            return differences;
        }
        if !state.tape.calls.is_empty() {
            differences
                .push("the tape has another call of the guest, which did not come".to_owned());
        }
        let end: Option<Value> = serde_json::from_str(end).ok();
        match &state.tape.end {
            Some(then) if Some(then) != end.as_ref() => differences.push(format!(
                "the tape ends with {then}, and this run with {}",
                end.unwrap_or_default()
            )),
            Some(_) | None => {}
        }
        differences
    }

    fn differ(&self, difference: String) {
        self.state().differences.push(difference);
    }

    /// A panic elsewhere leaves it as it was.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplayBroker {
    /// What a guest logs, and when it gives a handle back, may change: nothing is answered to it.
    fn next(&mut self) -> Option<Taped> {
        let is_answered = |taped: &Taped| taped.ask.get("log").or(taped.ask.get("drop")).is_none();
        loop {
            match self.left.pop_front()? {
                taped if is_answered(&taped) => return Some(taped),
                _ => {}
            }
        }
    }

    fn answer(&mut self, asked: &Value) -> Result<Answer, String> {
        let asked_now = || question_in_words(asked);
        let Some(then) = self.next() else {
            return Err(format!(
                "the tape has no more questions, and the component asked {}",
                asked_now()
            ));
        };
        if then.ask != *asked {
            return Err(format!(
                "the tape has {}, and the component asked {}",
                question_in_words(&then.ask),
                asked_now()
            ));
        }
        let answer = then.answer.ok_or("the call ended there")?;
        from_readable(answer).ok_or_else(|| format!("the tape has no answer to {}", asked_now()))
    }
}

impl Broker for ReplayBroker {
    fn ask(&mut self, ask: Ask) -> Result<Answer, Violation> {
        if matches!(ask, Ask::Log(_) | Ask::Drop(_)) {
            return Ok(Answer::Done);
        }
        self.asked += 1;
        self.answer(&readable(&ask)).map_err(|difference| {
            let difference = format!("question {} of a call: {difference}", self.asked);
            self.replay.differ(difference);
            Violation::Ended
        })
    }

    /// What a call brought is not on a tape.
    fn without_secrets(&self, said: String) -> String {
        said
    }

    fn end(&mut self) -> CallReport {
        let is_as_then = self.replay.state().differences.is_empty();
        if let Some(then) = self.next()
            && is_as_then
        {
            let words = question_in_words(&then.ask);
            self.replay.differ(format!(
                "the tape has {words}, and the component did not ask it"
            ));
        }
        CallReport::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::ask::{FilesAsk, MountsAsk};
    use crate::broker::exchange::Exchange;
    use crate::broker::handle::DirectoryHandle;
    use crate::broker::private::Private;
    use crate::broker::tape::{call_line, head_line};

    const DIRECTORY: DirectoryHandle = DirectoryHandle(7);

    fn open(name: &str) -> Ask {
        MountsAsk::OpenDirectory { name: name.into() }.into()
    }

    fn read() -> Ask {
        FilesAsk::ReadFile {
            directory: DIRECTORY,
            path: "a".into(),
        }
        .into()
    }

    /// Of a call that is lent target 3, opens a directory and reads a file.
    fn tape() -> String {
        let line = |ask: Ask, answer: Answer| Exchange::of(&ask, &Ok(answer), &|said| said).line();
        let content = Answer::Content(Private(vec![0xff, 1]));
        [
            head_line(),
            call_line(&[3]),
            line(open("pool"), Answer::Directory(DIRECTORY)),
            line(read(), content),
            r#"{"result":{}}"#.to_owned(),
        ]
        .join("\n")
    }

    #[test]
    fn the_same_questions_get_the_same_answers() {
        let replay = Replay::of(&tape()).expect("a tape");
        assert_eq!(replay.lent(), Some(TargetHandle(3)));
        let mut call = replay.call();
        assert_eq!(call.ask(open("pool")), Ok(Answer::Directory(DIRECTORY)));
        assert_eq!(call.ask(Ask::Drop(DIRECTORY.into())), Ok(Answer::Done));
        assert_eq!(
            call.ask(read()),
            Ok(Answer::Content(Private(vec![0xff, 1])))
        );
        call.end();
        assert_eq!(replay.differences(r#"{"result":{}}"#), [""; 0]);
    }

    #[test]
    fn another_question_ends_the_call_and_is_told_with_the_one_on_the_tape() {
        let replay = Replay::of(&tape()).expect("a tape");
        let mut call = replay.call();
        assert_eq!(call.ask(open("other")), Err(Violation::Ended));
        call.end();
        assert_eq!(
            replay.differences("{}"),
            [
                r#"question 1 of a call: the tape has mounts.open-directory name="pool", and the component asked mounts.open-directory name="other""#
            ]
        );
    }

    #[test]
    fn what_was_not_asked_and_another_end_are_told() {
        let replay = Replay::of(&tape()).expect("a tape");
        let mut call = replay.call();
        call.ask(open("pool")).expect("on the tape");
        call.end();
        assert!(replay.differences("{}")[0].contains("did not ask it"));
        let replay = Replay::of(&tape()).expect("a tape");
        let mut call = replay.call();
        for ask in [open("pool"), read()] {
            call.ask(ask).expect("on the tape");
        }
        call.end();
        let said = replay.differences(r#"{"result":{"a":1}}"#);
        assert!(said[0].contains(r#"ends with {"result":{}}"#), "{said:?}");
        let replay = Replay::of(&head_line()).expect("a tape");
        replay.call();
        assert!(replay.differences("{}")[0].contains("no other call"));
    }
}
