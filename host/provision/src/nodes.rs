//! Labels of nodes, by which a volume gets its place. Whoever schedules many pods at once chooses few nodes for them: each is
//! read once a minute, and not once for each claim.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::Api;

/// A node of another zone that takes a name over is not there sooner.
const REMEMBERED: Duration = Duration::from_secs(60);

pub(crate) type Labels = BTreeMap<String, String>;

/// The API server's nodes, and what it said of them last.
pub(crate) struct Nodes {
    api: Api<Node>,
    known: Mutex<Known>,
}

impl Nodes {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            api: Api::all(client),
            known: Mutex::default(),
        }
    }

    /// Nothing where there is no such node any more.
    pub(crate) async fn labels(&self, name: &str) -> Result<Option<Labels>, kube::Error> {
        if let Some(labels) = self.known().labels(name, Instant::now()) {
            return Ok(Some(labels));
        }
        let Some(node) = self.api.get_metadata_opt(name).await? else {
            return Ok(None);
        };
        let labels = node.metadata.labels.unwrap_or_default();
        self.known().learn(name, &labels, Instant::now());
        Ok(Some(labels))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Labels, and when they were read. That a node is gone is never remembered.
#[derive(Debug, Default)]
struct Known(HashMap<String, (Instant, Labels)>);

impl Known {
    fn labels(&self, name: &str, now: Instant) -> Option<Labels> {
        let (read, labels) = self.0.get(name)?;
        (now < *read + REMEMBERED).then(|| labels.clone())
    }

    fn learn(&mut self, name: &str, labels: &Labels, now: Instant) {
        self.0.retain(|_, (read, _)| now < *read + REMEMBERED);
        self.0.insert(name.to_owned(), (now, labels.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_anew_after_a_minute_and_forgotten() {
        let (mut known, now) = (Known::default(), Instant::now());
        let labels = Labels::from([("zone".to_owned(), "a".to_owned())]);
        known.learn("one", &labels, now);
        assert_eq!(known.labels("one", now), Some(labels.clone()));
        assert_eq!(known.labels("two", now), None);
        assert_eq!(known.labels("one", now + REMEMBERED), None);
        known.learn("two", &labels, now + REMEMBERED);
        assert_eq!(known.0.len(), 1);
    }
}
