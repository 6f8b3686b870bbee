//! What people are told of objects.
//!
//! kube's recorder takes two events of one object for the same if their reasons are, and counts the second one up with the
//! first one's text. Here that text is what matters: it has the backend's own words. So each new text has a recorder of its
//! own, and only what is said again is counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::intent::Holder;

/// Who speaks in events, and of what he does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speaker {
    controller: &'static str,
    action: &'static str,
}

/// Of claims and their volumes.
pub(crate) const PROVISION: Speaker = Speaker {
    controller: "drivebay.dev/provision",
    action: "Provision",
};

/// Of ConfigMaps that are delivered.
pub(crate) const DELIVER: Speaker = Speaker {
    controller: "drivebay.dev/deliver",
    action: "Deliver",
};

/// Kubernetes' bound on an event's text, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Of so many objects it is remembered what was said last. What is forgotten is said anew, and not counted.
const REMEMBERED: usize = 1000;

/// What an event says.
pub(crate) struct Said<'a> {
    pub(crate) kind: EventType,
    pub(crate) reason: &'a str,
    pub(crate) note: String,
}

impl<'a> Said<'a> {
    pub(crate) fn good(reason: &'a str, note: String) -> Self {
        let kind = EventType::Normal;
        Self { kind, reason, note }
    }

    pub(crate) fn bad(reason: &'a str, note: String) -> Self {
        let kind = EventType::Warning;
        Self { kind, reason, note }
    }
}

/// Who writes events.
pub(crate) struct Events {
    client: Client,
    reporter: Reporter,
    action: &'static str,
    last: Mutex<Last<Recorder>>,
}

impl Events {
    pub(crate) fn new(client: Client, speaker: Speaker, holder: &Holder) -> Self {
        let reporter = Reporter {
            controller: speaker.controller.to_owned(),
            instance: Some(holder.0.clone()),
        };
        Self {
            client,
            reporter,
            action: speaker.action,
            last: Mutex::default(),
        }
    }

    /// Tells people of an object what happened to it. Whoever reads that can do without.
    pub(crate) async fn tell(&self, about: &ObjectReference, said: &Said<'_>) {
        if let Err(error) = self.publish(about, said).await {
            tracing::warn!(error = %error, reason = said.reason, "cannot write an event");
        }
    }

    async fn publish(&self, about: &ObjectReference, said: &Said<'_>) -> Result<(), kube::Error> {
        let note = shortened(&said.note);
        let event = Event {
            type_: said.kind,
            reason: said.reason.to_owned(),
            note: Some(note.clone()),
            action: self.action.to_owned(),
            secondary: None,
        };
        let uid = about.uid.clone().unwrap_or_default();
        let recorder = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Recorder::new(self.client.clone(), self.reporter.clone());
            last.speaker((uid, said.reason.to_owned()), note, new)
        };
        recorder.publish(&event, about).await
    }
}

/// What was said last, by an object's UID and the reason, and who said it.
struct Last<S>(HashMap<(String, String), (String, S)>);

impl<S> Default for Last<S> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<S: Clone> Last<S> {
    /// Who said the same last, or a new one.
    fn speaker(&mut self, about: (String, String), note: String, new: impl FnOnce() -> S) -> S {
        if let Some((last, speaker)) = self.0.get(&about)
            && *last == note
        {
            return speaker.clone();
        }
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&about) {
            self.0.clear();
        }
        let speaker = new();
        self.0.insert(about, (note, speaker.clone()));
        speaker
    }
}

fn shortened(note: &str) -> String {
    if note.len() <= LONGEST_NOTE {
        return note.to_owned();
    }
    let cut = " … (cut)";
    let mut end = LONGEST_NOTE - cut.len();
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{cut}", &note[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_words_of_the_same_object_are_said_by_the_same() {
        let (mut last, mut speakers) = (Last::default(), 0);
        let mut speaker = |uid: &str, note: &str| {
            let about = (uid.to_owned(), "ProvisioningFailed".to_owned());
            last.speaker(about, note.to_owned(), || {
                speakers += 1;
                speakers
            })
        };
        let said = [
            ("u", "no"),
            ("u", "no"),
            ("u", "never"),
            ("v", "no"),
            ("u", "never"),
        ];
        assert_eq!(said.map(|(uid, note)| speaker(uid, note)), [1, 1, 2, 3, 2]);
        for number in 0..3 * REMEMBERED {
            speaker(&number.to_string(), "no");
        }
        assert!(last.0.len() <= REMEMBERED);
    }

    #[test]
    fn a_note_is_no_longer_than_the_api_server_takes() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"é".repeat(2000));
        assert!(
            long.len() <= LONGEST_NOTE && long.ends_with("(cut)"),
            "{long}"
        );
    }
}
