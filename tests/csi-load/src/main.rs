//! Load on CSI sockets: many callers, each over the one connection that a sidecar has, and a watch.
//!
//! ```text
//! csi-load each COUNT CALL…           every call for each number below COUNT, in order
//! csi-load cycle COUNT CALL…          the calls one after the other, that often; how long each takes
//! csi-load race CALLERS TURNS CALL…   the calls as contenders, by turns; how often and how long
//! csi-load repeat CALLERS TOTAL CALL… so many calls in all, of all kinds by turns
//! csi-load attend CALLERS PAUSE CALL… the calls by turns until standard input ends, with a pause in milliseconds
//! csi-load await VERSION CALL         until that version of the component serves, and has answered the call
//! ```
//!
//! A CALL is a JSON object: `socket`, `rpc`, and what that RPC needs of `volume`, `path`, `staging` and
//! `context`. `{n}` in them is the caller's number, `{new}` one that no call had before. `race` prints a JSON
//! array, an object for each contender: calls per second in each turn (`rates`), median `latency` in nanoseconds, and how
//! many `calls` there were in all; `cycle` the medians alone. A call that fails ends the program: what fails is quick, and
//! would be counted as speed. `attend` alone counts failures, and prints an object with `calls`, `failed`, `median` and
//! `p99` for each line that it was given.

mod attend;
mod call;
mod proto;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime;
use tokio::task::JoinSet;

use attend::attend;
use call::Call;

/// Between two questions which version serves, and for how long they are asked.
const ASKING: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(900);

/// How long a contender's turn lasts.
const TURN: Duration = Duration::from_millis(200);

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // One thread: the callers take one processor, and leave the other to those who are called.
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(perform(&words))
}

async fn perform(words: &[String]) -> Result<()> {
    let calls = |words: &[String]| {
        let calls = words.iter().map(|word| Call::parse(word).map(Arc::new));
        calls.collect::<Result<Vec<_>>>()
    };
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["each", count, _, ..] => each(count.parse()?, &calls(&words[2..])?).await,
        ["cycle", count, _, ..] => cycle(count.parse()?, &calls(&words[2..])?).await,
        ["race", callers, turns, _, ..] => {
            race(callers.parse()?, turns.parse()?, &calls(&words[3..])?).await
        }
        ["repeat", callers, total, _, ..] => {
            repeat(callers.parse()?, total.parse()?, &calls(&words[3..])?).await
        }
        ["attend", callers, pause, _, ..] => {
            let pause = Duration::from_millis(pause.parse()?);
            say(&attend(callers.parse()?, pause, calls(&words[3..])?).await?);
            Ok(())
        }
        ["await", version, call] => await_version(version, &Call::parse(call)?).await,
        _ => Err("usage: csi-load each|cycle|race|repeat|attend|await NUMBER… CALL…".into()),
    }
}

async fn each(count: u64, calls: &[Arc<Call>]) -> Result<()> {
    for caller in 0..count {
        for call in calls {
            call.make(caller).await?;
        }
    }
    Ok(())
}

/// The program that started this one reads the answer.
#[expect(clippy::print_stdout, reason = "it is read there")]
fn say(answer: &Value) {
    println!("{answer}");
}

async fn await_version(version: &str, call: &Call) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while call.version().await?.as_deref() != Some(version) {
        if Instant::now() > until {
            return Err(format!("version {version} never served").into());
        }
        tokio::time::sleep(ASKING).await;
    }
    call.make(0).await
}

async fn cycle(count: u64, calls: &[Arc<Call>]) -> Result<()> {
    let mut latencies = vec![Vec::new(); calls.len()];
    // The first time makes connections and fills caches.
    for time in 0..=count {
        for (call, latencies) in calls.iter().zip(&mut latencies) {
            let begun = Instant::now();
            call.make(0).await?;
            if time > 0 {
                latencies.push(begun.elapsed());
            }
        }
    }
    let medians = latencies.into_iter().map(median);
    say(&medians.map(Value::from).collect());
    Ok(())
}

async fn race(callers: u64, turns: usize, contenders: &[Arc<Call>]) -> Result<()> {
    let mut outcomes = vec![Outcome::default(); contenders.len()];
    for turn in 0..=turns {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        // Who comes second finds the machine as the first one left it.
        if turn % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let (call, outcome) = (&contenders[at], &mut outcomes[at]);
            let begun = Instant::now();
            let latencies = together(callers, call, move || begun.elapsed() < TURN).await?;
            outcome.calls += latencies.len();
            // The first turn makes connections and fills caches.
            if turn > 0 {
                outcome.add(&latencies, begun.elapsed());
            }
        }
    }
    let told: Vec<Value> = outcomes.into_iter().map(Outcome::told).collect();
    say(&Value::from(told));
    Ok(())
}

async fn repeat(callers: u64, total: u64, calls: &[Arc<Call>]) -> Result<()> {
    /// Of one kind, before the next kind has its turn.
    const BATCH: u64 = 500;
    let mut done = 0;
    for call in calls.iter().cycle() {
        if done >= total {
            break;
        }
        let left = Arc::new(AtomicU64::new(BATCH.min(total - done)));
        let one_less = move || {
            let taken =
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            taken.is_ok()
        };
        done += u64::try_from(together(callers, call, one_less).await?.len())?;
    }
    Ok(())
}

/// Every caller repeats the call while there is a reason to; how long each call took.
async fn together(
    callers: u64,
    call: &Arc<Call>,
    goes_on: impl Fn() -> bool + Clone + Send + 'static,
) -> Result<Vec<Duration>> {
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (call, goes_on) = (Arc::clone(call), goes_on.clone());
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while goes_on() {
                let begun = Instant::now();
                call.make(caller).await?;
                latencies.push(begun.elapsed());
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(latencies)
        });
    }
    let mut all = Vec::new();
    while let Some(latencies) = tasks.join_next().await {
        all.append(&mut latencies??);
    }
    Ok(all)
}

/// Of one contender, over all its turns.
#[derive(Debug, Clone, Default)]
struct Outcome {
    rates: Vec<f64>,
    latencies: Vec<Duration>,
    calls: usize,
}

impl Outcome {
    fn add(&mut self, latencies: &[Duration], elapsed: Duration) {
        let calls = u32::try_from(latencies.len()).unwrap_or(u32::MAX);
        self.rates.push(f64::from(calls) / elapsed.as_secs_f64());
        self.latencies.extend_from_slice(latencies);
    }

    fn told(self) -> Value {
        serde_json::json!({
            "rates": self.rates,
            "latency": median(self.latencies),
            "calls": self.calls,
        })
    }
}

/// In nanoseconds; none of nothing.
fn median(mut latencies: Vec<Duration>) -> Option<u64> {
    latencies.sort_unstable();
    let middle = latencies.get(latencies.len() / 2)?;
    u64::try_from(middle.as_nanos()).ok()
}
