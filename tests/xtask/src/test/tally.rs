//! How many tests passed, failed and were skipped, as the tools' own output says.

use std::fmt::{self, Display};

/// Counts of tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// From the `test result:` lines of Rust's test harness.
    pub(super) fn of_rust(output: &str) -> Self {
        let mut tally = Self::default();
        for counts in output
            .lines()
            .filter_map(|line| line.strip_prefix("test result: "))
        {
            tally.add(Self {
                passed: count_before(counts, " passed"),
                failed: count_before(counts, " failed"),
                skipped: count_before(counts, " ignored"),
            });
        }
        tally
    }

    /// From the lines of a client in tests/sdk, one a check.
    pub(super) fn of_checks(output: &str) -> Self {
        let count = |word: &str| output.lines().filter(|line| line.starts_with(word)).count();
        Self {
            passed: count("ok - "),
            failed: count("not ok - "),
            skipped: 0,
        }
    }
}

/// The number in `text` right before `word`.
fn count_before(text: &str, word: &str) -> usize {
    let before = text.split(word).next().unwrap_or_default();
    before
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

impl Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_counted_by_their_lines() {
        let output =
            "ok - one thing\nnoise, not ok - inside\nnot ok - another: why\nok - ok - third\n";
        assert_eq!(
            Tally::of_checks(output),
            Tally {
                passed: 2,
                failed: 1,
                skipped: 0
            }
        );
    }

    #[test]
    fn rust_results_add_up() {
        let output = "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out\n\
            noise\ntest result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(
            Tally::of_rust(output),
            Tally {
                passed: 6,
                failed: 3,
                skipped: 2
            }
        );
    }
}
