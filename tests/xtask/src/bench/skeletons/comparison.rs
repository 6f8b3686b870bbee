//! The table of what languages cost.

use std::fmt;
use std::time::Duration;

use crate::bench::table::{milliseconds, verdict};

/// Languages side by side, the first of which is what the others are compared with.
pub(in crate::bench) struct Comparison {
    languages: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    what: &'static str,
    cells: Vec<String>,
    promise: Option<(String, bool)>,
}

impl Comparison {
    /// With no row yet.
    pub(super) fn of(languages: Vec<String>) -> Self {
        Self {
            languages,
            rows: Vec::new(),
        }
    }

    /// Bytes.
    pub(super) fn sizes(&mut self, what: &'static str, bytes: Vec<u64>) {
        let ratios = ratios(&bytes, |bytes| kilobytes(*bytes));
        let cells = bytes.iter().map(|bytes| size(*bytes)).zip(ratios);
        self.add(what, cells.map(beside).collect(), None);
    }

    /// Numbers that are worth nothing as a ratio.
    pub(super) fn counts(&mut self, what: &'static str, counts: Vec<u64>) {
        let cells = counts.iter().map(u64::to_string).collect();
        self.add(what, cells, None);
    }

    /// Times, and how long one may take in any language.
    pub(super) fn times(
        &mut self,
        what: &'static str,
        times: Vec<Duration>,
        most: Option<Duration>,
    ) {
        let ratios = ratios(&times, Duration::as_secs_f64);
        let cells = times.iter().map(|time| milliseconds(*time)).zip(ratios);
        let cells = cells.map(beside).collect();
        let promise = most.map(|most| {
            let is_kept = times.iter().all(|time| *time <= most);
            (format!("≤ {} ms", most.as_millis()), is_kept)
        });
        self.add(what, cells, promise);
    }

    /// How many rows have a language in them that takes longer than it may.
    pub(in crate::bench) fn missed(&self) -> usize {
        let promises = self.rows.iter().filter_map(|row| row.promise.as_ref());
        promises.filter(|(_, is_kept)| !is_kept).count()
    }

    fn add(&mut self, what: &'static str, cells: Vec<String>, promise: Option<(String, bool)>) {
        self.rows.push(Row {
            what,
            cells,
            promise,
        });
    }
}

/// Of each to the first, which has none.
fn ratios<T>(all: &[T], number: impl Fn(&T) -> f64) -> Vec<Option<f64>> {
    let first = all.first().map(&number);
    let ratio = |(at, one): (usize, &T)| (at > 0).then(|| number(one) / first.unwrap_or(1.0));
    all.iter().enumerate().map(ratio).collect()
}

fn beside((cell, ratio): (String, Option<f64>)) -> String {
    match ratio {
        None => cell,
        Some(ratio) if ratio < 10.0 => format!("{cell}, {ratio:.1}x"),
        Some(ratio) => format!("{cell}, {ratio:.0}x"),
    }
}

fn kilobytes(bytes: u64) -> f64 {
    u32::try_from(bytes / 100).map_or(f64::INFINITY, |tenths| f64::from(tenths) / 10.0)
}

fn size(bytes: u64) -> String {
    match kilobytes(bytes) {
        small if small < 1000.0 => format!("{small:.0} kB"),
        large => format!("{:.1} MB", large / 1000.0),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let languages = self.languages.join(" | ");
        writeln!(f, "| what | {languages} | target | verdict |")?;
        writeln!(f, "|---|{}---|---|", "---|".repeat(self.languages.len()))?;
        for row in &self.rows {
            let [target, verdict] = verdict(row.promise.clone());
            let cells = row.cells.join(" | ");
            writeln!(f, "| {} | {cells} | {target} | {verdict} |", row.what)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_stand_beside_the_first_and_all_of_them_keep_a_promise() {
        let mut comparison = Comparison::of(vec!["rust".to_owned(), "js".to_owned()]);
        comparison.sizes("component", vec![52_000, 12_800_000]);
        comparison.counts("imports", vec![0, 18]);
        let times = |js| [2, js].map(Duration::from_millis).to_vec();
        let most = Some(Duration::from_millis(10));
        comparison.times("install", times(500), None);
        comparison.times("call", times(9), most);
        comparison.times("other call", times(11), most);
        let text = comparison.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "| what | rust | js | target | verdict |",
                "|---|---|---|---|---|",
                "| component | 52 kB | 12.8 MB, 246x |  | for information |",
                "| imports | 0 | 18 |  | for information |",
                "| install | 2.00 ms | 500.00 ms, 250x |  | for information |",
                "| call | 2.00 ms | 9.00 ms, 4.5x | ≤ 10 ms | met |",
                "| other call | 2.00 ms | 11.00 ms, 5.5x | ≤ 10 ms | **missed** |",
            ]
        );
        assert_eq!(comparison.missed(), 1);
    }
}
