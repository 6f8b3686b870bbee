//! Temporary keys, renewed before they end.

use std::sync::Arc;
use std::time::Duration;

use super::cache::Cached;
use super::key::Key;
use crate::broker::error::BrokerError;
use crate::broker::worker_broker::WorkerBroker;
use crate::sys;

/// After a renewal failed while the old key is still good, calls go on with that one for so long before the
/// next attempt, which may take seconds to fail.
const PAUSE_SECONDS: u64 = 30;

impl WorkerBroker {
    /// The kept key while it lasts, else one that is fetched now. A renewal that fails does not fail the call
    /// as long as the old key is good. Two calls that renew at once disturb nobody, so neither waits.
    pub(super) fn current(
        &mut self,
        name: &str,
        refresh_before: Duration,
        fetch: impl FnOnce(&mut Self) -> Result<Key, BrokerError>,
    ) -> Result<Arc<Key>, BrokerError> {
        let now = sys::now_seconds();
        let driver = self.driver.clone();
        let kept = driver.keys().get(name);
        if let Some(Cached { key, not_before }) = &kept
            && (key.left(now) > refresh_before.as_secs() || now < *not_before && key.left(now) > 0)
        {
            return Ok(Arc::clone(key));
        }
        match (fetch(self), kept) {
            (Ok(key), _) => {
                let key = Arc::new(key);
                driver.keys().keep(name, Arc::clone(&key), 0);
                Ok(key)
            }
            (Err(error), Some(Cached { key, .. })) if key.left(sys::now_seconds()) > 0 => {
                let error = self.settle(error)?;
                tracing::warn!(
                    key = name,
                    error = error.chain(),
                    seconds_left = key.left(now),
                    "the key was not renewed; the old one is still good"
                );
                driver
                    .keys()
                    .keep(name, Arc::clone(&key), now + PAUSE_SECONDS);
                Ok(key)
            }
            (Err(error), _) => Err(error),
        }
    }
}
