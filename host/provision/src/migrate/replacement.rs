//! What a volume is replaced by, in either direction. Pure.
//!
//! Only the source changes, and the annotations that speak of it. The old ones travel with the new volume as an annotation:
//! who has the volume can turn it back, also much later and from elsewhere, and what was changed in between (it may have
//! grown) stays.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{CSIPersistentVolumeSource, PersistentVolume};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::drivers::Drivers;
use super::mark::Mark;
use super::object::{LAST_APPLIED, Object};
use super::translation::{self, Untranslatable};
use crate::names::{PROVISIONED_BY, VOLUME_FINALIZER};

/// On a volume that was migrated: what it was before, where that differs.
pub(super) const MIGRATED_FROM: &str = "drivebay.dev/migrated-from";

/// Rises where an earlier program would misread it.
const FORMAT: u32 = 1;

/// The policy by which a volume goes with its claim.
const DELETE: &str = "Delete";

/// Which way volumes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Direction {
    ToCsi,
    /// Those that came from there.
    ToFlexVolume,
}

impl Direction {
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::ToCsi => Self::ToFlexVolume,
            Self::ToFlexVolume => Self::ToCsi,
        }
    }
}

/// What [`MIGRATED_FROM`] holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Before {
    format: u32,
    flex_volume: Value,
    /// Those that are not there now, or say something else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    /// What kept it until its disk was gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    finalizers: Vec<String>,
}

/// Why a volume has no counterpart.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreplaceable {
    #[error("it is no FlexVolume")]
    NoFlexVolume,
    #[error(
        "no CSI driver is known for FlexVolume driver {0}: name it by --disk or --share, if it is one of those"
    )]
    UnknownDriver(String),
    #[error(transparent)]
    Untranslatable(#[from] Untranslatable),
    #[error(
        "provisioner {0} deletes it with its claim, which no CSI driver would do: set its reclaim policy to Retain, and \
         delete the volume by hand when it is not needed any more"
    )]
    MadeBy(String),
    #[error("it has no annotation {MIGRATED_FROM}, so it was no FlexVolume before")]
    NeverMigrated,
    #[error("its annotation {MIGRATED_FROM} cannot be read: {0}")]
    Malformed(String),
    #[error(
        "its annotation {MIGRATED_FROM} tells of {before}, and it is {now} by now, so the way back would lead to other data: \
         write the FlexVolume by hand"
    )]
    Another { before: String, now: String },
    #[error("it has a VolumeAttributesClass by now, which FlexVolume does not know")]
    Attributes,
}

/// The counterpart of a volume, as it has to be created.
pub(super) fn of(
    object: &Object,
    direction: Direction,
    drivers: &Drivers,
) -> Result<Value, Unreplaceable> {
    match direction {
        Direction::ToCsi => to_csi(object, drivers),
        Direction::ToFlexVolume => {
            let new = to_flexvolume(object)?;
            refuse_another(object, &new, drivers)?;
            Ok(new)
        }
    }
}

/// Somebody may have put another volume in the place of the one that was migrated, and kept its annotations.
fn refuse_another(object: &Object, new: &Value, drivers: &Drivers) -> Result<(), Unreplaceable> {
    let malformed = |error: serde_json::Error| Unreplaceable::Malformed(error.to_string());
    let back: PersistentVolume = serde_json::from_value(new.clone()).map_err(malformed)?;
    let source = back
        .spec
        .as_ref()
        .and_then(|spec| spec.flex_volume.as_ref());
    let source = source.ok_or(Unreplaceable::NoFlexVolume)?;
    let driver = drivers.by_flexvolume(&source.driver);
    let driver = driver.ok_or_else(|| Unreplaceable::UnknownDriver(source.driver.clone()))?;
    let before = place(&translation::to_csi(&back, source, driver)?);
    let now = object.csi().map(place).unwrap_or_default();
    match before == now {
        true => Ok(()),
        false => Err(Unreplaceable::Another { before, now }),
    }
}

/// Where a volume's data is.
fn place(source: &CSIPersistentVolumeSource) -> String {
    let attributes = source.volume_attributes.iter().flatten();
    let of_shares = attributes.filter(|(key, _)| ["server", "share"].contains(&key.as_str()));
    let of_shares: String = of_shares
        .map(|(key, value)| format!(", {key} {value}"))
        .collect();
    format!(
        "volume {} of {}{of_shares}",
        source.volume_handle, source.driver
    )
}

fn to_csi(object: &Object, drivers: &Drivers) -> Result<Value, Unreplaceable> {
    let source = object.flexvolume().ok_or(Unreplaceable::NoFlexVolume)?;
    let driver = drivers.by_flexvolume(&source.driver);
    let driver = driver.ok_or_else(|| Unreplaceable::UnknownDriver(source.driver.clone()))?;
    let csi = translation::to_csi(object.known(), source, driver)?;
    let had = object.what_it_had();
    let made_by = match object.annotation(PROVISIONED_BY) {
        None => None,
        Some(name) if name == driver.names.flexvolume.0 && driver.deletes_by_id() => {
            Some(driver.names.csi.0.clone())
        }
        Some(name) if had.policy == DELETE => {
            return Err(Unreplaceable::MadeBy(name.to_owned()));
        }
        Some(_) => None,
    };
    let mut new = object.blueprint();
    let flex_volume = exchanged(&mut new, "flexVolume", "csi", json!(csi));
    let mut annotations = taken_annotations(&mut new);
    let mut before = BTreeMap::new();
    for key in [PROVISIONED_BY, LAST_APPLIED] {
        if let Some(value) = annotations.remove(key) {
            before.insert(key.to_owned(), value);
        }
    }
    // Whoever deletes a CSI volume with its claim deletes what is at the backend first.
    let finalizer = made_by.as_ref().filter(|_| had.policy == DELETE);
    let mark = Mark {
        policy: had.policy,
        finalizers: finalizer
            .map(|_| VOLUME_FINALIZER.to_owned())
            .into_iter()
            .collect(),
    };
    if let Some(name) = made_by {
        annotations.insert(PROVISIONED_BY.to_owned(), name);
    }
    let before = Before {
        format: FORMAT,
        flex_volume,
        annotations: before,
        finalizers: had.finalizers,
    };
    let before = serde_json::to_string(&before)
        .map_err(|error| Unreplaceable::Malformed(error.to_string()))?;
    annotations.insert(MIGRATED_FROM.to_owned(), before);
    new["metadata"]["annotations"] = json!(annotations);
    mark.put_on(&mut new);
    Ok(new)
}

fn to_flexvolume(object: &Object) -> Result<Value, Unreplaceable> {
    let before = object
        .annotation(MIGRATED_FROM)
        .ok_or(Unreplaceable::NeverMigrated)?;
    let before: Before = serde_json::from_str(before)
        .map_err(|error| Unreplaceable::Malformed(error.to_string()))?;
    if before.format != FORMAT {
        return Err(Unreplaceable::Malformed(format!(
            "its format is {}, and {FORMAT} is known",
            before.format
        )));
    }
    let mut new = object.blueprint();
    let class = &new["spec"]["volumeAttributesClassName"];
    if class.as_str().is_some_and(|name| !name.is_empty()) {
        return Err(Unreplaceable::Attributes);
    }
    exchanged(&mut new, "csi", "flexVolume", before.flex_volume);
    let mut annotations = taken_annotations(&mut new);
    for key in [MIGRATED_FROM, PROVISIONED_BY, LAST_APPLIED] {
        annotations.remove(key);
    }
    annotations.extend(before.annotations);
    new["metadata"]["annotations"] = json!(annotations);
    let policy = object.what_it_had().policy;
    let mark = Mark {
        finalizers: match policy == DELETE {
            true => before.finalizers,
            false => Vec::new(),
        },
        policy,
    };
    mark.put_on(&mut new);
    Ok(new)
}

/// Takes one source out of a blueprint and puts the other in.
fn exchanged(new: &mut Value, old: &str, other: &str, source: Value) -> Value {
    let taken = new["spec"]
        .as_object_mut()
        .and_then(|spec| spec.remove(old));
    new["spec"][other] = source;
    taken.unwrap_or_default()
}

fn taken_annotations(new: &mut Value) -> BTreeMap<String, String> {
    let metadata = new["metadata"].as_object_mut();
    let taken =
        metadata.and_then(|metadata: &mut Map<String, Value>| metadata.remove("annotations"));
    taken
        .and_then(|taken| serde_json::from_value(taken).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::mark::MARK;
    use super::super::object::tests::{bound_disk, object};
    use super::*;

    fn drivers() -> Drivers {
        let names = |text: &str| text.parse().expect("names");
        Drivers::new(
            &[names("alicloud/disk=diskplugin.csi.alibabacloud.com")],
            &[names("k8s/nfs=nfs.csi.k8s.io")],
        )
    }

    #[track_caller]
    fn to_csi(volume: Value) -> Value {
        of(&object(volume), Direction::ToCsi, &drivers()).expect("a counterpart")
    }

    fn deleted_with_its_claim() -> Mark {
        Mark {
            policy: DELETE.to_owned(),
            finalizers: vec![VOLUME_FINALIZER.to_owned()],
        }
    }

    /// What a volume is to have once all is done.
    #[track_caller]
    fn mark_of(volume: &Value) -> Mark {
        let mark = object(volume.clone()).mark();
        mark.expect("a mark")
    }

    #[test]
    fn only_the_source_changes_and_who_deletes_it() {
        let old = object(bound_disk()).blueprint();
        let new = to_csi(bound_disk());
        let mut expected = old.clone();
        let spec = expected["spec"].as_object_mut().expect("an object");
        spec.remove("flexVolume");
        expected["spec"]["csi"] = json!({ "driver": "diskplugin.csi.alibabacloud.com", "volumeHandle": "d-1", "fsType": "ext4" });
        let from = new["metadata"]["annotations"][MIGRATED_FROM]
            .as_str()
            .expect("a text");
        expected["metadata"]["annotations"] = json!({
            PROVISIONED_BY: "diskplugin.csi.alibabacloud.com",
            MIGRATED_FROM: from,
        });
        deleted_with_its_claim().put_on(&mut expected);
        assert_eq!(new, expected);
        let from: Value = serde_json::from_str(from).expect("JSON");
        assert_eq!(from["flexVolume"], old["spec"]["flexVolume"]);
    }

    #[test]
    fn a_volume_that_is_turned_back_is_what_it_was_but_for_what_happened_since() {
        let mut new = to_csi(bound_disk());
        new["spec"]["capacity"]["storage"] = json!("40Gi");
        new["metadata"]["labels"]["since"] = json!("then");
        let back = of(&object(new), Direction::ToFlexVolume, &drivers()).expect("a counterpart");
        let mut expected = object(bound_disk()).blueprint();
        expected["spec"]["capacity"]["storage"] = json!("40Gi");
        expected["metadata"]["labels"]["since"] = json!("then");
        deleted_with_its_claim().put_on(&mut expected);
        assert_eq!(back, expected);
    }

    #[test]
    fn a_volume_that_another_took_the_place_of_is_not_turned_back() {
        let mut new = to_csi(bound_disk());
        new["spec"]["csi"]["volumeHandle"] = json!("d-2");
        let back = of(&object(new), Direction::ToFlexVolume, &drivers());
        let Err(Unreplaceable::Another { before, now }) = back else {
            panic!("turned back: {back:?}");
        };
        assert!(before.contains("volume d-1 ") && now.contains("volume d-2 "));
    }

    #[test]
    fn a_volume_that_nobody_made_is_deleted_by_nobody() {
        let mut volume = bound_disk();
        volume["metadata"]["annotations"] = Value::Null;
        let new = to_csi(volume.clone());
        assert_eq!(new["metadata"]["annotations"][PROVISIONED_BY], Value::Null);
        assert_eq!(mark_of(&new).finalizers, [""; 0]);
        let back = of(&object(new), Direction::ToFlexVolume, &drivers()).expect("a counterpart");
        let mut expected = object(volume).blueprint();
        deleted_with_its_claim().put_on(&mut expected);
        assert_eq!(back, expected);
    }

    #[test]
    fn a_volume_that_is_turned_back_waits_for_its_disk_if_it_did_before() {
        let mut volume = bound_disk();
        volume["metadata"]["finalizers"] = json!([]);
        let new = to_csi(volume);
        assert_eq!(mark_of(&new), deleted_with_its_claim());
        let back = |volume: Value| {
            of(&object(volume), Direction::ToFlexVolume, &drivers()).expect("a counterpart")
        };
        assert_eq!(mark_of(&back(new)).finalizers, [""; 0]);
        let mut kept = to_csi(bound_disk());
        kept["metadata"]["annotations"]
            .as_object_mut()
            .expect("an object")
            .remove(MARK);
        assert_eq!(
            mark_of(&back(kept)).policy,
            "Retain",
            "as somebody set it since"
        );
    }

    #[test]
    fn a_volume_that_was_marked_before_has_the_policy_that_its_mark_says() {
        let mut marked = bound_disk();
        marked["spec"]["persistentVolumeReclaimPolicy"] = json!("Retain");
        deleted_with_its_claim().put_on(&mut marked);
        assert_eq!(mark_of(&to_csi(marked.clone())), deleted_with_its_claim());
        marked["metadata"]["annotations"]
            .as_object_mut()
            .expect("an object")
            .remove(MARK);
        assert_eq!(mark_of(&to_csi(marked)).policy, "Retain");
    }

    #[test]
    fn a_volume_that_another_deletes_is_left_unless_it_is_kept() {
        let share = |policy: &str| {
            let mut volume = bound_disk();
            volume["spec"]["persistentVolumeReclaimPolicy"] = json!(policy);
            volume["spec"]["flexVolume"] =
                json!({ "driver": "k8s/nfs", "options": { "server": "s", "share": "/a" } });
            volume["metadata"]["annotations"][PROVISIONED_BY] = json!("k8s/nfs");
            volume
        };
        let refused = of(&object(share("Delete")), Direction::ToCsi, &drivers());
        assert!(matches!(refused, Err(Unreplaceable::MadeBy(name)) if name == "k8s/nfs"));
        let kept = to_csi(share("Retain"));
        assert_eq!(kept["metadata"]["annotations"][PROVISIONED_BY], Value::Null);
    }

    #[test]
    fn what_was_no_flexvolume_is_not_turned_into_one() {
        let mut new = to_csi(bound_disk());
        let back =
            |volume: &Value| of(&object(volume.clone()), Direction::ToFlexVolume, &drivers());
        new["spec"]["volumeAttributesClassName"] = json!("fast");
        assert!(matches!(back(&new), Err(Unreplaceable::Attributes)));
        new["metadata"]["annotations"][MIGRATED_FROM] = json!("{\"format\":2,\"flexVolume\":{}}");
        assert!(matches!(back(&new), Err(Unreplaceable::Malformed(_))));
        new["metadata"]["annotations"] = json!({});
        assert!(matches!(back(&new), Err(Unreplaceable::NeverMigrated)));
    }
}
