//! Faults on demand: which request they hit, and how often they have.

pub(crate) mod kinds;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use self::kinds::{Kind, Order, Stage};
use crate::cloud::disk::Quirks;
use crate::wire::parameters::Parameters;

/// All faults that were ordered, in this order; the first that fits is taken.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    ordered: Mutex<Vec<Fault>>,
    /// Counts how often they were cleared.
    cleared: watch::Sender<u64>,
}

/// A fault that was ordered.
#[derive(Debug)]
struct Fault {
    action: String,
    when: BTreeMap<String, String>,
    kind: Kind,
    /// Requests that fit and are let through first.
    skip: u32,
    left: u32,
    fired: u32,
}

impl Fault {
    fn fits(&self, action: &str, parameters: &Parameters) -> bool {
        let named = self.action == "*" || self.action == action;
        named && self.left > 0 && parameters.contain(&self.when)
    }

    fn fire(&mut self) -> Option<Kind> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.left -= 1;
        self.fired += 1;
        Some(self.kind.clone())
    }

    fn shown(&self) -> Value {
        json!({
            "action": self.action,
            "kind": self.kind.name(),
            "when": self.when,
            "skip": self.skip,
            "left": self.left,
            "fired": self.fired,
        })
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn order(&self, order: &Order) -> Result<(), String> {
        let fault = Fault {
            kind: order.kind()?,
            action: order.action.clone(),
            when: order.when.clone(),
            skip: order.skip,
            left: order.times,
            fired: 0,
        };
        self.lock().push(fault);
        Ok(())
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
        self.cleared.send_modify(|count| *count += 1);
    }

    /// Tells when faults that are ordered by now have been cleared.
    pub(crate) fn clearing(&self) -> Clearing {
        Clearing(self.cleared.subscribe())
    }

    pub(crate) fn shown(&self) -> Value {
        let faults = self.lock();
        Value::from(faults.iter().map(Fault::shown).collect::<Vec<Value>>())
    }

    /// The fault that hits this request at this stage, if one does.
    pub(crate) fn take(&self, stage: Stage, action: &str, parameters: &Parameters) -> Option<Kind> {
        let mut faults = self.lock();
        let mut fitting = faults
            .iter_mut()
            .filter(|fault| fault.kind.stage() == stage && fault.fits(action, parameters));
        fitting.find_map(Fault::fire)
    }

    /// Whatever is to be odd about an attachment that this request makes.
    pub(crate) fn quirks(&self, action: &str, parameters: &Parameters) -> Quirks {
        let mut quirks = Quirks::default();
        if action != "AttachDisk" {
            return quirks;
        }
        for fault in self.lock().iter_mut() {
            if fault.kind.stage() == Stage::Device
                && fault.fits(action, parameters)
                && let Some(kind) = fault.fire()
            {
                kind.add_to(&mut quirks);
            }
        }
        quirks
    }
}

/// The next time that faults are cleared.
#[derive(Debug)]
pub(crate) struct Clearing(watch::Receiver<u64>);

impl Clearing {
    pub(crate) async fn wait(mut self) {
        // An emulator that is about to end clears nothing any more.
        let _ = self.0.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(orders: &[Value]) -> Faults {
        let faults = Faults::default();
        for order in orders {
            let order: Order = serde_json::from_value(order.clone()).unwrap();
            faults.order(&order).unwrap();
        }
        faults
    }

    fn hits(faults: &Faults, action: &str, disk: &str) -> bool {
        let parameters = [("DiskId".to_owned(), disk.to_owned())]
            .into_iter()
            .collect();
        faults.take(Stage::Before, action, &parameters).is_some()
    }

    #[test]
    fn fault_fires_as_often_as_ordered_after_what_it_lets_through() {
        let order = json!({ "action": "DeleteDisk", "kind": "throttling", "times": 2, "skip": 1 });
        let faults = faults(&[order]);
        let fired: Vec<bool> = (0..5).map(|_| hits(&faults, "DeleteDisk", "d-1")).collect();
        assert_eq!(fired, [false, true, true, false, false]);
        assert_eq!(faults.shown()[0]["fired"], 2);
    }

    #[test]
    fn fault_hits_its_own_action_and_parameters_only() {
        let order =
            json!({ "action": "DeleteDisk", "kind": "cut-before", "when": { "DiskId": "d-1" } });
        let faults = faults(&[order, json!({ "action": "*", "kind": "cut-before" })]);
        assert!(hits(&faults, "DeleteDisk", "d-1"));
        assert!(hits(&faults, "CreateDisk", "d-2"));
        assert!(!hits(&faults, "DeleteDisk", "d-2"));
    }

    #[test]
    fn several_oddities_hit_one_attachment() {
        let faults = faults(&[
            json!({ "action": "AttachDisk", "kind": "late-device", "millis": 7 }),
            json!({ "action": "AttachDisk", "kind": "other-name" }),
        ]);
        let parameters = Parameters::default();
        let quirks = faults.quirks("AttachDisk", &parameters);
        assert_eq!(quirks.late, crate::cloud::disk::Late::Millis(7));
        assert_eq!(quirks.link, crate::cloud::disk::Link::None);
        assert_eq!(faults.quirks("AttachDisk", &parameters), Quirks::default());
    }

    #[test]
    fn misspelt_orders_are_refused() {
        for order in [
            json!({ "action": "*", "kind": "trottling" }),
            json!({ "action": "*", "kind": "throttling", "time": 2 }),
        ] {
            assert!(
                serde_json::from_value::<Order>(order.clone()).is_err(),
                "{order}"
            );
        }
    }
}
