//! Standard error of guests whose language's runtime has one: nobody reads it, until the guest breaks down.
//!
//! What a runtime writes last says why it gave up: a panic, an exception with its trace. So the end of it is kept for
//! as long as the call lasts, and nothing else of it, however much a guest writes.

use std::collections::VecDeque;

/// Bytes kept: an exception's trace with some twenty frames.
const KEPT: usize = 4096;

/// The end of what one call's guest wrote there.
#[derive(Debug, Default)]
pub(super) struct Stderr(VecDeque<u8>);

impl Stderr {
    /// What is kept, with replacement characters for what is not UTF-8: the first may be the rest of one that was cut.
    pub(super) fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn keep(&mut self, written: &[u8]) {
        let end = &written[written.len().saturating_sub(KEPT)..];
        let overflow = (self.0.len() + end.len()).saturating_sub(KEPT);
        self.0.drain(..overflow);
        self.0.extend(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_however_it_was_written() {
        let mut stderr = Stderr::default();
        assert_eq!(stderr.text(), "");
        for number in 0..10_000 {
            stderr.keep(format!("{number}\n").as_bytes());
        }
        assert!(stderr.text().ends_with("\n9998\n9999\n"));
        assert_eq!(stderr.text().len(), KEPT);
        stderr.keep(&vec![b'x'; 3 * KEPT]);
        assert_eq!(stderr.text(), "x".repeat(KEPT));
        stderr.keep(b"\xffend");
        assert!(stderr.text().ends_with("x\u{fffd}end"));
    }
}
