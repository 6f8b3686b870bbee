//! The rows of the README's table: what was measured, against what, and whether it is what was promised.

use std::fmt;
use std::time::Duration;

/// A Markdown table under construction.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<[String; 6]>,
    missed: usize,
}

impl Table {
    /// Our time against another's; without a target it is for information.
    pub(super) fn ratio(
        &mut self,
        what: &str,
        ours: Duration,
        other: (&str, Duration),
        target: Option<f64>,
    ) {
        let (name, theirs) = other;
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        let promise = target.map(|target| (format!("≤ {target}x"), ratio <= target));
        let against = format!("{name}: {}", milliseconds(theirs));
        self.row(
            what,
            milliseconds(ours),
            &against,
            &format!("{ratio:.2}x"),
            promise,
        );
    }

    /// A size, in units of so many bytes.
    pub(super) fn size(&mut self, what: &str, bytes: u64, unit: (&str, u64), target: u64) {
        let (name, unit) = unit;
        let tenths = (bytes * 10).div_ceil(unit);
        let size = format!("{}.{} {name}", tenths / 10, tenths % 10);
        let promise = (format!("≤ {target} {name}"), bytes <= target * unit);
        self.row(what, size, "", "", Some(promise));
    }

    /// How many promises were not kept.
    pub(super) fn missed(&self) -> usize {
        self.missed
    }

    fn row(
        &mut self,
        what: &str,
        ours: String,
        against: &str,
        ratio: &str,
        promise: Option<(String, bool)>,
    ) {
        let (target, verdict) = match promise {
            None => (String::new(), "for information"),
            Some((target, true)) => (target, "met"),
            Some((target, false)) => {
                self.missed += 1;
                (target, "**missed**")
            }
        };
        let verdict = verdict.to_owned();
        self.rows.push([
            what.into(),
            ours,
            against.into(),
            ratio.into(),
            target,
            verdict,
        ]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["what", "Drivebay", "against", "ratio", "target", "verdict"];
        writeln!(f, "| {} |", head.join(" | "))?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        self.rows
            .iter()
            .try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_promise_was_kept() {
        let mut table = Table::default();
        let (one, two) = (Duration::from_millis(1), Duration::from_millis(2));
        table.ratio("`init`", two, ("`/bin/true`", one), Some(1.5));
        table.ratio("`mount`", one, ("the script", two), Some(0.5));
        table.size("`nfs.wasm`", 59_990, ("kB", 1000), 60);
        let text = table.to_string();
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `init` | 2.00 ms | `/bin/true`: 1.00 ms | 2.00x | ≤ 1.5x | **missed** |",
                "| `mount` | 1.00 ms | the script: 2.00 ms | 0.50x | ≤ 0.5x | met |",
                "| `nfs.wasm` | 60.0 kB |  |  | ≤ 60 kB | met |",
            ]
        );
        assert_eq!(table.missed(), 1);
    }
}
