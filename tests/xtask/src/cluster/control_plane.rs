//! etcd, the API server, the controllers and the scheduler, as processes within the cluster's namespaces.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::namespaces::Namespaces;
use super::places::{API_SERVICE_ADDRESS, NODE_ADDRESS, Places, SERVICES};
use crate::process::command;

/// A busy machine takes its time to start them; others take seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

const ETCD: &str = "http://127.0.0.1:2379";
const ETCD_PEERS: &str = "http://127.0.0.1:2380";

/// Starts all of it. The API server answers when this returns; the others come when they can.
pub(super) fn start(places: &Places, namespaces: &Namespaces) -> Result<()> {
    // The API server waits for it.
    namespaces.start("etcd", &etcd())?;
    let mut api_server = namespaces.start("kube-apiserver", &api_server(places))?;
    api_server.wait_for("the API server", PATIENCE, || {
        namespaces.succeeds(&["kubectl", "get", "--raw", "/readyz"])
    })?;
    namespaces.start("kube-controller-manager", &controllers(places))?;
    namespaces.start("kube-scheduler", &scheduler(places))?;
    Ok(())
}

/// In memory, as nothing of it outlives the cluster and each change would wait for a disk.
fn etcd() -> Command {
    let mut etcd = command("etcd");
    etcd.args(["--data-dir", "/run/etcd", "--log-level", "warn"]);
    etcd.args(["--listen-peer-urls", ETCD_PEERS]);
    etcd.args(["--initial-advertise-peer-urls", ETCD_PEERS]);
    etcd.arg(format!("--initial-cluster=default={ETCD_PEERS}"));
    etcd
}

/// At the address of its Service, where pods find it without kube-proxy.
fn api_server(places: &Places) -> Command {
    let key = places.running("pki/service-accounts.key");
    let mut server = command("kube-apiserver");
    server.args(["--etcd-servers", ETCD]);
    server.args([
        "--bind-address",
        API_SERVICE_ADDRESS,
        "--secure-port",
        "443",
    ]);
    server.args(["--advertise-address", NODE_ADDRESS]);
    server.args(["--service-cluster-ip-range", SERVICES]);
    // There is nobody to tell of the Service's endpoint, which is this very machine.
    server.args(["--endpoint-reconciler-type", "none"]);
    server.args(["--kubelet-preferred-address-types", "InternalIP"]);
    server.arg("--cert-dir").arg(places.running("pki"));
    server.arg("--token-auth-file");
    server.arg(places.running("pki/tokens.csv"));
    server.args(["--authorization-mode", "Node,RBAC"]);
    server.args(["--enable-admission-plugins", "NodeRestriction"]);
    server.arg("--allow-privileged");
    server.args(["--service-account-issuer", "https://kubernetes.default.svc"]);
    server.arg("--service-account-key-file").arg(&key);
    server.arg("--service-account-signing-key-file").arg(&key);
    server
}

fn controllers(places: &Places) -> Command {
    let mut controllers = command("kube-controller-manager");
    controllers.arg("--kubeconfig");
    controllers.arg(places.kubeconfig("kube-controller-manager"));
    controllers.arg("--use-service-account-credentials");
    controllers.arg("--service-account-private-key-file");
    controllers.arg(places.running("pki/service-accounts.key"));
    controllers.arg("--root-ca-file");
    controllers.arg(places.running("pki/apiserver.crt"));
    alone(&mut controllers, places);
    controllers
}

fn scheduler(places: &Places) -> Command {
    let mut scheduler = command("kube-scheduler");
    scheduler.arg("--kubeconfig");
    scheduler.arg(places.kubeconfig("kube-scheduler"));
    alone(&mut scheduler, places);
    scheduler
}

/// Nobody else competes to lead, and nobody else asks how it is.
fn alone(program: &mut Command, places: &Places) {
    program.args(["--leader-elect=false", "--bind-address", "127.0.0.1"]);
    program.arg("--cert-dir").arg(places.running("pki"));
}
