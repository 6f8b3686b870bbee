//! What kubelet's plugin watcher says of the host that it calls, in a form that HTTP has.
//!
//! It dials a registration socket by its path, and gRPC for Go sends that path as `:authority`, percent-encoded. HTTP
//! knows no such host (RFC 3986 section 3.2.2), and the HTTP/2 implementation here refuses the call before anybody sees
//! it. There is one service at such a socket, so nothing is lost: each authority becomes `localhost`.
//!
//! Only the beginning of requests is looked at (RFC 9113 section 6.2), and in it only where one field ends and the next
//! begins (RFC 7541 section 6): neither Huffman's code nor a table of fields is needed. What is not understood passes as
//! it came.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client's first bytes (RFC 9113 section 3.4).
const PREFACE: usize = 24;

/// Length, type, flags, stream.
const FRAME_HEAD: usize = 9;

/// More than this side allows a frame to have, which is the least that RFC 9113 section 6.5.2 lets it allow.
const LONGEST_FRAME: usize = 1 << 16;

const HEADERS: u8 = 1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// A stream's dependency and weight.
const PRIORITY_FIELDS: usize = 5;

/// Of `:authority` in the static table (RFC 7541 appendix A).
const AUTHORITY: usize = 1;

/// As a string literal: its length, and no Huffman's code.
const LOCALHOST: &[u8] = b"\x09localhost";

/// A caller's connection, whose calls are all for `localhost`.
#[derive(Debug)]
pub(super) struct ForLocalhost<C> {
    connection: C,
    rewriting: Rewriting,
}

/// What was read of one connection.
#[derive(Debug, Default)]
struct Rewriting {
    /// Not a whole frame yet.
    begun: Vec<u8>,
    /// To be read, from `at` on.
    ready: Vec<u8>,
    at: usize,
    has_preface: bool,
    /// It is not what we know: from here on it passes as it comes.
    is_foreign: bool,
}

impl<C> ForLocalhost<C> {
    pub(super) fn new(connection: C) -> Self {
        Self {
            connection,
            rewriting: Rewriting::default(),
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for ForLocalhost<C> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            connection,
            rewriting,
        } = self.get_mut();
        while rewriting.give(buffer) == 0 && buffer.remaining() > 0 {
            let mut bytes = [0; 4096];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *connection).poll_read(context, &mut read))?;
            match read.filled() {
                [] => return Poll::Ready(Ok(())),
                bytes => rewriting.take(bytes),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Rewriting {
    /// As much as there is and fits; how much that was.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> usize {
        let left = self.ready.get(self.at..).unwrap_or_default();
        let given = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..given]);
        self.at += given;
        if self.at == self.ready.len() {
            self.ready.clear();
            self.at = 0;
        }
        given
    }

    fn take(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        if !self.has_preface && self.begun.len() >= PREFACE {
            self.ready.extend(self.begun.drain(..PREFACE));
            self.has_preface = true;
        }
        while self.has_preface && !self.is_foreign {
            let Some(length) = self.frame_length() else {
                break;
            };
            let frame: Vec<u8> = self.begun.drain(..length).collect();
            self.ready.extend(for_localhost(&frame).unwrap_or(frame));
        }
        if self.is_foreign {
            self.ready.append(&mut self.begun);
        }
    }

    /// Of the next frame, if it is here as a whole.
    fn frame_length(&mut self) -> Option<usize> {
        let [high, middle, low, ..] = *self.begun.first_chunk::<FRAME_HEAD>()?;
        let length = FRAME_HEAD
            + usize::from(high) * 0x10000
            + usize::from(middle) * 0x100
            + usize::from(low);
        self.is_foreign = length > LONGEST_FRAME;
        (!self.is_foreign && self.begun.len() >= length).then_some(length)
    }
}

/// The same frame with another authority; none where it has none.
fn for_localhost(frame: &[u8]) -> Option<Vec<u8>> {
    let (head, payload) = frame.split_at_checked(FRAME_HEAD)?;
    let flags = head[4];
    if head[3] != HEADERS || flags & END_HEADERS == 0 {
        return None;
    }
    let (padding, payload) = match flags & PADDED {
        0 => (0, payload),
        _ => (usize::from(*payload.first()?), &payload[1..]),
    };
    let priority = if flags & PRIORITY == 0 {
        0
    } else {
        PRIORITY_FIELDS
    };
    let block = payload.get(priority..payload.len().checked_sub(padding)?)?;
    let (from, to) = authority(block)?;
    let fields = [
        &payload[..priority],
        &block[..from],
        LOCALHOST,
        &block[to..],
    ]
    .concat();
    let length = u32::try_from(fields.len()).ok()?.to_be_bytes();
    let mut rewritten = vec![length[1], length[2], length[3], HEADERS, flags & !PADDED];
    rewritten.extend_from_slice(&head[5..]);
    rewritten.extend(fields);
    Some(rewritten)
}

/// Where in a block of fields the value of `:authority` lies, with its length.
fn authority(block: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0;
    while let Some(&first) = block.get(at) {
        let name_bits = match first {
            // A field of a table.
            0x80.. => {
                at = integer(block, at, 7)?.1;
                continue;
            }
            0x40.. => 6,
            // The table gets another size.
            0x20.. => {
                at = integer(block, at, 5)?.1;
                continue;
            }
            _ => 4,
        };
        let (name, after) = integer(block, at, name_bits)?;
        let value = match name {
            0 => after_string(block, after)?,
            _ => after,
        };
        at = after_string(block, value)?;
        if name == AUTHORITY {
            return Some((value, at));
        }
    }
    None
}

fn after_string(block: &[u8], at: usize) -> Option<usize> {
    let (length, from) = integer(block, at, 7)?;
    let to = from.checked_add(length)?;
    (to <= block.len()).then_some(to)
}

/// In the last bits of a byte, or in those after it (RFC 7541 section 5.1); and what comes behind it.
fn integer(block: &[u8], at: usize, bits: u32) -> Option<(usize, usize)> {
    let most = (1 << bits) - 1;
    let mut value = usize::from(*block.get(at)?) & most;
    if value < most {
        return Some((value, at + 1));
    }
    // No block of these frames has longer numbers.
    for (count, byte) in block.get(at + 1..)?.iter().take(3).enumerate() {
        value += usize::from(byte & 0x7f) << (7 * count);
        if byte & 0x80 == 0 {
            return Some((value, at + 2 + count));
        }
    }
    None
}

impl<C: AsyncWrite + Unpin> AsyncWrite for ForLocalhost<C> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().connection).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("short");
        [&[0, 0, length, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// POST, http, a path that is a literal, and what is said of the host.
    fn fields(host: &[u8]) -> Vec<u8> {
        [
            &[0x83, 0x86, 0x44, 2],
            b"/a".as_slice(),
            host,
            &[0x40, 2],
            b"te",
            &[1],
            b"x",
        ]
        .concat()
    }

    fn read(pieces: &[&[u8]]) -> Vec<u8> {
        let mut rewriting = Rewriting::default();
        let mut all = Vec::new();
        for piece in pieces {
            rewriting.take(piece);
            let mut bytes = [0; 512];
            let mut buffer = ReadBuf::new(&mut bytes);
            rewriting.give(&mut buffer);
            all.extend_from_slice(buffer.filled());
        }
        all
    }

    #[test]
    fn a_path_that_stands_for_a_host_becomes_localhost_however_it_is_written() {
        let expected = fields(b"\x41\x09localhost");
        for host in [
            b"\x41\x0d%2Frun%2Fsock".as_slice(),
            // In Huffman's code, which nobody has to read.
            b"\x41\x83\xff\xff\xff",
        ] {
            let rewritten = for_localhost(&frame(HEADERS, END_HEADERS, &fields(host)));
            assert_eq!(rewritten, Some(frame(HEADERS, END_HEADERS, &expected)));
        }
        let padded = [
            &[2, 0, 0, 0, 0, 9],
            fields(b"\x01\x01x").as_slice(),
            &[0, 0],
        ]
        .concat();
        let rewritten = for_localhost(&frame(HEADERS, END_HEADERS | PADDED | PRIORITY, &padded));
        let expected = [&[0, 0, 0, 0, 9], fields(b"\x01\x09localhost").as_slice()].concat();
        assert_eq!(
            rewritten,
            Some(frame(HEADERS, END_HEADERS | PRIORITY, &expected))
        );
    }

    #[test]
    fn what_comes_in_pieces_is_the_same_and_other_frames_pass() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let data = frame(0, 1, b"hello");
        let sent = [
            preface.as_slice(),
            &frame(4, 0, b""),
            &frame(HEADERS, END_HEADERS, &fields(b"\x41\x03a%b")),
            &data,
        ]
        .concat();
        let expected = [
            preface.as_slice(),
            &frame(4, 0, b""),
            &frame(HEADERS, END_HEADERS, &fields(b"\x41\x09localhost")),
            &data,
        ]
        .concat();
        assert_eq!(read(&[&sent]), expected);
        let bytes: Vec<&[u8]> = sent.chunks(1).collect();
        assert_eq!(read(&bytes), expected);
    }

    #[test]
    fn what_is_cut_off_or_nonsense_passes_as_it_came() {
        for block in [
            b"\x41\x7f".as_slice(),
            b"\x41\x0cshort",
            b"\x7f\xff\xff\xff\xff\xff",
            b"\x40",
            b"",
        ] {
            assert_eq!(for_localhost(&frame(HEADERS, END_HEADERS, block)), None);
        }
        assert_eq!(
            for_localhost(&frame(HEADERS, END_HEADERS | PADDED, b"\xff")),
            None
        );
        let long = [&[0xff; 30][..], b"more"].concat();
        assert_eq!(read(&[&long]), long);
    }
}
