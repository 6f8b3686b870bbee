//! What is written down before a volume is replaced: the whole old one and the whole new one, in a ConfigMap. Pure.
//!
//! Between the deletion of the one and the creation of the other there is no PersistentVolume, and whoever does it may be
//! killed there. A finalizer keeps the ConfigMap from being deleted by a slip.

use std::collections::BTreeMap;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::Object;
use super::replacement::Direction;
use super::step::Which;
use crate::intent::ClaimKey;

/// On what is written down: that it is.
pub(super) const MIGRATION_LABEL: &str = "drivebay.dev/migration";

/// On what is written down and not done.
pub(super) const MIGRATION_FINALIZER: &str = "drivebay.dev/migration";

/// What its name begins with; the volume's follows.
const PREFIX: &str = "drivebay-migration.";

/// Where in the ConfigMap it is.
const KEY: &str = "migration.json";

/// Rises where an earlier program would misread it.
const FORMAT: u32 = 2;

/// How far a record is, besides what its volume tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Begun,
    /// The old volume goes by this record. One that went before was deleted by others, and is not created again.
    Deleting,
    /// The old volume stays, whoever goes on with it. A new attempt has a new record.
    GivenUp,
    /// Given up when it may have been deleted by this record.
    TurnedBack,
    /// What was created was seen to be Bound: from then on nothing is created any more, also where it goes again.
    Replaced,
}

/// A volume that is being replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    format: u32,
    pub(super) direction: Direction,
    /// Of the object that goes, and of no other that has its name later.
    pub(super) uid: String,
    /// What becomes of the volume with its claim, once all is done.
    pub(super) policy: String,
    /// As they are created: both with policy Retain, and marked.
    pub(super) old: Value,
    pub(super) new: Value,
}

/// Why a ConfigMap is no record.
#[derive(Debug, thiserror::Error)]
#[error(
    "ConfigMap {name} is no record of a migration that is known here ({reason}): let the program that wrote it end it"
)]
pub(super) struct NoRecord {
    name: String,
    reason: String,
}

impl Record {
    /// Of a volume that is to be replaced by that one.
    pub(super) fn new(object: &Object, new: Value, direction: Direction) -> Self {
        let had = object.what_it_had();
        let mut old = object.blueprint();
        had.put_on(&mut old);
        Self {
            format: FORMAT,
            direction,
            uid: object.uid().to_owned(),
            policy: had.policy,
            old,
            new,
        }
    }

    /// The volume's name, which both have.
    pub(super) fn volume(&self) -> &str {
        self.old["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The claim that holds both.
    pub(super) fn claim(&self) -> Option<ClaimKey> {
        let text = |field: &str| {
            self.old["spec"]["claimRef"][field]
                .as_str()
                .map(str::to_owned)
        };
        Some(ClaimKey {
            namespace: text("namespace")?,
            name: text("name")?,
            uid: text("uid")?,
        })
    }

    pub(super) fn volume_of(&self, which: Which) -> &Value {
        match which {
            Which::Old => &self.old,
            Which::New => &self.new,
        }
    }

    /// The old one, as something that is asked like one of the API server.
    pub(super) fn old_object(&self) -> anyhow::Result<Object> {
        let whole = serde_json::from_value(self.old.clone())
            .context("what is written down is no PersistentVolume")?;
        Ok(Object::read(whole)?)
    }

    pub(super) fn class(&self) -> &str {
        self.old["spec"]["storageClassName"]
            .as_str()
            .unwrap_or_default()
    }

    pub(super) fn to_config_map(&self) -> Result<ConfigMap, NoRecord> {
        let name = name_of(self.volume());
        let text = serde_json::to_string_pretty(self).map_err(|error| NoRecord {
            name: name.clone(),
            reason: error.to_string(),
        })?;
        Ok(ConfigMap {
            metadata: ObjectMeta {
                name: Some(name),
                labels: Some([(MIGRATION_LABEL.to_owned(), "volume".to_owned())].into()),
                finalizers: Some(vec![MIGRATION_FINALIZER.to_owned()]),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(KEY.to_owned(), text)])),
            ..ConfigMap::default()
        })
    }

    pub(super) fn from_config_map(object: &ConfigMap) -> Result<Self, NoRecord> {
        let no_record = |reason: &str| NoRecord {
            name: object.name_any(),
            reason: reason.to_owned(),
        };
        let text = object.data.as_ref().and_then(|data| data.get(KEY));
        let text = text.ok_or_else(|| no_record("there is no migration.json in it"))?;
        let record: Self =
            serde_json::from_str(text).map_err(|error| no_record(&error.to_string()))?;
        if record.format != FORMAT {
            return Err(no_record(&format!(
                "its format is {}, and {FORMAT} is known",
                record.format
            )));
        }
        match object.name_any() == name_of(record.volume()) {
            true => Ok(record),
            false => Err(no_record("it is not named as its volume")),
        }
    }
}

impl Stage {
    pub(super) fn of(object: &ConfigMap) -> Self {
        let says = |stage: Self| {
            let annotation = stage.annotation();
            annotation.is_some_and(|annotation| object.annotations().contains_key(annotation))
        };
        match (says(Self::Deleting), says(Self::GivenUp)) {
            _ if says(Self::Replaced) => Self::Replaced,
            (true, true) => Self::TurnedBack,
            (true, false) => Self::Deleting,
            (false, true) => Self::GivenUp,
            (false, false) => Self::Begun,
        }
    }

    /// What says so on the ConfigMap, beside what it says already.
    pub(super) fn annotation(self) -> Option<&'static str> {
        match self {
            Self::Begun => None,
            Self::Deleting => Some("drivebay.dev/migration-deletes"),
            Self::GivenUp | Self::TurnedBack => Some("drivebay.dev/migration-given-up"),
            Self::Replaced => Some("drivebay.dev/migration-replaced"),
        }
    }

    /// Whether the old volume may have been deleted by the record.
    pub(super) fn deletes(self) -> bool {
        [Self::Deleting, Self::TurnedBack].contains(&self)
    }
}

/// The ConfigMap of a volume.
pub(super) fn name_of(volume: &str) -> String {
    format!("{PREFIX}{volume}")
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::object::tests::{bound_disk, object};
    use super::*;

    /// Of a disk that is to become one of CSI's.
    pub(in crate::migrate) fn record() -> Record {
        let object = object(bound_disk());
        let mut new = object.blueprint();
        let spec = new["spec"].as_object_mut().expect("an object");
        spec.remove("flexVolume");
        new["spec"]["csi"] = json!({ "driver": "d", "volumeHandle": "d-1" });
        object.what_it_had().put_on(&mut new);
        Record::new(&object, new, Direction::ToCsi)
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = record();
        assert_eq!(
            (record.volume(), record.class(), record.policy.as_str()),
            ("pvc-u-1", "alicloud-disk", "Delete")
        );
        let written = record.to_config_map().expect("written");
        assert_eq!(written.name_any(), "drivebay-migration.pvc-u-1");
        assert_eq!(Record::from_config_map(&written).expect("read"), record);
    }

    #[test]
    fn the_policy_is_remembered_and_not_what_it_was_set_to_meanwhile() {
        let of = |volume: &Value| {
            let record = Record::new(&object(volume.clone()), json!({}), Direction::ToCsi);
            let mark = object(record.old).mark().expect("a mark");
            assert_eq!(mark.policy, record.policy);
            record.policy
        };
        let mut retained = bound_disk();
        retained["spec"]["persistentVolumeReclaimPolicy"] = json!("Retain");
        assert_eq!(of(&retained), "Retain");
        let marked = object(record().old);
        marked.mark().expect("a mark").put_on(&mut retained);
        assert_eq!(of(&retained), "Delete");
        retained["spec"]["persistentVolumeReclaimPolicy"] = json!("Recycle");
        assert_eq!(of(&retained), "Recycle", "somebody set it meanwhile");
    }

    #[test]
    fn a_record_is_as_far_as_it_was_last_said_to_be() {
        let mut written = record().to_config_map().expect("written");
        assert_eq!(Stage::of(&written), Stage::Begun);
        for stage in [Stage::GivenUp, Stage::Replaced] {
            let annotation = stage.annotation().expect("an annotation").to_owned();
            written
                .annotations_mut()
                .insert(annotation, "true".to_owned());
            assert_eq!(Stage::of(&written), stage);
        }
    }

    #[test]
    fn what_another_wrote_is_not_guessed_at() {
        let written = record().to_config_map().expect("written");
        for (from, to) in [
            ("\"format\": 2", "\"format\": 1"),
            ("pvc-u-1", "pvc-u-2"),
            ("\"policy\"", "\"pol\""),
        ] {
            let mut other = written.clone();
            let text = other
                .data
                .as_mut()
                .and_then(|data| data.get_mut(KEY))
                .expect("a text");
            *text = text.replace(from, to);
            assert!(Record::from_config_map(&other).is_err(), "{from}");
        }
        assert!(Record::from_config_map(&ConfigMap::default()).is_err());
    }
}
