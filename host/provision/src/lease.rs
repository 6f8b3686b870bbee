//! Who of several processes works: whoever holds the lease, for as long as it is renewed.
//!
//! As Kubernetes' own programs do it: who does not hold the lease looks at it, and takes it once it has not changed for as
//! long as it says that it lasts, by its own clock alone. Who holds it and cannot renew it ends well before that. A process
//! that ends does nothing more; what it asked a backend for may still be under way, which whoever comes next waits for where
//! it matters.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::{sleep, timeout};

use crate::intent::Holder;

/// How often it is renewed while it lasts; kube-controller-manager's 2 s of 15 s are about as many.
const RENEWALS: u32 = 6;

/// What is to be done about a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is nobody's: take it.
    Take,
    /// It is ours: renew it.
    Renew,
    /// It is another's, and lasts.
    Wait,
}

/// A lease as it was seen last, and since when it has been so.
#[derive(Debug)]
struct Seen {
    version: Option<String>,
    since: Instant,
}

/// The lease of one driver's provisioner.
#[derive(Debug)]
pub(crate) struct Leadership {
    api: Api<Lease>,
    name: String,
    holder: Holder,
    lasts: Duration,
    tenure: Tenure,
}

/// For how long what is held lasts without being renewed; shared with whoever must do nothing after that.
#[derive(Debug, Clone)]
pub(crate) struct Tenure {
    /// When the last write that succeeded was begun.
    renewed: Arc<Mutex<Option<Instant>>>,
    /// When the lease was last asked for, or waited to be.
    looked: Arc<Mutex<Instant>>,
    lasts: Duration,
}

impl Tenure {
    pub(crate) fn new(lasts: Duration) -> Self {
        Self {
            renewed: Arc::default(),
            looked: Arc::new(Mutex::new(Instant::now())),
            lasts,
        }
    }

    /// Whether it is held, and for a while yet: others take it after all of its time, of which a sixth is left here.
    pub(crate) fn holds(&self) -> bool {
        self.since().is_some_and(|since| since < self.lasts / 6 * 5)
    }

    fn since(&self) -> Option<Duration> {
        let renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.map(|renewed| renewed.elapsed())
    }

    /// Since when nobody looked at the lease, if that is for longer than it lasts: whoever waits for it, or has it, looks
    /// some times in that time.
    pub(crate) fn overdue(&self) -> Option<Duration> {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = looked.elapsed();
        (silent > self.lasts).then_some(silent)
    }

    fn looks(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn renewed(&self, begun: Instant) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
    }
}

impl Leadership {
    pub(crate) fn new(api: Api<Lease>, name: String, holder: Holder, lasts: Duration) -> Self {
        Self {
            api,
            name,
            holder,
            lasts,
            tenure: Tenure::new(lasts),
        }
    }

    pub(crate) fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    /// Waits until the lease is this process's. Whether a try succeeded that nobody answered shows at the next one, which
    /// looks anew.
    pub(crate) async fn win(&self) {
        let mut seen = None;
        loop {
            self.tenure.looks();
            match timeout(self.lasts / RENEWALS, self.try_to_win(&mut seen)).await {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) => {}
                Err(_) => tracing::warn!(lease = self.name, "the API server does not answer"),
                Ok(Err(error)) => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        lease = self.name,
                        "cannot ask who leads"
                    );
                }
            }
            sleep(self.lasts / RENEWALS).await;
        }
    }

    async fn try_to_win(&self, seen: &mut Option<Seen>) -> anyhow::Result<bool> {
        let found = self.api.get_opt(&self.name).await?;
        let Some(found) = found else {
            return self.write(None).await;
        };
        let version = found.metadata.resource_version.clone();
        let since = match seen {
            Some(seen) if seen.version == version => seen.since,
            _ => Instant::now(),
        };
        *seen = Some(Seen { version, since });
        match step(found.spec.as_ref(), &self.holder, since.elapsed()) {
            Step::Wait => Ok(false),
            Step::Take | Step::Renew => self.write(Some(found)).await,
        }
    }

    /// Renews it until that has failed for half of its time, or until it is another's. One more try may take a third.
    pub(crate) async fn keep(&self) -> anyhow::Error {
        loop {
            self.tenure.looks();
            sleep(self.lasts / RENEWALS).await;
            match timeout(self.lasts / RENEWALS, self.renew()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) if error.is::<Lost>() => return error,
                Ok(Err(error)) => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        lease = self.name,
                        "cannot renew the lease"
                    );
                }
                Err(_) => tracing::warn!(lease = self.name, "the API server does not answer"),
            }
            if self
                .tenure
                .since()
                .is_none_or(|since| since >= self.lasts / 2)
            {
                return anyhow::anyhow!("lease {} could not be renewed", self.name);
            }
        }
    }

    async fn renew(&self) -> anyhow::Result<()> {
        let found = self.api.get_opt(&self.name).await?.ok_or(Lost)?;
        match step(found.spec.as_ref(), &self.holder, Duration::ZERO) {
            Step::Renew => match self.write(Some(found)).await? {
                true => Ok(()),
                // Whoever wrote between is looked at next time.
                false => bail!("it was written by another meanwhile"),
            },
            Step::Take | Step::Wait => Err(Lost.into()),
        }
    }

    /// Gives it up, so that the next one need not wait. Nothing may be under way any more.
    pub(crate) async fn give_up(&self) -> anyhow::Result<()> {
        let given = timeout(self.lasts, self.try_to_give_up()).await;
        given.context("the API server does not answer")?
    }

    async fn try_to_give_up(&self) -> anyhow::Result<()> {
        let mut found = self.api.get(&self.name).await?;
        if let Some(spec) = found.spec.as_mut()
            && spec.holder_identity.as_ref() == Some(&self.holder.0)
        {
            spec.holder_identity = None;
            let params = PostParams::default();
            self.api.replace(&self.name, &params, &found).await?;
        }
        Ok(())
    }

    /// Writes it as this process's, if nobody wrote it since it was read.
    async fn write(&self, found: Option<Lease>) -> anyhow::Result<bool> {
        let (now, begun) = (MicroTime(Timestamp::now()), Instant::now());
        let before = found.as_ref().and_then(|lease| lease.spec.clone());
        let spec = self.ours(before.unwrap_or_default(), now)?;
        let params = PostParams::default();
        let written = match found {
            Some(found) => {
                let lease = Lease {
                    spec: Some(spec),
                    ..found
                };
                self.api.replace(&self.name, &params, &lease).await
            }
            None => {
                let lease = Lease {
                    metadata: ObjectMeta {
                        name: Some(self.name.clone()),
                        ..ObjectMeta::default()
                    },
                    spec: Some(spec),
                };
                self.api.create(&params, &lease).await
            }
        };
        match written {
            Ok(_) => {
                self.tenure.renewed(begun);
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn ours(&self, before: LeaseSpec, now: MicroTime) -> anyhow::Result<LeaseSpec> {
        let is_renewed = before.holder_identity.as_ref() == Some(&self.holder.0);
        let (acquired, transitions) = match is_renewed {
            true => (before.acquire_time, before.lease_transitions),
            false => {
                let changes = before.lease_transitions.map_or(0, |changes| changes + 1);
                (Some(now.clone()), Some(changes))
            }
        };
        let seconds = i32::try_from(self.lasts.as_secs().max(1));
        Ok(LeaseSpec {
            holder_identity: Some(self.holder.0.clone()),
            lease_duration_seconds: Some(seconds.context("the lease lasts too long")?),
            acquire_time: acquired,
            renew_time: Some(now),
            lease_transitions: transitions,
            ..before
        })
    }
}

/// It is another's.
#[derive(Debug, thiserror::Error)]
#[error("another process leads now")]
struct Lost;

/// What to do about a lease that has not changed for so long.
fn step(found: Option<&LeaseSpec>, holder: &Holder, unchanged: Duration) -> Step {
    let Some(spec) = found else {
        return Step::Take;
    };
    let lasts = spec.lease_duration_seconds.unwrap_or_default();
    let lasts = Duration::from_secs(u64::try_from(lasts).unwrap_or_default());
    match spec.holder_identity.as_deref() {
        None | Some("") => Step::Take,
        Some(name) if name == holder.0 => Step::Renew,
        Some(_) if unchanged > lasts => Step::Take,
        Some(_) => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: Option<&str>) -> LeaseSpec {
        LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        }
    }

    fn of(spec: &LeaseSpec, seconds: u64) -> Step {
        let here = Holder("here".to_owned());
        step(Some(spec), &here, Duration::from_secs(seconds))
    }

    #[test]
    fn a_lease_of_another_is_taken_once_it_has_not_changed_for_as_long_as_it_lasts() {
        let anothers = lease(Some("there"));
        assert_eq!(of(&anothers, 0), Step::Wait);
        assert_eq!(of(&anothers, 15), Step::Wait);
        assert_eq!(of(&anothers, 16), Step::Take);
    }

    #[test]
    fn nothing_begins_before_the_lease_is_won_nor_near_the_end_of_its_time() {
        let tenure = Tenure::new(Duration::from_secs(6000));
        assert!(!tenure.holds());
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds));
        for (seconds, holds) in [(0, true), (4000, true), (5001, false), (7000, false)] {
            let Some(begun) = ago(seconds) else { continue };
            let shared = tenure.clone();
            tenure.renewed(begun);
            assert_eq!(shared.holds(), holds, "{seconds} s later");
        }
    }

    #[test]
    fn a_lease_of_nobody_is_taken_and_ones_own_is_renewed() {
        assert_eq!(of(&lease(None), 0), Step::Take);
        assert_eq!(of(&lease(Some("")), 0), Step::Take);
        assert_eq!(of(&lease(Some("here")), 99), Step::Renew);
        assert_eq!(
            step(None, &Holder("here".to_owned()), Duration::ZERO),
            Step::Take
        );
    }
}
