//! Who may call the API server as whom: one token each, and the file that its owner calls by.

use std::fs;

use anyhow::Result;

use super::places::{API_SERVICE_ADDRESS, NODE, Places};
use crate::process::{self, Echo, command};

/// The one group that may do everything.
const MASTERS: &str = "system:masters";

/// Writes all of them, and the key that signs the tokens of service accounts.
pub(super) fn write(places: &Places) -> Result<()> {
    fs::create_dir_all(places.running("pki"))?;
    let mut tokens = String::new();
    for (identity, user, group) in [
        ("admin", "admin".to_owned(), MASTERS),
        (
            "kube-controller-manager",
            "system:kube-controller-manager".to_owned(),
            "system:authenticated",
        ),
        (
            "kube-scheduler",
            "system:kube-scheduler".to_owned(),
            "system:authenticated",
        ),
        ("kubelet", format!("system:node:{NODE}"), "system:nodes"),
    ] {
        tokens.push_str(&format!(
            "{},{user},{identity},\"{group}\"\n",
            token(identity)
        ));
        fs::write(places.kubeconfig(identity), kubeconfig(places, identity))?;
    }
    fs::write(places.running("pki/tokens.csv"), tokens)?;
    let mut openssl = command("openssl");
    openssl
        .args(["genrsa", "-out"])
        .arg(places.running("pki/service-accounts.key"));
    process::run(openssl.arg("2048"), Echo::Silent).map(drop)
}

/// Known to everyone on this machine, and of use within the cluster's own network alone.
fn token(identity: &str) -> String {
    format!("token-of-{identity}")
}

/// The API server makes its certificate when it starts, and signs it itself.
fn kubeconfig(places: &Places, identity: &str) -> String {
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters: [{{ name: cluster, cluster: {{ server: \"https://{API_SERVICE_ADDRESS}:443\", certificate-authority: \"{}\" }} }}]\n\
         users: [{{ name: user, user: {{ token: {} }} }}]\n\
         contexts: [{{ name: context, context: {{ cluster: cluster, user: user }} }}]\n\
         current-context: context\n",
        places.running("pki/apiserver.crt").display(),
        token(identity)
    )
}
