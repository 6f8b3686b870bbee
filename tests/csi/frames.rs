//! Callers that write their HTTP/2 by hand, as no library would: frames of theirs may be late, broken or too many. None
//! takes anything from the others.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use drivebay_tests::{Csi, Node};
use nix::sys::signal::{Signal, kill};

/// Who says nothing for so long will not say it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Kinds of frames, by RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// Flags: of a frame that ends its stream, or answers a ping; and of one with whole headers.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A message without a field, as gRPC puts it into a frame.
const EMPTY_MESSAGE: [u8; 5] = [0; 5];

/// More than servers that set a bound allow on one connection, which are a hundred or two.
const MANY: u32 = 300;

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

struct Caller(UnixStream);

impl Caller {
    fn connect(csi: &Csi) -> Self {
        let stream = UnixStream::connect(csi.socket()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut caller = Self(stream);
        caller.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        caller.send(SETTINGS, 0, 0, &[]);
        caller
    }

    /// Where the server has closed already, its last frames tell why.
    fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.write(&frame(kind, flags, stream, payload));
    }

    /// The beginning of `Probe`: its message is to follow.
    fn begin(&mut self, stream: u32, more: &[(&str, &str)]) {
        self.send(HEADERS, END_HEADERS, stream, &headers(more));
    }

    fn send_message(&mut self, stream: u32) {
        self.send(DATA, END_STREAM, stream, &EMPTY_MESSAGE);
    }

    /// None at the end of the connection.
    fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("the server says no more")
            }
            Err(_) => return None,
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).expect("of 24 bits")];
        self.0.read_exact(&mut payload).ok()?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        })
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, is_it: impl Fn(&Frame) -> bool) -> Frame {
        while let Some(frame) = self.next() {
            if is_it(&frame) {
                return frame;
            }
        }
        panic!("the connection ended before {what}")
    }

    /// Frames are read in their order: what was sent before has been seen then.
    #[track_caller]
    fn is_answered_a_ping(&mut self, words: &[u8; 8]) {
        self.send(PING, 0, 0, words);
        let is_it = |frame: &Frame| frame.kind == PING && frame.flags == ACK;
        let answer = self.wait_for("an answer to a ping", is_it);
        assert_eq!(answer.payload, words);
    }

    #[track_caller]
    fn is_answered(&mut self, stream: u32) {
        self.wait_for("an answer to the call", |frame| {
            frame.stream == stream && ends_a_call(frame)
        });
    }

    /// Which error the server tells before it closes.
    #[track_caller]
    fn is_sent_away(&mut self) -> u32 {
        let goodbye = self.wait_for("a word of goodbye", |frame| frame.kind == GOAWAY);
        let code: [u8; 4] = goodbye.payload[4..8].try_into().expect("four bytes");
        u32::from_be_bytes(code)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short one");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Each in full, which RFC 7541 section 6.2.2 allows for.
fn headers(more: &[(&str, &str)]) -> Vec<u8> {
    let usual = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/csi.v1.Identity/Probe"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut bytes = Vec::new();
    for (name, value) in usual.iter().chain(more) {
        bytes.push(0);
        for text in [name, value] {
            bytes.push(u8::try_from(text.len()).expect("a short one"));
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// Calls end with headers, which are the only ones where nothing else is to be said.
fn ends_a_call(frame: &Frame) -> bool {
    frame.kind == HEADERS && frame.flags & END_STREAM != 0
}

#[test]
fn a_call_whose_message_does_not_come_is_answered_at_its_deadline() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut caller = Caller::connect(&csi);
    caller.begin(1, &[("grpc-timeout", "100m")]);
    caller.is_answered(1);
}

#[test]
fn a_caller_that_asks_whether_the_server_is_there_hears_so_also_while_its_call_waits() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut caller = Caller::connect(&csi);
    caller.is_answered_a_ping(b"are you ");
    caller.begin(1, &[]);
    caller.is_answered_a_ping(b"there?..");
    caller.send_message(1);
    caller.is_answered(1);
}

#[test]
fn hundreds_of_calls_are_open_at_once_on_one_connection_and_all_are_answered() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut caller = Caller::connect(&csi);
    let streams = || (0..MANY).map(|call| 2 * call + 1);
    streams().for_each(|stream| caller.begin(stream, &[]));
    caller.is_answered_a_ping(b"all seen");
    streams().for_each(|stream| caller.send_message(stream));
    let mut open: Vec<u32> = streams().collect();
    while !open.is_empty() {
        let ended = caller.wait_for("all answers", ends_a_call).stream;
        open.retain(|stream| *stream != ended);
    }
}

#[test]
fn calls_that_are_begun_and_taken_back_without_end_hold_up_nobody() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut caller = Caller::connect(&csi);
    let cancel = 8_u32.to_be_bytes();
    let one = |stream| {
        let begun = frame(HEADERS, END_HEADERS, stream, &headers(&[]));
        [begun, frame(RST_STREAM, 0, stream, &cancel)].concat()
    };
    let all: Vec<u8> = (0..10_000).flat_map(|call| one(2 * call + 1)).collect();
    caller.write(&all);
    csi.answers();
    assert!(csi.stop(), "it ended badly");
}

#[test]
fn a_frame_that_is_too_large_ends_its_connection_alone() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut other = Caller::connect(&csi);
    other.begin(1, &[]);
    let mut caller = Caller::connect(&csi);
    caller.begin(1, &[]);
    // 16 MiB of data; more than 16 KiB in a frame is an error of FRAME_SIZE_ERROR's.
    caller.write(&[0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1]);
    assert_eq!(caller.is_sent_away(), 6);
    other.send_message(1);
    other.is_answered(1);
}

#[test]
fn headers_that_cannot_be_read_end_their_connection_alone() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut other = Caller::connect(&csi);
    other.begin(1, &[]);
    let mut caller = Caller::connect(&csi);
    // An entry of a table that has none.
    caller.send(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0xff, 0x7f]);
    assert_ne!(caller.is_sent_away(), 0, "an error");
    other.send_message(1);
    other.is_answered(1);
}

#[test]
fn who_stops_tells_its_callers_and_answers_the_call_that_was_begun() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut caller = Caller::connect(&csi);
    caller.begin(1, &[]);
    caller.is_answered_a_ping(b"all seen");
    kill(csi.process(), Signal::SIGTERM).expect("it runs");
    assert_eq!(caller.is_sent_away(), 0, "no error");
    caller.send_message(1);
    caller.is_answered(1);
    drop(caller);
    assert!(csi.stop(), "it ended badly");
}
