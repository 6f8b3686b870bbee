//! What a driver's work has cost since the process began.

use std::time::Duration;

/// At one moment; each number only grows, and is lost with the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriverStats {
    /// Time in guests, without the time that their host functions waited.
    pub guest: Duration,
    /// Time that operations, and the host functions of their guests, waited for the kernel's workers and the
    /// network. Waiting for a volume's lock and compiling are in neither.
    pub host: Duration,
    /// Workers given up and killed, by reason.
    pub workers_killed: Vec<(&'static str, u64)>,
    /// What guests were refused, by capability.
    pub refusals: Vec<(&'static str, u64)>,
}

impl DriverStats {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            guest: self.guest + other.guest,
            host: self.host + other.host,
            workers_killed: sums(self.workers_killed, other.workers_killed),
            refusals: sums(self.refusals, other.refusals),
        }
    }
}

/// Either may lack what the other has.
fn sums(
    mut some: Vec<(&'static str, u64)>,
    others: Vec<(&'static str, u64)>,
) -> Vec<(&'static str, u64)> {
    for (name, count) in others {
        match some.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => some.push((name, count)),
        }
    }
    some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up_by_name() {
        let stats = |seconds: u64, refusals: &[(&'static str, u64)]| DriverStats {
            guest: Duration::from_secs(seconds),
            host: Duration::from_secs(10 * seconds),
            workers_killed: Vec::new(),
            refusals: refusals.to_vec(),
        };
        let sum = DriverStats::default()
            .plus(stats(1, &[("https", 1), ("mounts", 2)]))
            .plus(stats(2, &[("mounts", 3)]));
        assert_eq!(sum, stats(3, &[("https", 1), ("mounts", 5)]));
    }
}
