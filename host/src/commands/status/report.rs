//! A process's metrics as lines for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use drivebay::csi::{Sample, Samples};

use super::lines::short;

/// One paragraph for each driver that the process serves.
pub(super) fn report(process: &str, samples: &Samples) -> String {
    samples
        .served()
        .into_iter()
        .map(|driver| of_driver(process, &DriverSamples { samples, driver }))
        .collect()
}

/// One driver's share.
struct DriverSamples<'a> {
    samples: &'a Samples,
    driver: &'a str,
}

fn of_driver(process: &str, samples: &DriverSamples<'_>) -> String {
    let mut text = String::new();
    let in_flight = samples.sum("drivebay_rpcs_in_flight");
    let lines = [
        format!(
            "{} (process {process}): {}",
            samples.driver,
            samples.component()
        ),
        format!("  loaded           {}", samples.loaded()),
        format!("  calls in flight  {in_flight}"),
        format!(
            "  time             guest {}, host {}",
            duration(samples.sum("drivebay_guest_seconds_total")),
            duration(samples.sum("drivebay_host_seconds_total"))
        ),
        format!(
            "  workers killed   {}",
            samples.parts("drivebay_workers_killed_total", "reason")
        ),
        format!(
            "  denied           {}",
            samples.parts("drivebay_refusals_total", "capability")
        ),
    ];
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text + &samples.methods()
}

fn version(info: &Sample) -> String {
    let digest = short(info.label("sha256"));
    format!("{} (sha256 {digest})", info.label("version"))
}

impl DriverSamples<'_> {
    fn sum(&self, name: &str) -> f64 {
        let samples = self.samples.of(name, self.driver);
        samples.map(|sample| sample.value).sum()
    }

    fn component(&self) -> String {
        let mut found = self.samples.of("drivebay_component_info", self.driver);
        found.next().map_or_else(
            || "no component is ready; `drivebay check` says why".to_owned(),
            |info| format!("component {} {}", info.label("component"), version(info)),
        )
    }

    /// What calls of this process really run, which may differ from what serves by now.
    fn loaded(&self) -> String {
        let loaded: Vec<String> = self.samples.loaded(self.driver).map(version).collect();
        match loaded.is_empty() {
            true => "nothing yet".to_owned(),
            false => loaded.join(", "),
        }
    }

    /// `deadline 2, stuck 1`; `0` where there is nothing.
    fn parts(&self, name: &str, label: &str) -> String {
        let samples = self.samples.of(name, self.driver);
        let counted = samples.filter(|sample| sample.value > 0.0);
        let parts: Vec<String> = counted
            .map(|sample| format!("{} {}", sample.label(label), sample.value))
            .collect();
        match parts.is_empty() {
            true => "0".to_owned(),
            false => parts.join(", "),
        }
    }

    /// A table with a line for each method that was called.
    fn methods(&self) -> String {
        let mut calls: BTreeMap<&str, Calls> = BTreeMap::new();
        for sample in self.samples.of("drivebay_rpcs_total", self.driver) {
            let of_method = calls.entry(sample.label("method")).or_default();
            of_method.count += sample.value;
            if sample.label("code") != "OK" {
                let error = format!("{} {}", sample.label("code"), sample.value);
                of_method.errors.push(error);
            }
        }
        let mut text = String::new();
        let Some(width) = calls.keys().map(|method| method.len()).max() else {
            return text;
        };
        let _ = writeln!(
            text,
            "  {:width$}  {:>8}  {:>8}  {:>8}  errors",
            "method", "calls", "median", "p99"
        );
        for (method, calls) in calls {
            let median = self.quantile(method, 0.5);
            let p99 = self.quantile(method, 0.99);
            let errors = match calls.errors.is_empty() {
                true => "0".to_owned(),
                false => calls.errors.join(", "),
            };
            let _ = writeln!(
                text,
                "  {method:width$}  {:>8}  {median:>8}  {p99:>8}  {errors}",
                calls.count
            );
        }
        text
    }

    fn quantile(&self, method: &str, quantile: f64) -> String {
        let buckets = self
            .samples
            .of("drivebay_rpc_duration_seconds_bucket", self.driver)
            .filter(|sample| sample.label("method") == method)
            .filter_map(|sample| {
                // Rust reads the "+Inf" of the last bucket as it is meant.
                let bound = sample.label("le").parse().ok()?;
                Some(Bucket {
                    bound,
                    count: sample.value,
                })
            });
        estimate(&buckets.collect::<Vec<_>>(), quantile)
    }
}

#[derive(Default)]
struct Calls {
    count: f64,
    errors: Vec<String>,
}

/// How many calls took no longer than the bound, in seconds.
struct Bucket {
    bound: f64,
    count: f64,
}

/// As Prometheus' `histogram_quantile` has it: evenly spread within the bucket that holds it.
fn estimate(buckets: &[Bucket], quantile: f64) -> String {
    let total = buckets.last().map_or(0.0, |last| last.count);
    if total == 0.0 {
        return "-".to_owned();
    }
    let rank = quantile * total;
    let mut below = Bucket {
        bound: 0.0,
        count: 0.0,
    };
    for bucket in buckets {
        if bucket.count >= rank {
            if bucket.bound.is_infinite() {
                return format!(">{}", duration(below.bound));
            }
            let share = (rank - below.count) / (bucket.count - below.count);
            return duration(below.bound + share * (bucket.bound - below.bound));
        }
        below = Bucket { ..*bucket };
    }
    "-".to_owned()
}

/// With two or three digits that mean something.
fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        _ if seconds < 0.0001 => format!("{:.0} us", seconds * 1e6),
        _ if seconds < 0.01 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        _ if seconds < 100.0 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = r#"# TYPE drivebay_rpcs counter
drivebay_rpcs_in_flight{driver="nfs"} 2
drivebay_rpcs_total{driver="nfs",method="NodePublishVolume",code="OK"} 3
drivebay_rpcs_total{driver="nfs",method="NodePublishVolume",code="Aborted"} 1
drivebay_rpcs_total{driver="nfs",method="Probe",code="OK"} 7
drivebay_rpc_duration_seconds_bucket{le="0.01",driver="nfs",method="NodePublishVolume"} 0
drivebay_rpc_duration_seconds_bucket{le="0.02",driver="nfs",method="NodePublishVolume"} 4
drivebay_rpc_duration_seconds_bucket{le="+Inf",driver="nfs",method="NodePublishVolume"} 4
drivebay_guest_seconds_total{driver="nfs"} 0.0012
drivebay_host_seconds_total{driver="nfs"} 1.25
drivebay_workers_killed_total{driver="nfs",reason="deadline"} 1
drivebay_workers_killed_total{driver="nfs",reason="stuck"} 0
drivebay_refusals_total{driver="nfs",capability="mounts"} 5
drivebay_refusals_total{driver="nfs",capability="https"} 0
drivebay_component_info{driver="nfs",component="nfs",version="0.2.0",sha256="0123456789abcdef"} 1
drivebay_component_loaded_info{driver="nfs",version="0.1.0",sha256="abcdef0123456789"} 1
drivebay_component_loaded_info{driver="nfs",version="0.2.0",sha256="0123456789abcdef"} 1
# EOF
"#;

    const SHOWN: &str = "\
nfs (process 4711): component nfs 0.2.0 (sha256 0123456789ab)
  loaded           0.1.0 (sha256 abcdef012345), 0.2.0 (sha256 0123456789ab)
  calls in flight  2
  time             guest 1.2 ms, host 1.2 s
  workers killed   deadline 1
  denied           mounts 5
  method                calls    median       p99  errors
  NodePublishVolume         4     15 ms     20 ms  Aborted 1
  Probe                     7         -         -  0
";

    #[test]
    fn a_driver_is_shown_with_everything_that_is_known_of_it() {
        let samples = Samples::parse(METRICS).expect("understood");
        assert_eq!(report("4711", &samples), SHOWN);
    }

    #[test]
    fn a_driver_without_component_and_without_calls_is_shown() {
        let samples = Samples::parse("drivebay_rpcs_in_flight{driver=\"nfs\"} 0\n# EOF\n");
        let text = report("1", &samples.expect("understood"));
        assert!(text.starts_with("nfs (process 1): no component is ready"));
        assert!(
            text.contains("\n  loaded           nothing yet\n"),
            "{text}"
        );
        assert!(text.ends_with("  denied           0\n"), "{text}");
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let buckets = |counts: [f64; 3]| {
            let bounds = [1.0, 2.0, f64::INFINITY];
            let bucket = |(bound, count)| Bucket { bound, count };
            bounds
                .into_iter()
                .zip(counts)
                .map(bucket)
                .collect::<Vec<_>>()
        };
        assert_eq!(estimate(&buckets([2.0, 4.0, 4.0]), 0.5), "1.0 s");
        assert_eq!(estimate(&buckets([0.0, 4.0, 4.0]), 0.5), "1.5 s");
        assert_eq!(estimate(&buckets([0.0, 0.0, 4.0]), 0.5), ">2.0 s");
        assert_eq!(estimate(&buckets([0.0, 0.0, 0.0]), 0.5), "-");
    }

    #[test]
    fn durations_are_short_enough_to_be_compared() {
        let shown = [0.0, 0.000_05, 0.0042, 0.042, 4.2, 420.0].map(duration);
        assert_eq!(shown, ["0 s", "50 us", "4.2 ms", "42 ms", "4.2 s", "420 s"]);
    }
}
