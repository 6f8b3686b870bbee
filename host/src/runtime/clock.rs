//! Moves an engine's epoch on while calls run.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// How often a running guest is asked whether its time is up. A call that ends sooner is never asked.
const TICK: Duration = Duration::from_millis(20);

/// The clock of one engine. Its thread starts with the first call and sleeps while there is none. A tick
/// that comes late is simply late: budgets are measured in time, not in ticks.
pub(super) struct Clock {
    engine: Engine,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    started: bool,
    calls: usize,
    /// Whether the thread sleeps until it is woken. After a call it ticks once more, so that where one call
    /// follows another, nobody has to be woken.
    asleep: bool,
    over: bool,
}

/// A call that runs; the clock ticks as long as there is one.
pub(super) struct Ticking {
    shared: Arc<Shared>,
}

impl Clock {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            shared: Arc::default(),
        }
    }

    /// # Errors
    /// Where the first call cannot have a thread.
    pub(super) fn tick(&self) -> std::io::Result<Ticking> {
        let mut state = self.shared.lock();
        if !state.started {
            let (engine, shared) = (self.engine.clone(), Arc::clone(&self.shared));
            thread::Builder::new()
                .name("epoch".to_owned())
                .spawn(move || run(&engine, &shared))?;
            state.started = true;
        }
        state.calls += 1;
        if state.asleep {
            self.shared.changed.notify_one();
        }
        Ok(Ticking {
            shared: Arc::clone(&self.shared),
        })
    }
}

fn run(engine: &Engine, shared: &Shared) {
    let mut state = shared.lock();
    while !state.over {
        state.asleep = state.calls == 0;
        state = if state.asleep {
            shared.changed.wait(state)
        } else {
            let waited = shared.changed.wait_timeout(state, TICK);
            engine.increment_epoch();
            waited
                .map(|(state, _)| state)
                .map_err(|poisoned| PoisonError::new(poisoned.into_inner().0))
        }
        .unwrap_or_else(PoisonError::into_inner);
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.shared.lock().calls -= 1;
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
    }
}
