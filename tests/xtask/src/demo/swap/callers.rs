//! Callers that mount and unmount volumes all the while, as kubelet does by the shim.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, bail};

use super::site::{DRIVER, volume};
use crate::demo::node::Node;

/// They end when it is dropped.
pub(super) struct Callers {
    seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    is_over: AtomicBool,
    made: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Callers {
    /// That many, each with a volume and a pod of its own.
    pub(super) fn start(node: &Node, count: usize) -> Result<Self> {
        let seen = Arc::new(Seen::default());
        let mut threads = Vec::new();
        for number in 0..count {
            let name = format!("caller-{number}");
            let pod = node.pod(&name, "drivebay~local")?;
            let pod = pod.to_str().context("a path of the demo is not text")?;
            let calls = [
                vec!["mount".to_owned(), pod.to_owned(), volume(node, &name)?],
                vec!["unmount".to_owned(), pod.to_owned()],
            ];
            let (node, seen) = (node.clone(), Arc::clone(&seen));
            threads.push(thread::spawn(move || seen.repeat(&node, &calls)));
        }
        Ok(Self { seen, threads })
    }

    /// How many calls were answered.
    pub(super) fn made(&self) -> usize {
        self.seen.made.load(Ordering::Relaxed)
    }

    /// How many failed.
    pub(super) fn failed(&self) -> usize {
        self.seen.failures().len()
    }

    pub(super) fn expect_none_failed(&self) -> Result<()> {
        match self.seen.failures().first() {
            None => Ok(()),
            Some(first) => bail!("a call failed: {first}"),
        }
    }

    /// Each finishes what it has begun; how many calls they made in all.
    pub(super) fn end(mut self) -> Result<usize> {
        self.seen.is_over.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            thread.join().map_err(|_| anyhow!("a caller panicked"))?;
        }
        self.expect_none_failed()?;
        Ok(self.made())
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.seen.is_over.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            let _ = thread.join();
        }
    }
}

impl Seen {
    fn repeat(&self, node: &Node, calls: &[Vec<String>]) {
        while !self.is_over.load(Ordering::Relaxed) {
            for call in calls {
                match answer(node, call) {
                    Ok(()) => drop(self.made.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => self.failures().push(error.to_string()),
                }
            }
        }
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(node: &Node, call: &[String]) -> Result<()> {
    let words: Vec<&str> = call.iter().map(String::as_str).collect();
    let output = node.callout(DRIVER, &words).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.contains("\"Success\"") {
        true => Ok(()),
        false => bail!("{}: {}", call[0], text.trim()),
    }
}
