//! Who answers what guests ask: workers, as far as grants go; and, where a person runs a component by hand, who listens, and
//! what there is in the place of a node.

#[cfg(feature = "compiler")]
use super::by_hand::ByHand;
use crate::broker::{Broker, TargetHandle, WorkerBroker};
#[cfg(feature = "compiler")]
use crate::broker::{Model, Replay};
use crate::runtime::TraceDetail;
use crate::worker::WorkerClient;

/// Of one driver, for all its calls.
#[derive(Debug, Default)]
pub(super) struct Answering {
    #[cfg(feature = "compiler")]
    by_hand: Option<ByHand>,
}

impl Answering {
    /// Whom the guest of one call asks.
    pub(super) fn over(&self, broker: WorkerBroker) -> Box<dyn Broker> {
        #[cfg(feature = "compiler")]
        if let Some(by_hand) = &self.by_hand {
            return by_hand.over(broker);
        }
        Box::new(broker)
    }

    /// Whom the broker of one call asks.
    pub(super) fn worker(&self, workers: impl WorkerClient + 'static) -> Box<dyn WorkerClient> {
        #[cfg(feature = "compiler")]
        if let Some(by_hand) = &self.by_hand {
            return by_hand.worker(Box::new(workers));
        }
        Box::new(workers)
    }

    /// The handle of a target that a call is lent, by which its guest knows it.
    pub(super) fn lent(&self, target: TargetHandle) -> TargetHandle {
        #[cfg(feature = "compiler")]
        if let Some(by_hand) = &self.by_hand {
            return by_hand.lent(target);
        }
        target
    }

    /// Whoever runs a component by hand wrote it, or knows who did.
    pub(super) fn traces(&self) -> TraceDetail {
        #[cfg(feature = "compiler")]
        if self.by_hand.is_some() {
            return TraceDetail::Lines;
        }
        TraceDetail::Functions
    }

    /// What guests are answered from in the place of everything else.
    #[cfg(feature = "compiler")]
    pub(super) fn replay(&self) -> Option<&Replay> {
        self.by_hand.as_ref()?.replay()
    }

    /// What there is in the place of a node.
    #[cfg(feature = "compiler")]
    pub(super) fn model(&self) -> Option<&Model> {
        self.by_hand.as_ref()?.model()
    }
}

#[cfg(feature = "compiler")]
impl From<ByHand> for Answering {
    fn from(by_hand: ByHand) -> Self {
        Self {
            by_hand: Some(by_hand),
        }
    }
}
