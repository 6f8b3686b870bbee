//! What takes the cluster down when the task that started it ends in whatever way: by Ctrl-C, by a signal that nothing
//! can answer, by an error.

use std::process::{Child, Stdio};

use anyhow::{Context, Result};

use crate::process::command;

/// Waits for the end of its input, which is the end of whoever has the other end.
const WAIT: &str = "cat > /dev/null; exec \"$0\" cluster --stop";

/// Another process, which a terminal's signals do not reach.
pub(super) struct Watcher(Child);

impl Watcher {
    pub(super) fn start() -> Result<Self> {
        let task = std::env::current_exe().context("cannot find this program")?;
        let mut watch = command("setsid");
        watch.args(["sh", "-c", WAIT]).arg(task);
        watch
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = watch.spawn();
        child
            .map(Self)
            .context("cannot start what ends the cluster")
    }

    /// Gives the watch up.
    pub(super) fn leave(mut self) {
        // Before its input ends, which would make it act.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
