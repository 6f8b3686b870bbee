//! What there is in a cluster, read anew when it is older than a while: a run may take hours, and people go on working.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::cluster::Cluster;
use super::survey::Survey;

/// All volumes and pods of a large cluster are many megabytes, and are read once for all volumes that are migrated meanwhile.
const AGE: Duration = Duration::from_secs(10);

pub(super) struct Latest<'a> {
    cluster: &'a Cluster,
    /// Whoever finds it too old reads it for those that wait here too.
    kept: Mutex<(Instant, Arc<Survey>)>,
}

impl<'a> Latest<'a> {
    pub(super) fn new(cluster: &'a Cluster, read: Instant, survey: Arc<Survey>) -> Self {
        Self {
            cluster,
            kept: Mutex::new((read, survey)),
        }
    }

    pub(super) async fn survey(&self) -> anyhow::Result<Arc<Survey>> {
        let mut kept = self.kept.lock().await;
        if kept.0.elapsed() > AGE {
            *kept = (Instant::now(), Arc::new(Survey::read(self.cluster).await?));
        }
        Ok(Arc::clone(&kept.1))
    }
}
