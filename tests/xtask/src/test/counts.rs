//! How many tests passed, failed and were skipped, as the tools' own output says.

use std::fmt::{self, Display};

/// Counts of tests, and what is known of those that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// Their names; or why tests, which then count as one, could not be run.
    pub(crate) failures: Vec<String>,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
    }

    /// Of what could not be gone through: it counts as one test that failed, so that none failed is never
    /// said of it.
    pub(super) fn of_failure(error: &anyhow::Error) -> Self {
        Self {
            failed: 1,
            failures: vec![format!("{error:#}")],
            ..Self::default()
        }
    }

    /// From the `test result:` lines of Rust's test harness, and the names in its lists of failures.
    pub(super) fn of_rust(output: &str) -> Self {
        let mut all = Self {
            failures: listed_failures(output),
            ..Self::default()
        };
        for counts in output
            .lines()
            .filter_map(|line| line.strip_prefix("test result: "))
        {
            all.add(Self {
                passed: count_before(counts, " passed"),
                failed: count_before(counts, " failed"),
                skipped: count_before(counts, " ignored"),
                ..Self::default()
            });
        }
        all
    }

    /// From the lines of a client in tests/sdk, one a check.
    pub(super) fn of_checks(output: &str) -> Self {
        let after = |word: &'static str| {
            output
                .lines()
                .filter_map(move |line| line.strip_prefix(word))
        };
        Self {
            passed: after("ok - ").count(),
            failed: after("not ok - ").count(),
            skipped: 0,
            failures: after("not ok - ").map(str::to_owned).collect(),
        }
    }
}

/// The indented names that follow a line `failures:`. The same line also begins the tests' output, after which
/// comes an empty one.
fn listed_failures(output: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut lines = output.lines();
    while lines.any(|line| line == "failures:") {
        let listed = lines.by_ref().map_while(|line| line.strip_prefix("    "));
        names.extend(listed.map(str::to_owned));
    }
    names
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

impl Display for Counts {
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
            Counts::of_checks(output),
            Counts {
                passed: 2,
                failed: 1,
                skipped: 0,
                failures: vec!["another: why".to_owned()],
            }
        );
    }

    #[test]
    fn rust_results_add_up() {
        let output = "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out\n\
            noise\ntest result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(
            Counts::of_rust(output),
            Counts {
                passed: 6,
                failed: 3,
                skipped: 2,
                failures: Vec::new(),
            }
        );
    }

    #[test]
    fn failed_tests_of_all_targets_are_named() {
        let target = |name: &str| {
            format!(
                "test {name} ... FAILED\n\nfailures:\n\n---- {name} stdout ----\n    why\n\n\nfailures:\n    \
                 {name}\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored\n"
            )
        };
        let output = target("hang::one") + &target("two");
        assert_eq!(Counts::of_rust(&output).failures, ["hang::one", "two"]);
    }

    #[test]
    fn what_could_not_be_run_counts_as_a_failure() {
        let counts = Counts::of_failure(&anyhow::anyhow!("no compiler").context("cannot build"));
        assert_eq!(counts.failed, 1);
        assert_eq!(counts.failures, ["cannot build: no compiler"]);
    }
}
