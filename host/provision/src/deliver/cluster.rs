//! The API server: what is there, kept as it is by two watches, and the one thing that is written to a pod.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::Notify;

use super::content::Delivered;
use super::mounting_pod::{ANNOTATION, MountingPod, Told, written};
use super::watched::Watched;
use crate::provisioning::code;

/// A namespace, and what is known of it; clones share it.
#[derive(Clone)]
pub(super) struct Cluster {
    client: Client,
    namespace: String,
    known: Arc<Known>,
}

#[derive(Default)]
struct Known {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    watched: Watched,
    /// Which of the two kinds have been listed once.
    listed: Listed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Listed {
    maps: bool,
    pods: bool,
}

impl Cluster {
    pub(super) fn new(client: Client, namespace: String) -> Self {
        Self {
            client,
            namespace,
            known: Arc::default(),
        }
    }

    /// Keeps what is known as it is, for as long as it runs.
    pub(super) async fn follow(&self) {
        let maps = follow(self.api::<ConfigMap>(), Delivered::of, |news| {
            self.know(|state| {
                state.listed.maps = true;
                news.enter(&mut state.watched.maps)
            });
        });
        let pods = follow(self.api::<Pod>(), MountingPod::of, |news| {
            self.know(|state| {
                state.listed.pods = true;
                news.enter(&mut state.watched.pods)
            });
        });
        tokio::join!(maps, pods);
    }

    /// What is there, once all of it was listed.
    pub(super) fn see<T>(&self, look: impl FnOnce(&Watched) -> T) -> Option<T> {
        let state = self.state();
        let all = Listed {
            maps: true,
            pods: true,
        };
        (state.listed == all).then(|| look(&state.watched))
    }

    /// Until something changes, or has changed since this was called last.
    pub(super) async fn changes(&self) {
        self.known.changed.notified().await;
    }

    /// Writes on a pod what there is for it, so that kubelet looks at once. By the subresource that kubelet's own account of a
    /// pod is: whoever may write there cannot change what runs in a privileged pod.
    ///
    /// A pod that is gone, or another one of its name, is nobody's business any more.
    pub(super) async fn tell(&self, pod: &MountingPod, told: &Told) -> Result<(), kube::Error> {
        let patch = Patch::Merge(json!({ "metadata": {
            "uid": pod.uid,
            "annotations": { ANNOTATION: written(told) },
        } }));
        let patched = self
            .api::<Pod>()
            .patch_status(&pod.name, &PatchParams::default(), &patch)
            .await;
        match patched {
            Ok(_) => {
                // The watch tells it too, later.
                let mut state = self.state();
                let kept = state.watched.pods.get_mut(&pod.name);
                if let Some(kept) = kept.filter(|kept| kept.uid == pod.uid) {
                    kept.told.clone_from(told);
                }
                Ok(())
            }
            Err(error) if matches!(code(&error), Some(404 | 409)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn know(&self, learn: impl FnOnce(&mut State) -> bool) {
        let mut state = self.state();
        let before = state.listed;
        let is_news = learn(&mut state);
        if is_news || state.listed != before {
            self.known.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.known.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a watch tells of objects, as far as they matter.
enum News<T> {
    All(BTreeMap<String, T>),
    One(String, Option<T>),
}

impl<T: PartialEq> News<T> {
    /// Whether anything is another now.
    fn enter(self, known: &mut BTreeMap<String, T>) -> bool {
        match self {
            Self::All(all) => {
                let is_news = *known != all;
                *known = all;
                is_news
            }
            Self::One(name, None) => known.remove(&name).is_some(),
            Self::One(name, Some(one)) => {
                let is_news = known.get(&name) != Some(&one);
                known.insert(name, one);
                is_news
            }
        }
    }
}

/// Keeps of each object only what matters: a pod or a ConfigMap itself is large.
async fn follow<K, T>(api: Api<K>, read: fn(&K) -> Option<T>, mut tell: impl FnMut(News<T>))
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut listed = BTreeMap::new();
    let one = |object: &K| {
        let name = object.meta().name.clone().unwrap_or_default();
        (name, read(object))
    };
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let told = events.for_each(|event| {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                if let (name, Some(one)) = one(&object) {
                    listed.insert(name, one);
                }
            }
            Ok(Event::InitDone) => tell(News::All(std::mem::take(&mut listed))),
            Ok(Event::Apply(object)) => {
                let (name, one) = one(&object);
                tell(News::One(name, one));
            }
            Ok(Event::Delete(object)) => tell(News::One(one(&object).0, None)),
            Err(error) => {
                tracing::warn!(error = %error, "cannot watch the API server's objects");
            }
        }
        ready(())
    });
    told.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_another_is_news() {
        let mut known = BTreeMap::new();
        let one = |value| News::One("a".to_owned(), value);
        for (news, is_news) in [
            (one(Some(1)), true),
            (one(Some(1)), false),
            (News::All(BTreeMap::from([("a".to_owned(), 1)])), false),
            (one(Some(2)), true),
            (one(None), true),
            (one(None), false),
            (News::All(BTreeMap::from([("b".to_owned(), 1)])), true),
        ] {
            assert_eq!(news.enter(&mut known), is_news, "{known:?}");
        }
    }
}
