//! The rows of the table in tests/README.md: what was measured, against what, and whether it is what was promised.

use std::fmt;
use std::time::Duration;

/// What callers got out of a server.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// Calls, of all callers together.
    pub(super) per_second: f64,
    /// The median of one call, as its caller sees it.
    pub(super) latency: Duration,
}

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

    /// A time that has a limit of its own, in whole seconds.
    pub(super) fn within(&mut self, what: &str, took: Duration, most: Duration) {
        let promise = (format!("≤ {} s", most.as_secs()), took <= most);
        self.row(what, milliseconds(took), "", "", Some(promise));
    }

    /// The middle and the longest of some times, for information.
    pub(super) fn spread(&mut self, what: &str, mut times: Vec<Duration>) {
        times.sort_unstable();
        let (middle, count) = (times[times.len() / 2], times.len());
        let longest = times[count - 1];
        let [middle, longest] = [middle, longest].map(|time| time.as_secs_f64());
        let told = format!("median {middle:.1} s, longest of {count} {longest:.1} s");
        self.row(what, told, "", "", None);
    }

    /// The middle of some times, and what 99 of 100 are within, which may have a limit in whole seconds.
    pub(super) fn percentiles(
        &mut self,
        what: &str,
        mut times: Vec<Duration>,
        most: Option<Duration>,
    ) {
        times.sort_unstable();
        let count = times.len();
        let [middle, late] = [50, 99].map(|percent| times[(count * percent).div_ceil(100) - 1]);
        let [p50, p99] = [middle, late].map(|time| time.as_secs_f64());
        let told = format!("p50 {p50:.1} s, p99 {p99:.1} s, of {count}");
        let promise = most.map(|most| {
            let within = format!("p99 ≤ {} s", most.as_secs());
            (within, late <= most)
        });
        self.row(what, told, "", "", promise);
    }

    /// So many things in a time, for information.
    pub(super) fn rate(&mut self, what: &str, took: Duration, things: u64) {
        let seconds = took.as_secs_f64();
        let told = format!("{seconds:.0} s, {:.1}/s", as_float(things) / seconds);
        self.row(what, told, "", "", None);
    }

    /// What each of some things takes, which has a limit.
    pub(super) fn each(&mut self, what: &str, taken: u64, things: u64, most: u64) {
        let each = as_float(taken) / as_float(things);
        let promise = (format!("≤ {most}"), each <= as_float(most));
        self.row(
            &format!("{what}, each"),
            format!("{each:.2}"),
            "",
            "",
            Some(promise),
        );
    }

    /// A number that has a limit.
    pub(super) fn count(&mut self, what: &str, number: u64, most: u64) {
        let promise = (format!("≤ {most}"), number <= most);
        self.row(what, number.to_string(), "", "", Some(promise));
    }

    /// Failures, of which there are to be none among so many.
    pub(super) fn none(&mut self, what: &str, failed: u64, of: u64) {
        let promise = ("0".to_owned(), failed == 0);
        let against = format!("of {}", failed + of);
        self.row(what, failed.to_string(), &against, "", Some(promise));
    }

    /// A size, in units of so many bytes.
    pub(super) fn size(&mut self, what: &str, bytes: u64, unit: (&str, u64), target: u64) {
        let (name, unit) = unit;
        let tenths = (bytes * 10).div_ceil(unit);
        let size = format!("{}.{} {name}", tenths / 10, tenths % 10);
        let promise = (format!("≤ {target} {name}"), bytes <= target * unit);
        self.row(what, size, "", "", Some(promise));
    }

    /// Calls under load. The ratio is of the time that one call takes of the server: less is better, as in
    /// every other row.
    pub(super) fn load(&mut self, what: &str, ours: Load, other: Option<(&str, Load)>) {
        let Some((name, theirs)) = other else {
            return self.row(what, ours.to_string(), "", "", None);
        };
        let ratio = theirs.per_second / ours.per_second;
        self.beside(what, ours, (name, theirs), ratio);
    }

    /// The same beside a contender who had a turn right before or after each of ours, in which the machine was as it was in
    /// ours: the ratio is the median turn's.
    pub(super) fn beside(&mut self, what: &str, ours: Load, other: (&str, Load), ratio: f64) {
        let (name, theirs) = other;
        self.row(
            what,
            ours.to_string(),
            &format!("{name}: {theirs}"),
            &format!("{ratio:.2}x"),
            Some(("≤ 1x".to_owned(), ratio <= 1.0)),
        );
    }

    /// Processor time of one call.
    pub(super) fn processor(&mut self, what: &str, ours: Duration, other: (&str, Duration)) {
        let (name, theirs) = other;
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        let microseconds = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
        self.row(
            what,
            microseconds(ours),
            &format!("{name}: {}", microseconds(theirs)),
            &format!("{ratio:.2}x"),
            Some(("≤ 1x".to_owned(), ratio <= 1.0)),
        );
    }

    /// What comes on top of a time; the promise is about the difference.
    pub(super) fn overhead(
        &mut self,
        what: &str,
        ours: Duration,
        other: (&str, Duration),
        most: Duration,
    ) {
        let (name, theirs) = other;
        let added = ours.saturating_sub(theirs);
        let promise = (format!("≤ {} µs", most.as_micros()), added <= most);
        let ours = format!("+{} µs, {}", added.as_micros(), milliseconds(ours));
        let against = format!("{name}: {}", milliseconds(theirs));
        self.row(what, ours, &against, "", Some(promise));
    }

    /// A size in bytes against what it was.
    pub(super) fn growth(&mut self, what: &str, bytes: u64, other: (&str, u64), most: f64) {
        let (name, before) = other;
        let kib = |bytes: u64| u32::try_from(bytes / 1024).map_or(f64::INFINITY, f64::from);
        let ratio = kib(bytes) / kib(before);
        let promise = (format!("≤ {most}x"), ratio <= most);
        let size = |bytes| format!("{:.1} MiB", kib(bytes) / 1024.0);
        let against = format!("{name}: {}", size(before));
        let ratio = format!("{ratio:.2}x");
        self.row(what, size(bytes), &against, &ratio, Some(promise));
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
        if matches!(promise, Some((_, false))) {
            self.missed += 1;
        }
        let [target, verdict] = verdict(promise);
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

fn as_float(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

/// The last two cells of a row: what was promised, and whether it was kept. Without a promise it is for information.
pub(super) fn verdict(promise: Option<(String, bool)>) -> [String; 2] {
    let (target, verdict) = match promise {
        None => (String::new(), "for information"),
        Some((target, true)) => (target, "met"),
        Some((target, false)) => (target, "**missed**"),
    };
    [target, verdict.to_owned()]
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

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s, {}",
            self.per_second,
            milliseconds(self.latency)
        )
    }
}

pub(super) fn milliseconds(time: Duration) -> String {
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

    #[test]
    fn times_and_failures_have_limits_of_their_own() {
        let mut table = Table::default();
        let second = Duration::from_secs(1);
        table.within("swap", Duration::from_millis(300), second);
        table.within("swap", Duration::from_millis(1300), second);
        table.none("failed", 0, 70);
        table.none("failed", 2, 70);
        let text = table.to_string();
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| swap | 300.00 ms |  |  | ≤ 1 s | met |",
                "| swap | 1300.00 ms |  |  | ≤ 1 s | **missed** |",
                "| failed | 0 | of 70 |  | 0 | met |",
                "| failed | 2 | of 72 |  | 0 | **missed** |",
            ]
        );
        assert_eq!(table.missed(), 2);
    }

    #[test]
    fn under_load_less_time_for_a_call_is_a_smaller_ratio() {
        let mut table = Table::default();
        let load = |per_second| Load {
            per_second,
            latency: Duration::from_millis(1),
        };
        table.load("stats", load(2000.0), Some(("peer", load(1000.0))));
        table.load("stats", load(2000.0), None);
        let text = table.to_string();
        assert!(
            text.contains(
                "| stats | 2000/s, 1.00 ms | peer: 1000/s, 1.00 ms | 0.50x | ≤ 1x | met |"
            )
        );
        assert!(text.contains("| stats | 2000/s, 1.00 ms |  |  |  | for information |"));
    }

    #[test]
    fn beside_another_build_the_median_turn_and_the_processor_count() {
        let mut table = Table::default();
        let load = Load {
            per_second: 1000.0,
            latency: Duration::from_millis(1),
        };
        table.beside("stats", load, ("earlier", load), 0.98);
        let micros = Duration::from_micros;
        table.processor("stats", micros(21), ("earlier", micros(20)));
        let text = table.to_string();
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| stats | 1000/s, 1.00 ms | earlier: 1000/s, 1.00 ms | 0.98x | ≤ 1x | met |",
                "| stats | 21.0 µs | earlier: 20.0 µs | 1.05x | ≤ 1x | **missed** |",
            ]
        );
    }

    #[test]
    fn what_comes_on_top_and_what_grew_have_limits() {
        let mut table = Table::default();
        let micros = Duration::from_micros;
        let without = ("without", micros(100));
        table.overhead("guest", micros(190), without, micros(100));
        table.overhead("guest", micros(201), without, micros(100));
        table.growth("memory", 11 << 20, ("before", 10 << 20), 1.1);
        table.growth("memory", 12 << 20, ("before", 10 << 20), 1.1);
        assert_eq!(table.missed(), 2);
        let text = table.to_string();
        assert!(text.contains("| +90 µs, 0.19 ms | without: 0.10 ms |  | ≤ 100 µs | met |"));
        assert!(text.contains("| 12.0 MiB | before: 10.0 MiB | 1.20x | ≤ 1.1x | **missed** |"));
    }
}
