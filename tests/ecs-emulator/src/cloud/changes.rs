//! What a change of the cloud comes to, as it is written down: entries that changed, and all that is small as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cloud::Cloud;

/// What turns the state before a change, as JSON, into that after it. Twice is the same as once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// Replaced as they are.
    fields: Map<String, Value>,
    /// Of the fields that hold entries by id; null is gone.
    entries: BTreeMap<String, Map<String, Value>>,
}

impl Changes {
    /// Makes them in a state.
    pub(crate) fn apply(self, state: &mut Map<String, Value>) {
        state.extend(self.fields);
        for (field, changed) in self.entries {
            let all = state.entry(field).or_insert_with(|| json!({}));
            let Some(all) = all.as_object_mut() else {
                continue;
            };
            for (key, entry) in changed {
                match entry.is_null() {
                    true => drop(all.remove(&key)),
                    false => drop(all.insert(key, entry)),
                }
            }
        }
    }
}

impl Cloud {
    /// What has changed since this was asked last.
    pub(crate) fn take_changes(&mut self) -> serde_json::Result<Changes> {
        // Each field is named, so that none that is new can be forgotten.
        let Self {
            region,
            here,
            zones,
            instance_types,
            instances,
            disks,
            snapshots,
            snapshot_groups,
            tasks,
            tokens,
            keys,
            knobs,
            sequence,
            history: _,
            earlier_disks: _,
            earlier_snapshots: _,
            earlier_snapshot_groups: _,
        } = self;
        let fields = [
            ("region", serde_json::to_value(region)?),
            ("here", serde_json::to_value(here)?),
            ("zones", serde_json::to_value(zones)?),
            ("instance_types", serde_json::to_value(instance_types)?),
            ("instances", serde_json::to_value(instances)?),
            ("keys", serde_json::to_value(keys)?),
            ("knobs", serde_json::to_value(knobs)?),
            ("sequence", serde_json::to_value(sequence)?),
        ];
        let entries = [
            ("disks", disks.take_changed()?),
            ("snapshots", snapshots.take_changed()?),
            ("snapshot_groups", snapshot_groups.take_changed()?),
            ("tasks", tasks.take_changed()?),
            ("tokens", tokens.take_changed()?),
        ];
        Ok(Changes {
            fields: fields
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
            entries: entries
                .map(|(name, changed)| (name.to_owned(), changed))
                .into(),
        })
    }
}
