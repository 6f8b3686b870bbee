//! The API server, asked and told one thing at a time. What another did meanwhile is no failure: who calls looks again.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::VolumeAttachment;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
    Preconditions,
};
use kube::{Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::mark::MARK;
use super::object::{Object, RETAIN};
use super::record::{self, MIGRATION_FINALIZER, MIGRATION_LABEL, Record, Stage};
use super::uses;
use crate::intent::ClaimKey;
use crate::provisioning::{code, exactly, is_refusal, is_there_already, without_finalizer};

/// As many objects as the API server is asked for at once.
const PAGE: u32 = 500;

/// A cluster, and the namespace in which is written down what is going to be done.
pub(super) struct Cluster {
    pub(super) client: Client,
    pub(super) namespace: String,
}

/// A record as it is in the API server.
pub(super) struct Written {
    pub(super) record: Record,
    pub(super) stage: Stage,
    uid: String,
    resource_version: Option<String>,
}

/// What becomes of the policy of a volume that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    AsItWas,
    /// Its claim is gone or is going: whoever deleted that may have relied on Retain, and provisioners delete at once what is
    /// Released with policy Delete.
    StaysRetain,
}

/// Whether a volume was created by this run, or another had its name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Created {
    Now,
    ThereAlready,
}

/// What the API server says of a volume that it is not given to keep.
pub(super) enum Answer {
    Takes,
    Refuses(String),
}

impl Written {
    /// Whether nobody changed it since.
    pub(super) fn is_that(&self, other: &Self) -> bool {
        (&self.uid, &self.resource_version) == (&other.uid, &other.resource_version)
    }
}

impl Cluster {
    fn volumes(&self) -> Api<DynamicObject> {
        Api::all_with(
            self.client.clone(),
            &ApiResource::erase::<PersistentVolume>(&()),
        )
    }

    fn records(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) async fn volume(&self, name: &str) -> anyhow::Result<Option<Object>> {
        let found = self.volumes().get_opt(name).await;
        let found = found.with_context(|| format!("cannot read PersistentVolume {name}"))?;
        Ok(found.map(Object::read).transpose()?)
    }

    pub(super) async fn all_volumes(&self) -> anyhow::Result<Vec<Object>> {
        let found = all(&self.volumes(), "", |_| true)
            .await
            .context("cannot list PersistentVolumes")?;
        let read = found
            .into_iter()
            .map(Object::read)
            .collect::<Result<_, _>>();
        Ok(read?)
    }

    pub(super) async fn claim(
        &self,
        key: &ClaimKey,
    ) -> anyhow::Result<Option<PersistentVolumeClaim>> {
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.client.clone(), &key.namespace);
        let found = claims.get_opt(&key.name).await;
        found.with_context(|| format!("cannot read claim {}/{}", key.namespace, key.name))
    }

    pub(super) async fn pods_in(&self, namespace: &str) -> anyhow::Result<Vec<Pod>> {
        let pods = Api::namespaced(self.client.clone(), namespace);
        let found = all(&pods, "", uses::may_have_one).await;
        found.with_context(|| format!("cannot list the pods of namespace {namespace}"))
    }

    pub(super) async fn attachments(&self) -> anyhow::Result<Vec<VolumeAttachment>> {
        self.everywhere("VolumeAttachments", |_| true).await
    }

    pub(super) async fn nodes(&self) -> anyhow::Result<Vec<Node>> {
        self.everywhere("nodes", |_| true).await
    }

    /// Those objects of a kind, in all namespaces.
    pub(super) async fn everywhere<K>(
        &self,
        plural: &str,
        which: impl Fn(&K) -> bool,
    ) -> anyhow::Result<Vec<K>>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        let found = all(&Api::all(self.client.clone()), "", which).await;
        found.with_context(|| format!("cannot list {plural}"))
    }

    /// What is written down of a volume, and not done.
    pub(super) async fn record(&self, volume: &str) -> anyhow::Result<Option<Written>> {
        let name = record::name_of(volume);
        let found = self.records().get_opt(&name).await;
        let found =
            found.with_context(|| format!("cannot read ConfigMap {}/{name}", self.namespace))?;
        found.as_ref().map(read_record).transpose()
    }

    pub(super) async fn all_records(&self) -> anyhow::Result<Vec<Record>> {
        let found = all(&self.records(), MIGRATION_LABEL, |_| true).await;
        let found = found.with_context(|| {
            format!("cannot list the ConfigMaps of namespace {}", self.namespace)
        })?;
        let records = found
            .iter()
            .map(|object| read_record(object).map(|written| written.record));
        records.collect()
    }

    pub(super) async fn write(&self, record: &Record) -> anyhow::Result<()> {
        let written = self
            .records()
            .create(&PostParams::default(), &record.to_config_map()?)
            .await;
        match written {
            Err(error) if is_there_already(&error) => Ok(()),
            written => written
                .map(drop)
                .context("cannot write down what is going to be done; nothing was changed"),
        }
    }

    /// The volume is another one by now than when that was written.
    pub(super) async fn rewrite(&self, written: &Written, record: &Record) -> anyhow::Result<()> {
        let mut object = record.to_config_map()?;
        object
            .metadata
            .resource_version
            .clone_from(&written.resource_version);
        let replaced = self
            .records()
            .replace(&object.name_any(), &PostParams::default(), &object)
            .await;
        unless_changed(replaced).context("cannot write down anew what is going to be done")
    }

    pub(super) async fn write_stage(&self, written: &Written, stage: Stage) -> anyhow::Result<()> {
        let annotation = stage.annotation().unwrap_or_default();
        let patch = json!({ "metadata": {
            "uid": written.uid,
            "resourceVersion": written.resource_version,
            "annotations": { annotation: "true" },
        } });
        let name = record::name_of(written.record.volume());
        let patched = self
            .records()
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        unless_changed(patched)
            .with_context(|| format!("cannot write in ConfigMap {name} how far it is"))
    }

    /// First it is deleted and then let go, so that none is left that nothing holds.
    pub(super) async fn forget(&self, written: &Written) -> anyhow::Result<()> {
        let name = record::name_of(written.record.volume());
        let doing = || {
            format!(
                "cannot delete ConfigMap {}/{name}, whose work is done",
                self.namespace
            )
        };
        unless_changed(self.records().delete(&name, &exactly(&written.uid)).await)
            .with_context(doing)?;
        let patch = without_finalizer(&written.uid, MIGRATION_FINALIZER);
        unless_changed(
            self.records()
                .patch(&name, &PatchParams::default(), &patch)
                .await,
        )
        .with_context(doing)
    }

    /// Keeps it whatever becomes of its claim, and marks it with what it had.
    pub(super) async fn retain(&self, object: &Object) -> anyhow::Result<()> {
        self.patch(object, retain_patch(object)).await
    }

    /// That very version of it, which was looked at.
    pub(super) async fn delete(&self, object: &Object) -> anyhow::Result<()> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(object.uid().to_owned()),
                resource_version: object.resource_version(),
            }),
            ..DeleteParams::default()
        };
        let deleted = self.volumes().delete(&object.name(), &params).await;
        unless_changed(deleted)
            .with_context(|| format!("cannot delete PersistentVolume {}", object.name()))
    }

    pub(super) async fn release(
        &self,
        object: &Object,
        finalizers: &[&String],
    ) -> anyhow::Result<()> {
        self.patch(
            object,
            json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": finalizers } }),
        )
        .await
    }

    /// Gives it to the claim that has had it, and keeps it until that has it.
    pub(super) async fn claim_for(&self, object: &Object, record: &Record) -> anyhow::Result<()> {
        let mut patch = retain_patch(object);
        patch["spec"]["claimRef"] = json!({ "uid": record.claim().map(|claim| claim.uid) });
        self.patch(object, patch).await
    }

    /// Takes its mark off.
    pub(super) async fn finish(&self, object: &Object, policy: Policy) -> anyhow::Result<()> {
        let mut patch = json!({ "metadata": { "annotations": { MARK: null } } });
        if policy == Policy::AsItWas {
            let had = object.what_it_had();
            patch["metadata"]["finalizers"] = json!(had.finalizers);
            patch["spec"] = json!({ "persistentVolumeReclaimPolicy": had.policy });
        }
        self.patch(object, patch).await
    }

    /// That very version of it, which was looked at.
    async fn patch(&self, object: &Object, mut patch: Value) -> anyhow::Result<()> {
        patch["metadata"]["uid"] = json!(object.uid());
        patch["metadata"]["resourceVersion"] = json!(object.resource_version());
        let patched = self
            .volumes()
            .patch(
                &object.name(),
                &PatchParams::default(),
                &Patch::Strategic(patch),
            )
            .await;
        unless_changed(patched)
            .with_context(|| format!("cannot change PersistentVolume {}", object.name()))
    }

    pub(super) async fn create(&self, volume: &Value) -> anyhow::Result<Created> {
        let created = self
            .volumes()
            .create(&PostParams::default(), &as_object(volume)?)
            .await;
        match created {
            Err(error) if is_there_already(&error) => Ok(Created::ThereAlready),
            created => Ok(created.map(|_| Created::Now)?),
        }
    }

    /// Whether such a volume would be created. Its name is taken by the one that it is to replace: that is found last, after
    /// all that the API server and its webhooks have to say.
    pub(super) async fn would_take(&self, volume: &Value) -> anyhow::Result<Answer> {
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        match self.volumes().create(&params, &as_object(volume)?).await {
            Ok(_) => Ok(Answer::Takes),
            Err(error) if is_there_already(&error) => Ok(Answer::Takes),
            Err(error) if is_of_the_volume(&error) => Ok(Answer::Refuses(error.to_string())),
            Err(error) => {
                Err(error).context("cannot ask the API server whether it takes the new volume")
            }
        }
    }
}

/// Those objects of a list that have a label, if one is named.
async fn all<K>(api: &Api<K>, label: &str, which: impl Fn(&K) -> bool) -> kube::Result<Vec<K>>
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    let mut params = ListParams::default().limit(PAGE).labels(label);
    let mut found = Vec::new();
    loop {
        let page = api.list(&params).await?;
        let next = page
            .metadata
            .continue_
            .clone()
            .filter(|token| !token.is_empty());
        found.extend(page.items.into_iter().filter(&which));
        match next {
            None => return Ok(found),
            Some(token) => params = params.continue_token(&token),
        }
    }
}

fn read_record(object: &ConfigMap) -> anyhow::Result<Written> {
    Ok(Written {
        record: Record::from_config_map(object)?,
        stage: Stage::of(object),
        uid: object.uid().unwrap_or_default(),
        resource_version: object.resource_version(),
    })
}

fn as_object(volume: &Value) -> anyhow::Result<DynamicObject> {
    serde_json::from_value(volume.clone()).context("what is written down is no PersistentVolume")
}

/// What keeps a volume, with what it had.
fn retain_patch(object: &Object) -> Value {
    json!({
        "metadata": { "annotations": { MARK: object.what_it_had().text() } },
        "spec": { "persistentVolumeReclaimPolicy": RETAIN },
    })
}

/// Whether it is the volume that is refused, and not whoever asks, nor the time that it took.
fn is_of_the_volume(error: &kube::Error) -> bool {
    is_refusal(error) && !matches!(code(error), Some(401 | 408))
}

/// That it is gone, or another one or another version by now, is found by looking again.
fn unless_changed<T>(answer: kube::Result<T>) -> kube::Result<()> {
    match answer {
        Ok(_) => Ok(()),
        Err(error) if matches!(code(&error), Some(404 | 409)) => Ok(()),
        Err(error) => Err(error),
    }
}
