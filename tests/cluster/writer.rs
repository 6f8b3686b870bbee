//! A pod that writes to its volume all the time, and knows each write that failed.

use serde_json::json;

use crate::kubectl::eventually;
use crate::site::{Site, claim, pod_with};

/// A line five times a second, in the file and, when that failed, in the pod's log.
const SCRIPT: &str = "trap 'exit 0' TERM; i=0; \
    while :; do i=$((i+1)); echo $i >> /data/lines && sync /data/lines || echo \"FAILED $i\"; sleep 0.2; done";

pub(crate) struct Writer<'a> {
    site: &'a Site,
    name: &'a str,
}

impl<'a> Writer<'a> {
    /// On a claim of its own of that class; it writes when this returns.
    #[track_caller]
    pub(crate) fn start(site: &'a Site, name: &'a str, class: &str) -> Self {
        let volume = json!({ "persistentVolumeClaim": { "claimName": name } });
        site.apply(&[claim(name, class, 20), pod_with(name, &volume, SCRIPT)]);
        site.is_ready(name);
        let writer = Self { site, name };
        writer.goes_on();
        writer
    }

    /// Waits for further lines, and sees that none has failed and that it is still the first container.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        let before = self.lines();
        eventually("the writer to write on", || self.lines() > before + 3);
        let log = self.site.kubectl(&["logs", self.name]);
        assert!(!log.contains("FAILED"), "writes failed:\n{log}");
        let pod = self.site.get("pod", self.name);
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        assert_eq!(restarts, 0, "the writer's container was started again");
    }

    fn lines(&self) -> u64 {
        let said = self
            .site
            .try_kubectl(&["exec", self.name, "--", "wc", "-l", "/data/lines"]);
        let said = said.unwrap_or_default();
        let count = said
            .split_whitespace()
            .next()
            .and_then(|count| count.parse().ok());
        count.unwrap_or(0)
    }
}
