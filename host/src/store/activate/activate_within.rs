//! When a node takes up a version, of those that spread it over some time (`versions.activate-within`).

use super::Activation;
use crate::digest::sha256_hex;
use crate::sys;

impl Activation<'_> {
    /// Seconds until this node's moment, for a version that was first seen then (seconds since 1970); none where it has
    /// come. A clock that is set back meanwhile makes nobody wait longer than the whole time.
    pub(super) fn seconds_left(self, sha256: &str, since: u64) -> Option<u64> {
        let within = self.driver.versions.activate_within.as_secs();
        let offset = offset(self.node, sha256, within);
        // One that was noted by a clock that was ahead has waited long enough.
        let waited = sys::now_seconds().checked_sub(since)?;
        (waited < offset).then(|| offset - waited)
    }
}

/// The same on each call, another one for each node and version: a bad build shows on a few nodes first, and not always on
/// the same ones.
fn offset(node: &str, sha256: &str, within: u64) -> u64 {
    let digest = sha256_hex(format!("{node} {sha256}"));
    let number = digest.get(..16).unwrap_or_default();
    let number = u64::from_str_radix(number, 16).unwrap_or_default();
    number.checked_rem(within).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn nodes_spread_over_the_time_and_each_keeps_its_moment() {
        let version = "a".repeat(64);
        let moments: Vec<u64> = (0..100)
            .map(|node| offset(&format!("node-{node}"), &version, 600))
            .collect();
        assert!(moments.iter().all(|moment| *moment < 600));
        for third in [0..200, 200..400, 400..600] {
            let in_third = moments.iter().filter(|moment| third.contains(*moment));
            assert!(in_third.count() > 15, "{moments:?}");
        }
        assert_eq!(offset("node-7", &version, 600), moments[7]);
        assert_ne!(offset("node-7", &"b".repeat(64), 600), moments[7]);
    }

    #[test]
    fn without_a_time_everybody_is_first() {
        assert_eq!(offset("node", "version", 0), 0);
    }
}
