//! Whether the provisioner is well: what `/livez` and `/readyz` say.
//!
//! That this is answered says little: the lease is renewed, steps are taken and calls are made by tasks of their own, and each
//! of them has a sign of life of its own.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drivebay::csi::Pages;

use crate::lease::Tenure;
use crate::metrics::Metrics;
use crate::turns::Turns;

/// What a process does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It cannot begin, for that reason.
    Waits(String),
    /// It looks at the lease.
    StandsBy,
    /// It works.
    Leads,
}

/// Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Health(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: Mutex<Phase>,
    tenure: Tenure,
    turns: Vec<Turns>,
    /// Whoever has a turn gives it back before that.
    longest_turn: Duration,
}

impl Health {
    /// Of a process that takes those turns, none of which lasts longer than that.
    pub(crate) fn new(tenure: Tenure, turns: Vec<Turns>, longest_turn: Duration) -> Self {
        Self(Arc::new(Shared {
            phase: Mutex::new(Phase::Waits("it starts".to_owned())),
            tenure,
            turns,
            longest_turn,
        }))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        *self.phase() = phase;
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        let phase = self.0.phase.lock();
        phase.unwrap_or_else(PoisonError::into_inner)
    }

    /// What a restart would mend.
    fn hangs(&self) -> Vec<String> {
        let mut hangs = Vec::new();
        if matches!(*self.phase(), Phase::Waits(_)) {
            return hangs;
        }
        if let Some(silent) = self.0.tenure.overdue() {
            hangs.push(format!(
                "nobody has looked at the lease for {} s",
                silent.as_secs()
            ));
        }
        let waits = self.0.turns.iter().filter_map(Turns::waits_for).max();
        if let Some(waits) = waits.filter(|waits| *waits > self.0.longest_turn) {
            hangs.push(format!(
                "no step has ended for {} s, while others wait for their turn",
                waits.as_secs()
            ));
        }
        hangs
    }

    fn troubles(&self) -> Vec<String> {
        let waits = match &*self.phase() {
            Phase::Waits(reason) => Some(reason.clone()),
            Phase::StandsBy | Phase::Leads => None,
        };
        waits.into_iter().chain(self.hangs()).collect()
    }
}

/// All that a process tells of itself.
#[derive(Clone)]
pub(crate) struct ProvisionPages {
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
}

impl Pages for ProvisionPages {
    fn metrics(&self) -> Result<String, fmt::Error> {
        self.metrics.text()
    }

    fn hangs(&self) -> Vec<String> {
        self.health.hangs()
    }

    fn troubles(&self) -> Vec<String> {
        self.health.troubles()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turns::Waiting;

    const LEASE: Duration = Duration::from_secs(15);

    #[test]
    fn a_process_that_waits_for_its_component_is_alive_and_not_ready() {
        let health = Health::new(Tenure::new(LEASE), Vec::new(), LEASE);
        health.enter(Phase::Waits("no component".to_owned()));
        assert_eq!(health.hangs(), [""; 0]);
        assert_eq!(health.troubles(), ["no component"]);
        health.enter(Phase::StandsBy);
        assert_eq!(health.troubles(), [""; 0]);
    }

    #[test]
    fn a_lease_that_nobody_looks_at_is_no_life() {
        let health = Health::new(Tenure::new(Duration::ZERO), Vec::new(), LEASE);
        health.enter(Phase::StandsBy);
        std::thread::yield_now();
        let hangs = health.hangs();
        assert!(
            hangs.len() == 1 && hangs[0].contains("the lease"),
            "{hangs:?}"
        );
        assert_eq!(health.troubles(), hangs);
    }

    #[tokio::test]
    async fn a_step_that_never_ends_while_others_wait_is_no_life() {
        let turns = Turns::new(1);
        let health = Health::new(Tenure::new(LEASE), vec![turns.clone()], Duration::ZERO);
        health.enter(Phase::Leads);
        let waiting = || Waiting::since(None, "a");
        let has_it = turns.turn(waiting()).await.expect("it is free");
        assert_eq!(health.hangs(), [""; 0]);
        let mut waits = Box::pin(turns.turn(waiting()));
        assert!(futures::poll!(&mut waits).is_pending());
        std::thread::yield_now();
        assert_eq!(health.hangs().len(), 1);
        drop(has_it);
        assert!(waits.await.is_some());
        assert_eq!(health.hangs(), [""; 0]);
    }
}
