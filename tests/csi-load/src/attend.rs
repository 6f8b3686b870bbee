//! Callers who go on for as long as standard input does, whatever happens to what they call.
//!
//! Each line there names what begins now; a name that comes again goes on with what had it before. What comes before the
//! first line is not counted. A call belongs to what went on when it began.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::Result;
use crate::call::Call;

/// What the callers saw, by the names of the lines.
#[derive(Debug, Default)]
struct Parts {
    seen: Vec<(String, Seen)>,
    current: Option<usize>,
    is_over: bool,
}

/// In one part.
#[derive(Debug, Default)]
struct Seen {
    latencies: Vec<Duration>,
    failed: u64,
    /// The first failure.
    why: Option<String>,
}

/// All callers make all calls by turns, each with that pause after a call. The answer is an object with one member for
/// each part.
pub(crate) async fn attend(callers: u64, pause: Duration, calls: Vec<Arc<Call>>) -> Result<Value> {
    let parts = Arc::new(Mutex::new(Parts::default()));
    let heard = Arc::clone(&parts);
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(io::Result::ok) {
            lock(&heard).begin(&line);
        }
        lock(&heard).is_over = true;
    });
    let calls = Arc::new(calls);
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (parts, calls) = (Arc::clone(&parts), Arc::clone(&calls));
        tasks.spawn(async move {
            for call in calls.iter().cycle() {
                let (part, is_over) = {
                    let parts = lock(&parts);
                    (parts.current, parts.is_over)
                };
                if is_over {
                    return;
                }
                let begun = Instant::now();
                let outcome = call.make(caller).await;
                lock(&parts).note(part, begun.elapsed(), outcome);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(lock(&parts).told())
}

fn lock(parts: &Mutex<Parts>) -> MutexGuard<'_, Parts> {
    parts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Parts {
    fn begin(&mut self, name: &str) {
        let known = self.seen.iter().position(|(known, _)| known == name);
        self.current = Some(known.unwrap_or_else(|| {
            self.seen.push((name.to_owned(), Seen::default()));
            self.seen.len() - 1
        }));
    }

    fn note(&mut self, part: Option<usize>, latency: Duration, outcome: Result<()>) {
        let Some((_, seen)) = part.and_then(|part| self.seen.get_mut(part)) else {
            return;
        };
        match outcome {
            Ok(()) => seen.latencies.push(latency),
            Err(error) => {
                seen.failed += 1;
                seen.why.get_or_insert_with(|| error.to_string());
            }
        }
    }

    fn told(&mut self) -> Value {
        let parts = self.seen.iter_mut();
        let told = parts.map(|(name, seen)| (name.clone(), seen.told()));
        Value::Object(told.collect::<Map<_, _>>())
    }
}

impl Seen {
    fn told(&mut self) -> Value {
        self.latencies.sort_unstable();
        json!({
            "calls": self.latencies.len(),
            "failed": self.failed,
            "why": self.why,
            "median": self.one_of_a_hundred(50),
            "p99": self.one_of_a_hundred(99),
        })
    }

    /// Nanoseconds within which so many of a hundred calls were answered.
    fn one_of_a_hundred(&self, number: usize) -> Option<u64> {
        let latency = self.latencies.get(self.latencies.len() * number / 100)?;
        u64::try_from(latency.as_nanos()).ok()
    }
}
