//! The words this driver understands, with their meanings: the host refuses any other, and prints these
//! lines as help.
//!
//! They come from three drivers whose volumes go on working: the NFS example of Kubernetes (`server`, `share`,
//! `protocol`, `atime`, `readonly`, `mountOptions`), Alibaba's NAS (`server`, `path`, `vers`, `mode`, `options`),
//! and Kubernetes' CSI driver for NFS, whose StorageClasses work too (`server`, `share`, `subDir`,
//! `mountPermissions`, `onDelete`). `subPath` and `createSubPath` are ours.

use crate::bindings::exports::drivebay::driver::identity::Parameter;

pub(crate) const SERVER: &str = "server";
pub(crate) const SHARE: &str = "share";
pub(crate) const PATH: &str = "path";
pub(crate) const SUB_PATH: &str = "subPath";
pub(crate) const CREATE_SUB_PATH: &str = "createSubPath";
pub(crate) const MODE: &str = "mode";
pub(crate) const READONLY: &str = "readonly";
pub(crate) const VERS: &str = "vers";
pub(crate) const PROTOCOL: &str = "protocol";
pub(crate) const ATIME: &str = "atime";
pub(crate) const MOUNT_OPTIONS: &str = "mountOptions";
pub(crate) const OPTIONS: &str = "options";
pub(crate) const SUB_DIR: &str = "subDir";
pub(crate) const MOUNT_PERMISSIONS: &str = "mountPermissions";
pub(crate) const ON_DELETE: &str = "onDelete";

// What the provisioner knows of the claim, and passes on if it is told to.
pub(crate) const PVC_NAME: &str = "csi.storage.k8s.io/pvc/name";
pub(crate) const PVC_NAMESPACE: &str = "csi.storage.k8s.io/pvc/namespace";
pub(crate) const PV_NAME: &str = "csi.storage.k8s.io/pv/name";

/// All of them, as `describe` answers.
pub(crate) fn described() -> Vec<Parameter> {
    [of_volumes(), of_classes(), of_snapshot_classes()].concat()
}

fn of_volumes() -> Vec<Parameter> {
    vec![
        required(SERVER, "Host name or address of the NFS server."),
        optional(SHARE, None, "Directory of the server; it has to exist."),
        optional(
            PATH,
            Some("/, where share is absent"),
            "Directory of the server, made where it is missing; instead of share, for Alibaba Cloud NAS.",
        ),
        optional(
            SUB_PATH,
            None,
            "Directory below share or path that is the volume.",
        ),
        optional(
            CREATE_SUB_PATH,
            Some("false; true with path"),
            "Whether a missing directory is made: below share, or anywhere with path.",
        ),
        optional(
            MODE,
            None,
            "Octal permission bits for the volume's directory itself, set before each mount.",
        ),
        optional(
            READONLY,
            Some("false"),
            "Mount read-only, and change nothing on the server.",
        ),
        optional(
            VERS,
            Some("4.2, 4.1, 4.0, then 3; with path 3 first"),
            "NFS version: 3, 4, 4.0, 4.1 or 4.2; with 3, locks hold on one node only unless lock is in mountOptions.",
        ),
        optional(
            PROTOCOL,
            Some("tcp"),
            "Transport, tcp or udp; udp is for NFS 3 only, and few kernels still have it.",
        ),
        optional(ATIME, Some("true"), "false asks for noatime."),
        optional(
            MOUNT_OPTIONS,
            Some("hard; nolock with NFS 3; noresvport with path"),
            "Mount options, separated by commas, that add to the defaults or replace their opposites; none drops the defaults.",
        ),
        optional(
            OPTIONS,
            None,
            "Another name of mountOptions, for Alibaba Cloud NAS.",
        ),
        optional(
            SUB_DIR,
            None,
            "Directory below share that is the volume, with ${pvc.metadata.name}, ${pvc.metadata.namespace} and \
             ${pv.metadata.name} filled in; as subPath otherwise.",
        ),
        optional(
            MOUNT_PERMISSIONS,
            Some("0"),
            "As mode; 0 leaves the permission bits alone.",
        ),
        optional(
            ON_DELETE,
            None,
            "Of the volume's class; means nothing once it is made.",
        ),
        optional(PVC_NAME, None, "Name of the claim, for subDir."),
        optional(PVC_NAMESPACE, None, "Namespace of the claim, for subDir."),
        optional(PV_NAME, None, "Name of the PersistentVolume, for subDir."),
        optional(
            "csi.storage.k8s.io/*",
            None,
            "What Kubernetes adds about pods and claims; not used.",
        ),
        optional(
            "storage.kubernetes.io/*",
            None,
            "What Kubernetes adds about the provisioner; not used.",
        ),
    ]
}

fn of_classes() -> Vec<Parameter> {
    let mut all = vec![
        required(SERVER, "Host name or address of the NFS server."),
        required(
            SHARE,
            "Directory of the server in which volumes are made; it has to exist.",
        ),
        optional(
            SUB_DIR,
            Some("the volume's name"),
            "Directory below share that becomes the volume, with ${pvc.metadata.name}, ${pvc.metadata.namespace} \
             and ${pv.metadata.name} filled in; one that exists is used with what is in it.",
        ),
        optional(
            MOUNT_PERMISSIONS,
            Some("0"),
            "Octal permission bits for the volume's directory, also before each mount; 0 leaves them alone.",
        ),
        optional(
            ON_DELETE,
            Some("delete"),
            "What becomes of the directory with its volume: delete, retain, or archive (it is renamed to archived-…).",
        ),
        optional(PVC_NAME, None, "Name of the claim; from the provisioner."),
        optional(
            PVC_NAMESPACE,
            None,
            "Namespace of the claim; from the provisioner.",
        ),
        optional(
            PV_NAME,
            None,
            "Name of the PersistentVolume; from the provisioner.",
        ),
    ];
    all.iter_mut()
        .for_each(|one| one.scope = "storage-class".into());
    all
}

fn of_snapshot_classes() -> Vec<Parameter> {
    let mut all = vec![
        optional(
            SERVER,
            Some("the volume's"),
            "Host name or address of the NFS server; no other is possible.",
        ),
        optional(
            SHARE,
            Some("the volume's"),
            "Directory in which snapshots are kept; no other is possible.",
        ),
        optional(
            MOUNT_OPTIONS,
            None,
            "Mount options, separated by commas, for cutting the snapshot.",
        ),
        optional(
            "csi.storage.k8s.io/*",
            None,
            "Names of the snapshot and its content; from the snapshotter.",
        ),
    ];
    all.iter_mut()
        .for_each(|one| one.scope = "volume-snapshot-class".into());
    all
}

fn required(name: &str, meaning: &str) -> Parameter {
    Parameter {
        required: true,
        ..optional(name, None, meaning)
    }
}

fn optional(name: &str, default: Option<&str>, meaning: &str) -> Parameter {
    Parameter {
        name: name.into(),
        scope: "volume".into(),
        required: false,
        default: default.map(String::from),
        description: meaning.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_parameters_differ_in_case_only() {
        let described = described();
        let name = |p: &Parameter| (p.scope.clone(), p.name.to_lowercase());
        let mut names: Vec<_> = described.iter().map(name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_meaning_is_a_sentence() {
        for parameter in described() {
            assert!(parameter.description.ends_with('.'), "{}", parameter.name);
        }
    }
}
