//! The table of what calls cost by what the node has mounted.

use std::fmt;
use std::time::Duration;

use super::Row;
use crate::bench::table::{milliseconds, verdict};

/// What is mounted elsewhere is none of a call's business.
const MOST: f64 = 3.0;

/// Rows of one measurement after the other, with ever more mounts.
pub(in crate::bench) struct Growth {
    mounts: Vec<usize>,
    rows: Vec<(&'static str, Vec<Duration>)>,
}

impl Growth {
    /// None measured yet.
    pub(super) fn new(mounts: impl Into<Vec<usize>>) -> Self {
        Self {
            mounts: mounts.into(),
            rows: Vec::new(),
        }
    }

    /// What was measured with the next number of mounts; the same things in the same order each time.
    pub(super) fn add(&mut self, measured: Vec<Row>) {
        for (what, time) in measured {
            match self.rows.iter_mut().find(|(known, _)| *known == what) {
                Some((_, times)) => times.push(time),
                None => self.rows.push((what, vec![time])),
            }
        }
    }

    /// How many of our calls grew more than they may.
    pub(in crate::bench) fn missed(&self) -> usize {
        let ours = self.rows.iter().filter(|(what, _)| is_ours(what));
        ours.filter(|(_, times)| ratio(times) > MOST).count()
    }
}

/// The kernel's own cost is beside ours for comparison.
fn is_ours(what: &str) -> bool {
    what.contains('`')
}

fn ratio(times: &[Duration]) -> f64 {
    match times {
        [first, .., last] => last.as_secs_f64() / first.as_secs_f64(),
        _ => 1.0,
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mounts = self.mounts.iter().map(|count| format!("{count} mounts"));
        let mounts: Vec<String> = mounts.collect();
        writeln!(
            f,
            "| what | {} | growth | target | verdict |",
            mounts.join(" | ")
        )?;
        writeln!(f, "|---|{}---|---|---|", "---|".repeat(mounts.len()))?;
        for (what, times) in &self.rows {
            let cells: Vec<String> = times.iter().copied().map(milliseconds).collect();
            let ratio = ratio(times);
            let promise = is_ours(what).then(|| (format!("≤ {MOST}x"), ratio <= MOST));
            let [target, verdict] = verdict(promise);
            let cells = cells.join(" | ");
            writeln!(
                f,
                "| {what} | {cells} | {ratio:.2}x | {target} | {verdict} |"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_calls_are_held_to_the_target() {
        let mut growth = Growth::new([20, 6000]);
        let (one, four) = (Duration::from_millis(1), Duration::from_millis(4));
        growth.add(vec![
            ("mount(2)", one),
            ("`mount`", one),
            ("`unmount`", one),
        ]);
        growth.add(vec![
            ("mount(2)", four),
            ("`mount`", four),
            ("`unmount`", one),
        ]);
        let text = growth.to_string();
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| mount(2) | 1.00 ms | 4.00 ms | 4.00x |  | for information |",
                "| `mount` | 1.00 ms | 4.00 ms | 4.00x | ≤ 3x | **missed** |",
                "| `unmount` | 1.00 ms | 1.00 ms | 1.00x | ≤ 3x | met |",
            ]
        );
        assert_eq!(growth.missed(), 1);
    }
}
