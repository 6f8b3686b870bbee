//! With the option `deliver`, `kubectl apply` is all that an operator types.

use crate::component::{apply_component, status, version};
use crate::installation::{NODES, apply, delete, is_ready, name, node_pod, rolled_out};
use crate::kubectl::{eventually, kubectl};
use crate::swap::{DRIVER, Restored};
use crate::turns::alone;

const ANNOTATION: &str = "drivebay.dev/delivered";

/// The option by itself, beside what is installed; it goes when this is dropped.
struct Deliverer;

impl Deliverer {
    #[track_caller]
    fn applied() -> Self {
        apply("deliver");
        rolled_out(NODES, "deployment/drivebay-deliver");
        Self
    }
}

impl Drop for Deliverer {
    fn drop(&mut self) {
        delete("deliver");
    }
}

#[test]
#[ignore = "needs a cluster"]
fn a_version_that_is_applied_serves_and_nobody_but_the_deliverer_annotates_the_nodes_pod() {
    let _turn = alone();
    is_ready();
    let _after = Restored;
    let _deliverer = Deliverer::applied();
    let pod = name(&node_pod());
    eventually("the node's pod to be told of what is there", || {
        told().is_some()
    });
    let before = told();
    apply_component(DRIVER, &version(DRIVER, "0.1.7"));
    eventually("the node's pod to be told of it", || told() != before);
    eventually("the version to serve", || {
        status(DRIVER)["active"]["version"] == "0.1.7"
    });
    assert_eq!(name(&node_pod()), pod, "it is the same pod");
    let map = format!("involvedObject.name=drivebay-component-{DRIVER}");
    eventually("it to be told at the ConfigMap", || {
        let events = ["get", "events", "-n", NODES, "--field-selector", &map];
        kubectl(&events).contains("Delivered")
    });
}

fn told() -> Option<String> {
    let told = &node_pod()["metadata"]["annotations"][ANNOTATION];
    told.as_str().map(str::to_owned)
}
