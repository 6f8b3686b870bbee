//! What is refused before there is a call: what arrives is no HTTP/2, or a request that HTTP/2 does not allow.
//!
//! Such a caller gets its stream or its connection reset, and no status that would say why. The server's own
//! libraries say it in events that are not ours to pass on, at a level that nobody watches. They are listened to
//! here, and each kind is told once, with what helps; a caller that does not give up would fill the log.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

/// The library that speaks HTTP/2.
const HTTP2: &str = "h2::";

/// At which it says why it refuses somebody.
pub(super) const LEVEL: Level = Level::DEBUG;

/// Of what it says; a header of the caller's may be in it.
const MAX_REASON: usize = 200;

/// A kind of refusal: by which words it is known, and what to tell.
struct Kind {
    words: &'static [&'static str],
    told: &'static str,
    was_told: AtomicBool,
}

/// The special ones first. A test from outside holds the words against the library's.
static KINDS: [Kind; 4] = [
    Kind {
        words: &["malformed authority"],
        told: "the caller sends the socket's path as HTTP/2 authority, where HTTP wants a host's name; have it send \
            localhost: gRPC for C++, Python, Ruby and PHP by the channel argument grpc.default_authority, for Java by \
            overrideAuthority, for Go by the address unix:///path or by WithAuthority, grpcurl by -authority; kubelet \
            does so from Kubernetes 1.26 on",
        was_told: AtomicBool::new(false),
    },
    Kind {
        words: &["invalid preface"],
        told: "the caller does not speak HTTP/2 without TLS, which gRPC does on a Unix socket: it may be HTTP/1, TLS, or \
            something else",
        was_told: AtomicBool::new(false),
    },
    Kind {
        words: &[
            "REQUEST_HEADER_FIELDS_TOO_LARGE",
            "header list size over abuse limit",
            "header block size over ignorable limit",
        ],
        told: "the caller sends more metadata than a server takes; CSI's calls need none",
        was_told: AtomicBool::new(false),
    },
    Kind {
        words: &["malformed headers: ", "PROTOCOL_ERROR -- "],
        told: "the caller breaks a rule of HTTP/2",
        was_told: AtomicBool::new(false),
    },
];

/// Whether it is one of the events that are listened to. Those about single frames come by the thousand, and say
/// more than a message.
pub(super) fn may_tell_of_a_refusal(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
        && *metadata.level() == LEVEL
        && metadata.target().starts_with(HTTP2)
        && metadata.fields().len() == 1
}

/// Tells of a refusal, if it is one and the first of its kind.
pub(super) fn listen(event: &Event<'_>) {
    let mut said = Message::default();
    event.record(&mut said);
    let Some(kind) = kind_of(&said.0) else {
        return;
    };
    if !kind.was_told.swap(true, Ordering::Relaxed) {
        let reason: String = said.0.chars().take(MAX_REASON).collect();
        tracing::warn!(
            reason,
            "a caller was refused before its call began, and others like it will be without a word: {}",
            kind.told
        );
    }
}

fn kind_of(said: &str) -> Option<&'static Kind> {
    let is_known = |kind: &&Kind| kind.words.iter().any(|words| said.contains(words));
    KINDS.iter().find(is_known)
}

/// What an event says.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a string does not fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(said: &str) -> Option<&'static str> {
        kind_of(said).map(|kind| kind.told)
    }

    #[test]
    fn what_can_be_helped_is_told_from_what_cannot() {
        let authority = told(
            "malformed headers: malformed authority (b\"/csi/csi.sock\"): invalid uri character",
        );
        assert!(authority.is_some_and(|told| told.contains("grpc.default_authority")));
        let other = told("malformed headers: missing path");
        assert_eq!(other, Some("the caller breaks a rule of HTTP/2"));
        let preface = told("connection error PROTOCOL_ERROR -- read_preface: invalid preface;");
        assert!(preface.is_some_and(|told| told.contains("without TLS")));
    }

    #[test]
    fn what_the_library_says_of_sound_connections_is_not_told() {
        assert_eq!(told("received settings ACK; applying Settings"), None);
    }
}
