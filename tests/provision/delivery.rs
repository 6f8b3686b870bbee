//! What is applied is told to the pods that mount it: to one first, to the others once that one took it up, and to nobody
//! more where a pod refuses it.

use std::collections::BTreeMap;
use std::fs;

use drivebay_tests::{HOSTILE_GRANTS, WatGuest, hostile_node, text};
use serde_json::{Value, json};

use crate::delivery_site::{COMPONENT, DeliverySite, offered};
use crate::figures::Figures;

const PODS: [&str; 3] = ["one", "two", "three"];

/// Pods that were told of the first content, by what each tells of itself.
#[track_caller]
fn told(site: &DeliverySite) -> (BTreeMap<&'static str, Figures>, String) {
    site.apply(COMPONENT, "nfs.wasm", b"first");
    let pods = PODS.map(|pod| (pod, Figures::new()));
    for (pod, figures) in &pods {
        site.pod(pod, Some(figures.port));
    }
    let told = site.are_told(&PODS);
    assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
    (pods.into(), told[0].clone())
}

#[test]
fn one_pod_is_told_first_and_the_others_once_it_took_it_up() {
    let site = DeliverySite::new("told-first");
    let _deliverer = site.deliverer();
    let (pods, before) = told(&site);
    site.apply(COMPONENT, "nfs.wasm", b"second");
    let first = site.is_first(&PODS, &before);
    let figures = &pods[first];
    for (content, state) in [(String::new(), "nothing"), (offered(b"second"), "pending")] {
        figures.tell(&content, state);
        // Whoever is told in the time of two looks is told by somebody who does not wait.
        let looks = figures.asked() + 2;
        site.eventually("the first one to be asked", || figures.asked() > looks);
        let others = PODS.iter().filter(|pod| **pod != first);
        let told = others.filter(|pod| site.told(pod).as_deref() != Some(&*before));
        assert_eq!(told.count(), 0, "{}", site.log());
    }
    for figures in pods.values() {
        figures.tell(&offered(b"second"), "serves");
    }
    let after = site.told(first);
    site.eventually("the others to be told", || {
        PODS.iter().all(|pod| site.told(pod) == after)
    });
    site.is_told_of(
        COMPONENT,
        &["Delivered", "3 pods were told of it: 3 took it up"],
    );
}

#[test]
fn a_refusal_stops_it_and_is_told_at_the_config_map_until_something_else_comes() {
    let site = DeliverySite::new("told-refused");
    let deliverer = site.deliverer();
    let (pods, before) = told(&site);
    for figures in pods.values() {
        figures.tell(&offered(b"broken"), "refused");
    }
    site.apply(COMPONENT, "nfs.wasm", b"broken");
    let first = site.is_first(&PODS, &before);
    let node = format!("node node-of-{first}");
    let parts = ["DeliveryStopped", "driver nfs refuses it at check", &node];
    site.is_told_of(COMPONENT, &parts);
    let figure = |name: &str| site.at.figure(&format!("drivebay_deliver_{name}"));
    site.eventually("it to tell that it stopped", || {
        figure("stopped") == Some(1) && figure("pods{state=\"due\"}") == Some(2)
    });
    assert!(site.at.is_well("/livez") && site.at.is_well("/readyz"));
    assert_eq!(figure("stops_total"), Some(1));
    // One that is started anew asks whoever was told, and finds the same.
    drop(deliverer);
    let asked = pods[first].asked();
    let _deliverer = site.deliverer();
    site.eventually("it to be asked anew", || pods[first].asked() > asked);
    site.eventually("it to be said anew", || {
        site.log().matches("no more pods are told").count() == 2
    });
    let others = PODS.iter().filter(|pod| **pod != first);
    for pod in others {
        assert_eq!(site.told(pod).as_deref(), Some(&*before), "{pod}");
    }
    for figures in pods.values() {
        figures.tell(&offered(b"repaired"), "serves");
    }
    let broken = site.told(first).expect("it was told");
    site.apply(COMPONENT, "nfs.wasm", b"repaired");
    site.eventually("all to be told", || {
        let told = PODS.map(|pod| site.told(pod).unwrap_or_default());
        told.iter().all(|it| *it != before && *it != broken)
    });
    site.eventually("it to tell that it goes on", || {
        figure("stopped") == Some(0) && figure("pods{state=\"told\"}") == Some(3)
    });
}

#[test]
fn one_that_is_started_anew_changes_nothing_that_was_told() {
    let site = DeliverySite::new("told-anew");
    let deliverer = site.deliverer();
    let (_pods, before) = told(&site);
    drop(deliverer);
    let versions = || PODS.map(|pod| site.find_pod(pod)["metadata"]["resourceVersion"].clone());
    let written = versions();
    let _deliverer = site.deliverer();
    // One that comes later, so that it is known to have looked.
    site.pod("later", None);
    assert_eq!(site.are_told(&["later"]), [before]);
    assert_eq!(versions(), written);
}

#[test]
fn what_is_no_content_is_no_change() {
    let site = DeliverySite::new("told-labels");
    let _deliverer = site.deliverer();
    let (_pods, before) = told(&site);
    let labels = json!({ "metadata": { "labels": { "team": "storage" } } });
    site.api()
        .patch(&site.path("configmaps", COMPONENT), &labels);
    site.pod("later", None);
    assert_eq!(site.are_told(&["later"]), [&*before]);
    for pod in PODS {
        assert_eq!(site.told(pod).as_deref(), Some(&*before));
    }
}

#[test]
fn pods_that_cannot_be_asked_are_told_all_the_same_and_that_is_said_once() {
    let site = DeliverySite::new("told-blind");
    let _deliverer = site.deliverer();
    site.apply(COMPONENT, "nfs.wasm", b"first");
    for pod in PODS {
        site.pod(pod, None);
    }
    let mut before = site.are_told(&PODS);
    for content in [b"second", b"thirds"] {
        site.apply(COMPONENT, "nfs.wasm", content);
        site.eventually("all to be told", || {
            let told = PODS.map(|pod| site.told(pod).unwrap_or_default());
            told.iter().all(|it| *it == told[0] && *it != before[0])
        });
        before = site.are_told(&PODS);
        let said = "3 pods were told of it: 0 took it up, 3 could not be asked";
        site.is_told_of(COMPONENT, &["Delivered", said]);
    }
    site.eventually("the second one to be over", || {
        site.log().matches("3 could not be asked").count() == 2
    });
    assert_eq!(site.log().matches("tell no figures").count(), 1);
}

/// The subresource takes annotations of a pod and nothing that it runs; and nothing else may be written at all.
#[test]
fn whoever_has_its_rights_can_annotate_pods_and_not_change_what_they_run() {
    let site = DeliverySite::new("told-rights");
    site.apply(COMPONENT, "nfs.wasm", b"first");
    site.pod("one", None);
    let (pod, api) = (site.path("pods", "one"), &site.as_deliverer);
    let before = site.find_pod("one")["spec"].clone();
    let image = json!({ "containers": [{ "name": "drivebay", "image": "other:1" }] });
    let annotations = json!({ "annotations": { "drivebay.dev/delivered": "x=1" } });
    let both = json!({ "metadata": annotations, "spec": image });
    api.patch(&format!("{pod}/status"), &both);
    let after = site.find_pod("one");
    assert_eq!(
        after["metadata"]["annotations"]["drivebay.dev/delivered"],
        "x=1"
    );
    assert_eq!(after["spec"], before);
    let map = site.path("configmaps", COMPONENT);
    for (method, path) in [
        ("PATCH", pod.clone()),
        ("PUT", pod.clone()),
        ("DELETE", pod.clone()),
        ("PUT", format!("{pod}/status")),
        ("PATCH", format!("{pod}/ephemeralcontainers")),
        ("GET", format!("{pod}/log")),
        ("POST", site.path("pods", "")),
        ("PATCH", map.clone()),
        ("DELETE", map),
        ("GET", site.path("secrets", "")),
        ("GET", "/api/v1/pods".to_owned()),
        ("GET", "/api/v1/namespaces/default/pods".to_owned()),
        ("GET", "/api/v1/namespaces/default/configmaps".to_owned()),
        ("GET", "/api/v1/nodes".to_owned()),
        ("GET", "/api/v1/persistentvolumes".to_owned()),
    ] {
        let body = match method {
            "GET" | "DELETE" => Value::Null,
            _ => both.clone(),
        };
        assert!(api.forbids(method, &path, &body), "{method} {path}");
    }
}

/// The shipped `drivebay serve` as the pod, and the test as its kubelet.
#[test]
fn a_node_says_what_it_took_up_and_what_it_refuses() {
    let site = DeliverySite::new("told-node");
    let first = "component = \"hostile\"\n";
    let named = format!("{first}csi-name = \"hostile.drivebay.dev\"\n");
    let grants = HOSTILE_GRANTS.replace(first, &named);
    let node = hostile_node(&WatGuest::named("hostile"), &grants);
    let source = node.path("source");
    fs::create_dir(&source).expect("writable");
    let arguments = [
        "--components-from",
        text(&source),
        "--metrics-address",
        "127.0.0.1:0",
    ];
    let serve = node.serve_with("hostile", &arguments);
    let address = serve.metrics_address();
    let port = address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let second = WatGuest::named("hostile").version("2.0.0").component();
    let third = WatGuest::named("hostile").version("3.0.0").component();
    site.apply(COMPONENT, "hostile.wasm", &second);
    site.pod("one", port);
    let _deliverer = site.deliverer();
    let before = site.are_told(&["one"]).remove(0);
    let kubelet = |content: &[u8], before: &str| {
        site.apply(COMPONENT, "hostile.wasm", content);
        site.is_first(&["one"], before);
        let unfinished = node.path("unfinished");
        fs::write(&unfinished, content).expect("writable");
        fs::rename(unfinished, source.join("hostile.wasm")).expect("writable");
        site.told("one").expect("it was told")
    };
    let before = kubelet(&third, &before);
    let said = "1 pod was told of it: 1 took it up";
    site.is_told_of(COMPONENT, &["Delivered", said]);
    kubelet(&third[..third.len() / 2], &before);
    let parts = ["DeliveryStopped", "driver hostile refuses it at check"];
    site.is_told_of(COMPONENT, &parts);
}
