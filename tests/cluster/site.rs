//! A namespace of one test's own, with pods and claims in it; everything in it is gone when the test is over.

use serde_json::{Value, json};

use crate::kubectl::{eventually, get, kubectl, kubectl_with, report, try_get, try_kubectl, until};

/// BusyBox, as `cargo xtask cluster` brings it in.
const IMAGE: &str = "cluster.local/busybox:1";

/// Waits until it is told to end, and ends at once.
const WAIT: &str = "trap 'exit 0' TERM; while :; do sleep 0.2; done";

pub(crate) struct Site(String);

impl Site {
    /// With nothing in it.
    #[track_caller]
    pub(crate) fn new(name: &str) -> Self {
        kubectl(&["create", "namespace", name]);
        let site = Self(name.to_owned());
        eventually("the namespace's service account", || {
            site.find("serviceaccount", "default").is_some()
        });
        site
    }

    /// `kubectl apply` of these, here.
    #[track_caller]
    pub(crate) fn apply(&self, objects: &[Value]) {
        let said = kubectl_with(&["apply", "--namespace", &self.0], objects);
        said.unwrap_or_else(|said| panic!("kubectl apply failed:\n{said}"));
    }

    /// `kubectl` here.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        kubectl(&[&["--namespace", &self.0], arguments].concat())
    }

    /// The same, of what may fail.
    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        try_kubectl(&[&["--namespace", &self.0], arguments].concat())
    }

    #[track_caller]
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        get(&["--namespace", &self.0, kind, name])
    }

    /// All of a kind.
    #[track_caller]
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        let list = get(&["--namespace", &self.0, kind]);
        list["items"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<Value> {
        try_get(&["--namespace", &self.0, kind, name])
    }

    /// Waits until the pod's containers run.
    #[track_caller]
    pub(crate) fn is_ready(&self, pod: &str) {
        eventually(&format!("pod {pod} to be ready"), || {
            let status = self.find("pod", pod).map(|pod| pod["status"].clone());
            status.is_some_and(|status| is_true(&status, "Ready"))
        });
    }

    /// Waits until the claim has a volume, and names that.
    #[track_caller]
    pub(crate) fn is_bound(&self, claim: &str) -> String {
        until(&format!("claim {claim} to be bound"), || {
            let claim = self.find("pvc", claim)?;
            (claim["status"]["phase"] == "Bound")
                .then(|| claim["spec"]["volumeName"].as_str().map(str::to_owned))?
        })
    }

    /// What a command in a pod said.
    #[track_caller]
    pub(crate) fn exec(&self, pod: &str, script: &str) -> String {
        self.kubectl(&["exec", pod, "--", "sh", "-c", script])
            .trim()
            .to_owned()
    }

    /// Ends a pod as a user does, and waits until its volumes are away from it.
    #[track_caller]
    pub(crate) fn delete_pod(&self, pod: &str) {
        self.kubectl(&["delete", "pod", pod, "--wait=false"]);
        eventually(&format!("pod {pod} to be gone"), || {
            self.find("pod", pod).is_none()
        });
    }

    /// What kubelet and the controllers said of an object.
    pub(crate) fn events_of(&self, name: &str) -> String {
        let field = format!("involvedObject.name={name}");
        let columns = "custom-columns=REASON:.reason,MESSAGE:.message";
        self.try_kubectl(&["get", "events", "--field-selector", &field, "-o", columns])
            .unwrap_or_else(|said| said)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let deleted = try_kubectl(&["delete", "namespace", &self.0, "--timeout=300s"]);
        if let Err(said) = deleted
            && !std::thread::panicking()
        {
            panic!("what the test made cannot be deleted: {said}\n{}", report());
        }
    }
}

/// Whether a status has that condition.
pub(crate) fn is_true(status: &Value, condition: &str) -> bool {
    let conditions = status["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|it| it["type"] == condition && it["status"] == "True")
    })
}

/// A claim of a class, of so many GiB.
pub(crate) fn claim(name: &str, class: &str, gib: u32) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": name },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": class,
            "resources": { "requests": { "storage": format!("{gib}Gi") } },
        },
    })
}

/// A pod that does nothing but have a claim mounted at /data.
pub(crate) fn pod(name: &str, claim: &str) -> Value {
    pod_with(
        name,
        &json!({ "persistentVolumeClaim": { "claimName": claim } }),
        WAIT,
    )
}

/// A pod that runs a script with a volume at /data; the script ends when it is told to.
pub(crate) fn pod_with(name: &str, volume: &Value, script: &str) -> Value {
    let mut data = json!({ "name": "data" });
    if let (Some(data), Some(volume)) = (data.as_object_mut(), volume.as_object()) {
        data.extend(volume.clone());
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "volumes": [data],
            "containers": [{
                "name": "main",
                "image": IMAGE,
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", script],
                "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
            }],
        },
    })
}
