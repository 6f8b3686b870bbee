//! The words this driver understands, with their meanings: the host refuses any other, and prints these
//! lines as help.
//!
//! They come from three drivers whose volumes go on working: the NFS example of Kubernetes (`server`, `share`,
//! `protocol`, `atime`, `readonly`, `mountOptions`), Alibaba's NAS (`server`, `path`, `vers`, `mode`, `options`),
//! and Kubernetes' CSI driver for NFS, whose StorageClasses work too (`server`, `share`, `subDir`,
//! `mountPermissions`, `onDelete`). `subPath` and `createSubPath` are ours.

use drivebay_guest::parameters::Table;
// What the provisioner knows of the claim, and passes on if it is told to.
pub(crate) use drivebay_guest::sub_dir::{PV_NAME, PVC_NAME, PVC_NAMESPACE};

/// All of them.
pub(crate) const ALL: [Table; 3] = [OF_VOLUMES, OF_CLASSES, OF_SNAPSHOT_CLASSES];

drivebay_guest::parameters! {
    pub(crate) const OF_VOLUMES: "volume" = {
        SERVER: Text = "server", required = true => "Host name or address of the NFS server.";
        SHARE: Text = "share" => "Directory of the server; it has to exist.";
        PATH: Text = "path", default = "/, where share is absent" =>
            "Directory of the server, made where it is missing; instead of share, for Alibaba Cloud NAS.";
        SUB_PATH: Text = "subPath" => "Directory below share or path that is the volume.";
        CREATE_SUB_PATH: Flag = "createSubPath", default = "false; true with path" =>
            "Whether a missing directory is made: below share, or anywhere with path.";
        MODE: Text = "mode" => "Octal permission bits for the volume's directory itself, set before each mount.";
        READONLY: Flag = "readonly", default = "false" => "Mount read-only, and change nothing on the server.";
        VERS: Text = "vers", default = "4.2, 4.1, 4.0, then 3; with path 3 first" =>
            "NFS version: 3, 4, 4.0, 4.1 or 4.2; with 3, locks hold on one node only unless lock is in mountOptions.";
        PROTOCOL: Text = "protocol", default = "tcp" =>
            "Transport, tcp or udp; udp is for NFS 3 only, and few kernels still have it.";
        ATIME: Flag = "atime", default = "true" => "false asks for noatime.";
        MOUNT_OPTIONS: Text = "mountOptions", default = "hard; nolock with NFS 3; noresvport with path" =>
            "Mount options, separated by commas, that add to the defaults or replace their opposites; none drops the defaults.";
        OPTIONS: Text = "options" => "Another name of mountOptions, for Alibaba Cloud NAS.";
        SUB_DIR: Text = "subDir" =>
            "Directory below share that is the volume, with ${pvc.metadata.name}, ${pvc.metadata.namespace} and \
             ${pv.metadata.name} filled in; as subPath otherwise.";
        MOUNT_PERMISSIONS: Text = "mountPermissions", default = "0" => "As mode; 0 leaves the permission bits alone.";
        ON_DELETE: Text = "onDelete" => "Of the volume's class; means nothing once it is made.";
        PVC_NAME => "Name of the claim, for subDir.";
        PVC_NAMESPACE => "Namespace of the claim, for subDir.";
        PV_NAME => "Name of the PersistentVolume, for subDir.";
        "csi.storage.k8s.io/*" => "What Kubernetes adds about pods and claims; not used.";
        "storage.kubernetes.io/*" => "What Kubernetes adds about the provisioner; not used.";
    }
}

drivebay_guest::parameters! {
    pub(crate) const OF_CLASSES: "storage-class" = {
        SERVER, required = true => "Host name or address of the NFS server.";
        SHARE, required = true => "Directory of the server in which volumes are made; it has to exist.";
        SUB_DIR, default = "the volume's name" =>
            "Directory below share that becomes the volume, with ${pvc.metadata.name}, ${pvc.metadata.namespace} \
             and ${pv.metadata.name} filled in; one that exists is used with what is in it.";
        MOUNT_PERMISSIONS, default = "0" =>
            "Octal permission bits for the volume's directory, also before each mount; 0 leaves them alone.";
        ON_DELETE, default = "delete" =>
            "What becomes of the directory with its volume: delete, retain, or archive (it is renamed to archived-…).";
        PVC_NAME => "Name of the claim; from the provisioner.";
        PVC_NAMESPACE => "Namespace of the claim; from the provisioner.";
        PV_NAME => "Name of the PersistentVolume; from the provisioner.";
    }
}

drivebay_guest::parameters! {
    pub(crate) const OF_SNAPSHOT_CLASSES: "volume-snapshot-class" = {
        SERVER, default = "the volume's" => "Host name or address of the NFS server; no other is possible.";
        SHARE, default = "the volume's" => "Directory in which snapshots are kept; no other is possible.";
        MOUNT_OPTIONS => "Mount options, separated by commas, for cutting the snapshot.";
        "csi.storage.k8s.io/*" => "Names of the snapshot and its content; from the snapshotter.";
    }
}

#[cfg(test)]
mod tests {
    use drivebay_guest::exports::identity::Parameter;
    use drivebay_guest::parameters::described;

    use super::*;

    fn all() -> Vec<Parameter> {
        described(&ALL)
    }

    #[test]
    fn no_two_parameters_differ_in_case_only() {
        let described = all();
        let name = |p: &Parameter| (p.scope.clone(), p.name.to_lowercase());
        let mut names: Vec<_> = described.iter().map(name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_meaning_is_a_sentence() {
        for parameter in all() {
            assert!(parameter.description.ends_with('.'), "{}", parameter.name);
        }
    }
}
