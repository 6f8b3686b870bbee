//! Which requests came, for tests that ask how a client behaved.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// How many of the last requests are kept in detail.
const KEPT: usize = 2000;

/// A request that has been answered.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) action: String,
    pub(crate) user_agent: String,
    /// `v1`, `v3` or `none`.
    pub(crate) signature: &'static str,
    pub(crate) method: String,
    pub(crate) parameters: Value,
    pub(crate) status: u16,
    /// The code of a refusal, also of one that was ordered.
    pub(crate) code: Option<String>,
    pub(crate) request_id: String,
}

/// All requests since the start or since the log was cleared.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    counts: BTreeMap<String, u64>,
    last: VecDeque<Entry>,
}

impl RequestLog {
    pub(crate) fn add(&self, entry: Entry) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept.counts.entry(entry.action.clone()).or_default() += 1;
        if kept.last.len() == KEPT {
            kept.last.pop_front();
        }
        kept.last.push_back(entry);
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    pub(crate) fn shown(&self) -> Value {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last: Vec<Value> = kept.last.iter().map(Entry::shown).collect();
        json!({ "counts": kept.counts, "last": last })
    }
}

impl Entry {
    fn shown(&self) -> Value {
        json!({
            "action": self.action,
            "user_agent": self.user_agent,
            "signature": self.signature,
            "method": self.method,
            "parameters": self.parameters,
            "status": self.status,
            "code": self.code,
            "request_id": self.request_id,
        })
    }
}
