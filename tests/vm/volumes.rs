//! Volumes that are made on a share, used and removed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use drivebay_tests::eventually;
use nix::sys::statvfs::statvfs;
use serde_json::json;

use crate::lab::{NFS, shell};
use crate::pod::Pod;
use crate::provisioner::{Call, Published, SERVER, Share, id};

const GIB: u64 = 1 << 30;

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_is_made_written_to_grown_and_removed() {
    let share = Share::new("life");
    let volume = share.create("pvc-1", &[]).succeeds();
    assert_eq!(id(&volume), share.id("pvc-1##"));
    assert_eq!(volume["capacity-bytes"], GIB);
    assert_eq!(
        volume["context"],
        json!({ "server": SERVER, "share": share.name, "subdir": "pvc-1" })
    );
    assert_eq!(share.create("pvc-1", &[]).succeeds(), volume);
    assert_eq!(Call::new(&["get-volume", id(&volume)]).succeeds(), volume);
    Call::new(&[
        "validate-volume",
        id(&volume),
        "--mode",
        "multi-node-multi-writer",
    ])
    .succeeds();

    let pods = [
        Published::of(&volume),
        Published::by(
            Call::new(&["publish-volume", id(&volume)]).context(&volume),
            "two",
        ),
    ];
    fs::write(pods[0].path.join("greeting"), "hello").expect("writable");
    assert_eq!(
        fs::read_to_string(pods[1].path.join("greeting")).expect("shared"),
        "hello"
    );
    assert_eq!(
        fs::read_to_string(share.at("pvc-1/greeting")).expect("on the server"),
        "hello"
    );
    Call::new(&["delete-volume", id(&volume)]).fails("failed-precondition");
    let grown = Call::new(&["expand-volume", id(&volume), "--size", "2Gi"]).succeeds();
    assert_eq!(grown, json!({ "capacity-bytes": 2 * GIB }));
    assert_eq!(
        Call::new(&["get-volume", id(&volume)]).succeeds()["capacity-bytes"],
        2 * GIB
    );
    share
        .create("pvc-1", &["--limit", "1Gi"])
        .fails("already-exists");

    pods.iter().for_each(Published::unpublish);
    for _ in 0..2 {
        Call::new(&["delete-volume", id(&volume)]).succeeds();
    }
    Call::new(&["get-volume", id(&volume)]).fails("not-found");
    share.is_empty();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn what_becomes_of_the_directory_is_as_the_class_says() {
    let share = Share::new("classes");
    let claim = [
        "--parameter",
        "subDir=${pvc.metadata.namespace}/${pvc.metadata.name}",
    ];
    let claim = [
        &claim[..],
        &["--parameter", "csi.storage.k8s.io/pvc/namespace=shop"],
    ]
    .concat();
    for (name, on_delete, left) in [
        ("kept", "retain", "shop/kept/file"),
        ("gone", "delete", ""),
        ("moved", "Archive", "archived-shop/moved/file"),
    ] {
        let call = share
            .create(name, &claim)
            .parameter("csi.storage.k8s.io/pvc/name", name);
        let volume = call.parameter("onDelete", on_delete).succeeds();
        fs::write(share.at("shop").join(name).join("file"), name).expect("writable");
        Call::new(&["delete-volume", id(&volume)]).succeeds();
        assert!(!share.at("shop").join(name).exists() || name == "kept");
        if !left.is_empty() {
            assert_eq!(fs::read_to_string(share.at(left)).expect("left"), name);
        }
    }
    // Retained by a claim, found by the next one of that name.
    let call = share
        .create("again", &claim)
        .parameter("csi.storage.k8s.io/pvc/name", "kept");
    let volume = call.succeeds();
    let pod = Published::of(&volume);
    assert_eq!(
        fs::read_to_string(pod.path.join("file")).expect("retained"),
        "kept"
    );
    pod.unpublish();
    Call::new(&["delete-volume", id(&volume)]).succeeds();
    assert_eq!(
        share.directories(),
        ["archived-shop"],
        "an empty parent was left"
    );
}

#[test]
#[ignore = "needs the VM's NFS"]
fn permissions_are_those_of_the_class_also_for_a_later_mount() {
    let share = Share::new("permissions");
    let volume = share
        .create("pvc-1", &["--parameter", "MountPermissions=2770"])
        .succeeds();
    let mode = || {
        fs::metadata(share.at("pvc-1"))
            .expect("there")
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!(mode(), 0o2770);
    fs::set_permissions(share.at("pvc-1"), fs::Permissions::from_mode(0o700)).expect("writable");
    let pod = Published::of(&volume);
    assert_eq!(mode(), 0o2770);
    pod.unpublish();
    Call::new(&["delete-volume", id(&volume)]).succeeds();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn two_who_make_one_volume_get_the_same() {
    let share = Share::new("race");
    let running: Vec<_> = (0..3).map(|_| share.create("pvc-1", &[]).start()).collect();
    for mut call in running {
        assert!(call.wait().expect("ours").success());
    }
    let volume = share.create("pvc-1", &[]).succeeds();
    Call::new(&["delete-volume", id(&volume)]).succeeds();
    assert!(share.files().is_empty(), "{:?}", share.files());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn the_longest_name_gets_a_volume() {
    let share = Share::new("names");
    let names = [
        "n".repeat(128),
        format!("{}x", "n".repeat(127)),
        "a name/with #".to_owned(),
    ];
    let volumes = names
        .clone()
        .map(|name| share.create(&name, &[]).succeeds());
    assert_eq!(share.directories().len(), 3);
    for (name, volume) in names.iter().zip(&volumes) {
        assert!(id(volume).len() <= 128);
        assert_eq!(share.create(name, &[]).succeeds(), *volume);
        Published::of(volume).unpublish();
        Call::new(&["delete-volume", id(volume)]).succeeds();
    }
    assert!(share.directories().is_empty());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_of_the_kubernetes_driver_goes_on_working() {
    let share = Share::new("migrated");
    fs::create_dir_all(share.at("shop/data")).expect("writable");
    fs::write(share.at("shop/data/file"), "old").expect("writable");
    let handle = share.id("shop/data#pvc-0#");
    // All that such a PersistentVolume says, and what kubelet adds for a driver that wants to know the pod.
    let call = Call::new(&["publish-volume", &handle, "--option", "nfsvers=4.1"])
        .parameter("SERVER", SERVER)
        .parameter("share", &share.name)
        .parameter("subdir", "${pvc.metadata.namespace}/${pvc.metadata.name}")
        .parameter("mountPermissions", "0")
        .parameter("mountOptions", "noatime")
        .parameter("onDelete", "delete")
        .parameter("csi.storage.k8s.io/pv/name", "pvc-0")
        .parameter("csi.storage.k8s.io/pvc/name", "data")
        .parameter("csi.storage.k8s.io/pvc/namespace", "shop")
        .parameter("csi.storage.k8s.io/pod.name", "web")
        .parameter("csi.storage.k8s.io/ephemeral", "false")
        .parameter(
            "storage.kubernetes.io/csiProvisionerIdentity",
            "1-8081-nfs.csi.k8s.io",
        );
    let pod = Published::by(call, "migrated");
    assert_eq!(
        fs::read_to_string(pod.path.join("file")).expect("there"),
        "old"
    );
    pod.unpublish();
    assert_eq!(
        Call::new(&["get-volume", &handle]).succeeds()["capacity-bytes"],
        0
    );
    Call::new(&["expand-volume", &handle, "--size", "2Gi"]).succeeds();
    Call::new(&["delete-volume", &handle]).succeeds();
    assert!(share.directories().is_empty());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_flexvolume_may_name_a_volume_that_was_made() {
    let share = Share::new("flexvolume");
    let volume = share.create("pvc-1", &[]).succeeds();
    let pod = Pod::of(NFS, "made");
    pod.mount(&[
        ("server", SERVER),
        ("share", &share.name),
        ("subDir", "pvc-1"),
    ])
    .succeeds();
    fs::write(pod.file("file"), "x").expect("writable");
    assert!(share.at("pvc-1/file").exists());
    pod.unmount().succeeds();
    Call::new(&["delete-volume", id(&volume)]).succeeds();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn the_version_of_the_class_makes_the_volume() {
    let share = Share::new("versions");
    // Of what is not asked for the newest is taken; so it is everywhere else here.
    for version in ["3", "4.0"] {
        let option = format!("nfsvers={version}");
        let volume = share
            .create(&format!("pvc-{version}"), &["--option", &option])
            .succeeds();
        assert!(share.at(&format!("pvc-{version}")).is_dir());
        Call::new(&["delete-volume", id(&volume)]).succeeds();
    }
    assert!(share.directories().is_empty());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn room_is_that_of_the_server() {
    let share = Share::new("room");
    let call = Call::new(&["available-capacity"]);
    assert_eq!(
        call.succeeds(),
        json!({ "available-bytes": 0 }),
        "of no server"
    );
    let said = call.class(&share).succeeds()["available-bytes"]
        .as_u64()
        .expect("a number");
    let there = statvfs(&share.at("")).expect("there");
    let there = there.blocks_available() * there.fragment_size();
    assert!(
        said.abs_diff(there) < 16 << 20,
        "{said} is not about {there}"
    );
}

#[test]
#[ignore = "needs the VM's NFS"]
fn what_cannot_be_is_refused_and_nothing_is_left() {
    let share = Share::new("refused");
    for id in ["fake-vol-id", &share.id("gone##")] {
        Call::new(&["delete-volume", id]).succeeds();
        Call::new(&["get-volume", id]).fails("not-found");
        Call::new(&["validate-volume", id]).fails("not-found");
    }
    // An id that says nothing of a place is a person's, of which nothing has to grow.
    Call::new(&["expand-volume", "fake-vol-id", "--size", "1Gi"]).succeeds();
    Call::new(&["expand-volume", &share.id("gone##"), "--size", "1Gi"]).fails("not-found");
    let said = share
        .create("pvc-1", &["--parameter", "sub=x"])
        .fails("invalid-argument");
    assert!(
        said.contains("no creation parameter \"sub\"; did you mean \"subDir\"?"),
        "{said}"
    );
    share
        .create("pvc-1", &["--parameter", "subDir=../out"])
        .fails("invalid-argument");
    share.create("pvc-1", &["--block"]).fails("unsupported");
    let missing = Call::new(&["create-volume", "--name", "pvc-1"]).parameter("server", SERVER);
    missing
        .parameter("share", "/no/such/share")
        .fails("not-found");
    Call::new(&["delete-volume", &format!("{SERVER}#no/such/share#pvc-1##")])
        .fails("failed-precondition");
    share.is_empty();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn grants_hold_for_volumes_that_are_made_and_removed() {
    let share = Share::new("granted");
    // `narrow` may mount /alpha alone, and write nothing.
    let create = |share: &str| {
        let call = Call::new(&["create-volume", "--name", "pvc-1"]).of("narrow");
        call.parameter("server", SERVER).parameter("share", share)
    };
    create(&share.name).fails("denied");
    let said = create("/alpha").fails("denied");
    assert!(said.contains("read-only"), "{said}");
    let elsewhere = Call::new(&["delete-volume", &share.id("pvc-1##")]).of("narrow");
    elsewhere.fails("denied");
    assert!(!share.at("../pvc-1").exists());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_is_not_taken_for_deleted_where_its_server_has_replaced_the_share() {
    let share = Share::new("replaced");
    let [kept, volume] = ["kept", "pvc-1"].map(|name| share.create(name, &[]).succeeds());
    fs::write(share.at("pvc-1/file"), "data").expect("writable");
    // While this one is mounted, this machine remembers what is on the server.
    let pod = Published::of(&kept);
    Call::new(&["get-volume", id(&volume)]).succeeds();
    shell(&format!(
        "cd '{}'; mv replaced old; cp -a old replaced; rm -rf old",
        share.at("..").display()
    ));
    eventually("the volume to be deleted", || {
        let said = Call::new(&["delete-volume", id(&volume)]).refused_as("unavailable");
        assert_eq!(share.at("pvc-1/file").exists(), said.is_some(), "{said:?}");
        said.is_none()
    });
    pod.unpublish();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn what_a_person_wrote_into_a_persistent_volume_grows_and_is_valid() {
    let share = Share::new("static");
    let handle = format!("{SERVER}{}##", share.name);
    let grown = Call::new(&["expand-volume", &handle, "--size", "2Gi"]).succeeds();
    assert_eq!(grown, json!({ "capacity-bytes": 2 * GIB }));
    let validate = |share: &str| {
        let call = Call::new(&["validate-volume", &handle]);
        call.parameter("server", SERVER).parameter("share", share)
    };
    validate(&share.name).succeeds();
    validate("/no/such/share").fails("not-found");
    Call::new(&["get-volume", &handle]).fails("not-found");
    Call::new(&["delete-volume", &handle]).succeeds();
    assert!(share.at("").exists());
}
