//! The example `shares`, in C: a third party's backend with the kernel's own server.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use drivebay_tests::{read, repository};

use crate::lab::{self, node};
use crate::pod::Pod;

const DRIVER: &str = "example.com~shares/shares";

#[test]
#[ignore = "needs the VM's NFS"]
fn shares_are_mounted_by_a_backend_in_c_which_makes_their_sub_directories() {
    let grants = read(&repository().join("guests/examples/shares/shares.toml"));
    let example = "\"filer.example.com:/exports/**\"";
    assert!(grants.contains(example), "{grants}");
    let granted = "\"127.0.0.1:/alpha\", \"127.0.0.1:/alpha/**\"";
    node().add_driver("shares", &grants.replace(example, granted));
    node().install(&[&repository().join("target/dist/tests/shares.wasm")]);

    let share = [("server", "127.0.0.1"), ("share", "/alpha")];
    let within = [("subDirectory", "music/live"), ("mode", "0750")];
    let pod = Pod::of(DRIVER, "shares");
    pod.mount(&[share, within].concat()).succeeds();
    fs::write(pod.file("song"), "kept").expect("writable");
    let made = lab::exported("/alpha/music/live");
    assert_eq!(read(&made.join("song")), "kept");
    let mode = fs::metadata(&made).expect("made").permissions().mode();
    assert_eq!(mode & 0o7777, 0o750);
    pod.unmount().succeeds();
    pod.mount(&share).succeeds();
    assert_eq!(read(&pod.file("music/live/song")), "kept");
    pod.unmount().succeeds();
    fs::remove_dir_all(lab::exported("/alpha/music")).expect("the server has it");
}
