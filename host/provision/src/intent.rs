//! What is going to be made, written down in the API server before any backend is asked.
//!
//! A ConfigMap in the provisioner's own namespace. It outlives the claim, its namespace and whoever wrote it; whoever leads
//! next finds all in it that a backend has to be asked, also where claim and class are gone. It has a finalizer for as long
//! as its work is not done, so that nobody deletes it by a slip.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use kube::api::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::names::{INTENT_FINALIZER, INTENT_LABEL, VolumeName};

/// Where in the ConfigMap it is.
const KEY: &str = "intent.json";

/// Rises where an earlier provisioner would misread it.
const FORMAT: u32 = 1;

/// A volume that is to be made for a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Intent {
    pub(crate) claim: ClaimKey,
    /// The process that wrote it.
    pub(crate) holder: Holder,
    pub(crate) class: String,
    /// What becomes of the volume when the claim goes.
    pub(crate) reclaim_policy: String,
    pub(crate) access_modes: Vec<String>,
    /// The node that the scheduler chose, if it chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    pub(crate) required_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit_bytes: Option<u64>,
    /// The class's, in their order.
    pub(crate) parameters: Vec<(String, String)>,
    /// Empty: the backend chooses.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) fs_type: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mount_options: Vec<String>,
    /// The preferred first; empty: anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) places: Vec<Vec<(String, String)>>,
}

/// A claim, and no other that gets its name later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimKey {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl ClaimKey {
    /// As volumes and events name it.
    pub(crate) fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("PersistentVolumeClaim".to_owned()),
            namespace: Some(self.namespace.clone()),
            name: Some(self.name.clone()),
            uid: Some(self.uid.clone()),
            ..ObjectReference::default()
        }
    }
}

/// One process of the provisioner, and none that is started later in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Holder(pub(crate) String);

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    #[serde(flatten)]
    intent: &'a Intent,
}

/// Why an object is none that can be worked off.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IntentError {
    /// Written by a later provisioner.
    #[error("it has format {0}, and this provisioner knows {FORMAT}: let the later one end it")]
    Later(u32),
    /// Anything else.
    #[error("it is no intent of a provisioner: {0}")]
    Malformed(String),
}

impl Intent {
    /// By which name everybody knows what is made.
    pub(crate) fn volume_name(&self) -> VolumeName {
        VolumeName::of_claim(&self.claim.uid)
    }

    /// Its claim, as volumes and events name it.
    pub(crate) fn claim_reference(&self) -> ObjectReference {
        self.claim.reference()
    }

    /// The object that holds it.
    pub(crate) fn to_config_map(&self, driver: &str) -> Result<ConfigMap, IntentError> {
        let written = Written {
            format: FORMAT,
            intent: self,
        };
        let text = serde_json::to_string(&written)
            .map_err(|error| IntentError::Malformed(error.to_string()))?;
        let label = (INTENT_LABEL.to_owned(), driver.to_owned());
        Ok(ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.volume_name().0),
                labels: Some(BTreeMap::from([label])),
                finalizers: Some(vec![INTENT_FINALIZER.to_owned()]),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(KEY.to_owned(), text)])),
            ..ConfigMap::default()
        })
    }

    /// From the object that holds it.
    pub(crate) fn from_config_map(object: &ConfigMap) -> Result<Self, IntentError> {
        let malformed = |reason: &str| IntentError::Malformed(reason.to_owned());
        let text = object.data.as_ref().and_then(|data| data.get(KEY));
        let text = text.ok_or_else(|| malformed("there is no intent.json in it"))?;
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| malformed(&error.to_string()))?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        match format.and_then(|format| u32::try_from(format).ok()) {
            Some(FORMAT) => {}
            Some(later) => return Err(IntentError::Later(later)),
            None => return Err(malformed("it says no format")),
        }
        let mut value = value;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("format");
        }
        let intent: Self =
            serde_json::from_value(value).map_err(|error| malformed(&error.to_string()))?;
        match object.metadata.name.as_ref() == Some(&intent.volume_name().0) {
            true => Ok(intent),
            false => Err(malformed("it is not named as its claim's volume")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of a claim with that UID.
    pub(crate) fn intent(uid: &str) -> Intent {
        Intent {
            claim: ClaimKey {
                namespace: "shop".to_owned(),
                name: "data".to_owned(),
                uid: uid.to_owned(),
            },
            holder: Holder("here".to_owned()),
            class: "disks".to_owned(),
            reclaim_policy: "Delete".to_owned(),
            access_modes: vec!["ReadWriteOnce".to_owned()],
            node: None,
            required_bytes: 20 << 30,
            limit_bytes: None,
            parameters: vec![("type".to_owned(), "cloud_essd".to_owned())],
            fs_type: String::new(),
            mount_options: Vec::new(),
            places: Vec::new(),
        }
    }

    #[test]
    fn an_intent_is_read_as_it_was_written() {
        let mut intent = intent("u-1");
        intent.node = Some("n".to_owned());
        intent.places = vec![vec![("zone".to_owned(), "a".to_owned())]];
        let object = intent.to_config_map("alicloud-disk").expect("written");
        assert_eq!(object.metadata.name.as_deref(), Some("pvc-u-1"));
        assert_eq!(
            object.metadata.finalizers.as_deref(),
            Some(&[INTENT_FINALIZER.to_owned()][..])
        );
        assert_eq!(Intent::from_config_map(&object), Ok(intent));
    }

    #[test]
    fn what_another_wrote_is_not_guessed_at() {
        let object = intent("u-1").to_config_map("alicloud-disk");
        let object = object.expect("written");
        let with = |change: &dyn Fn(&mut String)| {
            let mut object = object.clone();
            object
                .data
                .as_mut()
                .and_then(|data| data.get_mut(KEY))
                .map(change)
                .expect("a text");
            Intent::from_config_map(&object).expect_err("no intent")
        };
        let later = with(&|text| *text = text.replace("\"format\":1", "\"format\":2"));
        assert_eq!(later, IntentError::Later(2));
        for change in [
            &|text: &mut String| text.clear(),
            &|text: &mut String| *text = text.replace("\"class\"", "\"klass\""),
            &|text: &mut String| *text = text.replace("u-1", "u-2"),
        ] as [&dyn Fn(&mut String); 3]
        {
            assert!(matches!(with(change), IntentError::Malformed(_)));
        }
        assert!(Intent::from_config_map(&ConfigMap::default()).is_err());
    }
}
