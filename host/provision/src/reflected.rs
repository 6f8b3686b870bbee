//! The cluster's objects of a kind, kept as they are by one watch: for whoever looks one up, and for the loop that looks at
//! each that changed.

use std::fmt::Debug;
use std::future::ready;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::{Stream, StreamExt as _};
use kube::api::Api;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Controller, WatchStreamExt as _};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

/// What of Kubernetes can be kept.
pub(crate) trait Kept:
    Resource<DynamicType = ()> + Clone + Debug + Default + DeserializeOwned + Send + Sync + 'static
{
}

impl<K> Kept for K where
    K: Resource<DynamicType = ()>
        + Clone
        + Debug
        + Default
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// One kind.
pub(crate) struct Reflected<K: Kept> {
    pub(crate) store: Store<K>,
    changed: UnboundedReceiver<K>,
}

impl<K: Kept> Reflected<K> {
    /// And what keeps them as they are, for as long as it runs.
    pub(crate) fn new(
        api: Api<K>,
        config: watcher::Config,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (store, writer) = reflector::store();
        let (tell, changed) = unbounded();
        // Who wrote which field is half of an object, and nobody's business here.
        let events = watcher(api, config)
            .default_backoff()
            .modify(|object| object.managed_fields_mut().clear())
            .reflect(writer);
        let follow = events.for_each(move |event| {
            match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => {
                    // Where no loop looks at them, nobody listens.
                    let _ = tell.unbounded_send(named(&object));
                }
                Ok(Event::Delete(_) | Event::Init | Event::InitDone) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "cannot watch the API server's objects");
                }
            }
            ready(())
        });
        (Self { store, changed }, follow)
    }

    /// The loop that looks at each that changed. The store has to be filled by then: it wakes whoever waits last, and no
    /// other.
    pub(crate) fn controller(self) -> Controller<K> {
        let changed: Box<dyn Stream<Item = _> + Send + Unpin> = Box::new(self.changed.map(Ok));
        Controller::for_stream(changed, self.store)
    }
}

/// All that a loop has to be told of an object, which it then finds in the store.
fn named<K: Kept>(object: &K) -> K {
    let mut named = K::default();
    named.meta_mut().name = object.meta().name.clone();
    named.meta_mut().namespace = object.meta().namespace.clone();
    named
}
