//! kubelet's own code as the caller: its FlexVolume package and volume manager, unmodified.

use drivebay_tests::run_kubelet;

use crate::lab::node;

/// What differs where nothing may be written.
const READ_ONLY: [&str; 3] = ["-read-only", "-scenario", "mount"];

fn kubelet_is_content(version: &str, more: &[&str]) {
    let options = format!("server=127.0.0.1,share=/beta,vers={version}");
    let arguments = [
        "-driver",
        "k8s/nfs",
        "-options",
        &options,
        "-patience",
        "3m",
    ];
    run_kubelet(node(), &[&arguments, more].concat());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn kubelet_is_content_with_version_3() {
    kubelet_is_content("3", &[]);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn kubelet_is_content_with_version_3_read_only() {
    kubelet_is_content("3", &READ_ONLY);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn kubelet_is_content_with_version_4_2() {
    kubelet_is_content("4.2", &[]);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn kubelet_is_content_with_version_4_2_read_only() {
    kubelet_is_content("4.2", &READ_ONLY);
}
