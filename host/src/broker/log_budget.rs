//! How much a call may still have written to the log.

/// How much a call may still make the host write, whoever writes it: the guest itself, or the host about what the
/// guest asked for.
#[derive(Debug)]
pub(super) struct LogBudget {
    lines: u32,
}

impl LogBudget {
    pub(super) fn new(lines: u32) -> Self {
        Self { lines }
    }

    /// Writes one line, if there is room. The last that there is room for says that the rest is dropped.
    pub(super) fn spend(&mut self, write: impl FnOnce()) {
        let left = self.lines;
        self.lines = left.saturating_sub(1);
        match left {
            0 => {}
            1 => tracing::warn!(
                "the guest logs more than limits.log-lines allows; the rest of this call is dropped"
            ),
            _ => write(),
        }
    }
}
