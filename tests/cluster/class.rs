//! Classes of a test's own, which last as long as it.

use serde_json::{Value, json};

use crate::installation::DISK_DRIVER;
use crate::kubectl::{kubectl_with, try_kubectl};

pub(crate) struct Class {
    kind: &'static str,
    name: &'static str,
}

impl Class {
    /// A StorageClass of disks with these parameters, whose volumes may grow.
    #[track_caller]
    pub(crate) fn of_disks(name: &'static str, parameters: &Value) -> Self {
        Self::of_provisioner(name, DISK_DRIVER, parameters)
    }

    #[track_caller]
    fn of_provisioner(name: &'static str, provisioner: &str, parameters: &Value) -> Self {
        Self::create(
            "storageclass",
            name,
            &json!({
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": { "name": name },
                "provisioner": provisioner,
                "volumeBindingMode": "WaitForFirstConsumer",
                "allowVolumeExpansion": true,
                "parameters": parameters,
            }),
        )
    }

    /// The same of FlexVolume's disks.
    #[track_caller]
    pub(crate) fn of_flexvolume(name: &'static str, parameters: &Value) -> Self {
        Self::of_provisioner(name, "alicloud/disk", parameters)
    }

    /// The same of CSI's disks with XFS, which may grow while it is mounted on any machine: for ext4 the kernel asks for
    /// CAP_SYS_RESOURCE, which this machine's root may lack.
    #[track_caller]
    pub(crate) fn of_xfs(name: &'static str) -> Self {
        let xfs = json!({
            "type": "cloud_essd",
            "performanceLevel": "PL0",
            "csi.storage.k8s.io/fstype": "xfs",
        });
        Self::of_disks(name, &xfs)
    }

    /// A VolumeAttributesClass of disks.
    #[track_caller]
    pub(crate) fn of_attributes(name: &'static str, parameters: &Value) -> Self {
        Self::create(
            "volumeattributesclass",
            name,
            &json!({
                "apiVersion": "storage.k8s.io/v1",
                "kind": "VolumeAttributesClass",
                "metadata": { "name": name },
                "driverName": DISK_DRIVER,
                "parameters": parameters,
            }),
        )
    }

    #[track_caller]
    fn create(kind: &'static str, name: &'static str, object: &Value) -> Self {
        kubectl_with(&["apply"], std::slice::from_ref(object)).expect("a class");
        Self { kind, name }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

impl Drop for Class {
    fn drop(&mut self) {
        let _ = try_kubectl(&["delete", self.kind, self.name]);
    }
}
