//! Who may go on: some at once, and of the others first whoever has waited longest.
//!
//! kube hands a list of objects on in no order, so that the order in which turns are asked for says nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::{oneshot, watch};

/// Since when somebody waits, and a name that decides between those of one second, which is all that Kubernetes tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiting {
    since: Timestamp,
    name: String,
}

impl Waiting {
    /// Since an object was made, or from now on where that is not known.
    pub(crate) fn since(made: Option<&Time>, name: &str) -> Self {
        Self {
            since: made.map_or_else(Timestamp::now, |made| made.0),
            name: name.to_owned(),
        }
    }
}

/// So many turns at once; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    at_once: usize,
    queue: Mutex<Queue>,
    /// How many turns there are; changed while `queue` is locked.
    free: watch::Sender<usize>,
    /// Whether nobody gets a turn any more.
    ends: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Queue {
    /// How many came by now, so that nobody takes the place of another.
    came: u64,
    /// When somebody began to wait where nobody did, or got a turn.
    moved: Option<Instant>,
    waiting: BTreeMap<(Waiting, u64), oneshot::Sender<Permit>>,
}

/// Leave to go on, until this and its clones are dropped.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    _permit: Arc<Permit>,
}

/// Goes to the next one when it is dropped.
#[derive(Debug)]
struct Permit(Option<Arc<Shared>>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.pass_on();
        }
    }
}

impl Turns {
    pub(crate) fn new(at_once: u16) -> Self {
        let at_once = usize::from(at_once);
        Self(Arc::new(Shared {
            at_once,
            queue: Mutex::default(),
            free: watch::Sender::new(at_once),
            ends: watch::Sender::new(false),
        }))
    }

    /// Waits for a turn; nothing where nobody gets one any more.
    pub(crate) async fn turn(&self, waiting: Waiting) -> Option<Turn> {
        let mut ends = self.0.ends.subscribe();
        tokio::select! {
            biased;
            _ = ends.wait_for(|ends| *ends) => None,
            permit = self.0.ask(waiting) => {
                permit.ok().map(|permit| Turn { _permit: Arc::new(permit) })
            }
        }
    }

    /// Who has no turn yet gets none.
    pub(crate) fn end(&self) {
        self.0.ends.send_replace(true);
    }

    /// For how long nobody has got a turn, where somebody waits for one.
    pub(crate) fn waits_for(&self) -> Option<Duration> {
        let queue = self.0.queue();
        let moved = queue.moved.filter(|_| !queue.waiting.is_empty());
        moved.map(|moved| moved.elapsed())
    }

    /// Waits until nobody has a turn, and lets none begin.
    pub(crate) async fn close(&self) {
        self.end();
        let mut free = self.0.free.subscribe();
        // Never an error: what is waited for has the sender.
        let _ = free.wait_for(|free| *free == self.0.at_once).await;
    }
}

impl Shared {
    /// A place in the queue, which comes at once where there is a turn.
    fn ask(self: &Arc<Self>, waiting: Waiting) -> oneshot::Receiver<Permit> {
        let (sender, permit) = oneshot::channel();
        let mut queue = self.queue();
        queue.came += 1;
        let came = queue.came;
        if queue.waiting.is_empty() {
            queue.moved = Some(Instant::now());
        }
        queue.waiting.insert((waiting, came), sender);
        let is_free = self.take();
        drop(queue);
        if is_free {
            self.pass_on();
        }
        permit
    }

    /// Takes a turn, if there is one.
    fn take(&self) -> bool {
        self.free.send_if_modified(|free| {
            let is_free = *free > 0;
            *free = free.saturating_sub(1);
            is_free
        })
    }

    /// Gives a turn to whoever waited longest and still waits.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let mut queue = self.queue();
            let Some((_, next)) = queue.waiting.pop_first() else {
                self.free.send_modify(|free| *free += 1);
                return;
            };
            queue.moved = Some(Instant::now());
            drop(queue);
            match next.send(Permit(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // It is still to be passed on, here.
                Err(mut unwanted) => drop(unwanted.0.take()),
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::task::Poll;

    use futures::{FutureExt as _, poll};

    fn since(second: i64) -> Waiting {
        let since = Timestamp::from_second(second).expect("a time");
        Waiting::since(Some(&Time(since)), "a")
    }

    #[tokio::test]
    async fn a_turn_goes_to_whoever_has_waited_longest_whenever_it_asked() {
        let turns = Turns::new(1);
        let has_it = turns.turn(since(9)).await.expect("it is free");
        let [mut late, mut early] = [3, 2].map(|second| Box::pin(turns.turn(since(second))));
        assert!(poll!(&mut late).is_pending() && poll!(&mut early).is_pending());
        drop(has_it);
        assert!(poll!(&mut late).is_pending());
        let Poll::Ready(Some(early)) = poll!(&mut early) else {
            panic!("its turn has come");
        };
        drop(early);
        assert!(late.await.is_some());
    }

    #[tokio::test]
    async fn who_waits_no_more_is_passed_over() {
        let turns = Turns::new(1);
        let has_it = turns.turn(since(1)).await.expect("it is free");
        let mut gone = Box::pin(turns.turn(since(2)));
        let mut stays = Box::pin(turns.turn(since(3)));
        assert!(poll!(&mut gone).is_pending() && poll!(&mut stays).is_pending());
        drop(gone);
        drop(has_it);
        assert!(matches!(poll!(&mut stays), Poll::Ready(Some(_))));
        assert!(
            turns.turn(since(4)).now_or_never().flatten().is_some(),
            "it is free again"
        );
    }

    #[tokio::test]
    async fn nobody_gets_a_turn_once_they_have_ended() {
        let turns = Turns::new(1);
        let has_it = turns.turn(since(1)).await.expect("it is free");
        let waits = Box::pin(turns.turn(since(2)));
        turns.end();
        assert!(waits.await.is_none() && turns.turn(since(3)).await.is_none());
        assert!(turns.close().now_or_never().is_none(), "one has a turn");
        drop(has_it);
        assert!(turns.close().now_or_never().is_some());
    }
}
