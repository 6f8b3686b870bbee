//! The life of a disk as kubelet lives it, on real block devices: made, attached, formatted, mounted, grown,
//! moved and released.

use std::fs;
use std::path::{Path, PathBuf};

use drivebay_tests::{Cloud, Disk, GIB, Node, OTHER_INSTANCE, device, serial, text};
use nix::mount::{MntFlags, umount2};
use nix::sys::statvfs::statvfs;
use serde_json::json;

fn bytes_of_filesystem(path: &Path) -> u64 {
    let usage = statvfs(path).expect("mounted");
    usage.blocks() * usage.fragment_size()
}

/// Nothing mounted, nothing noted, nothing attached, no link.
#[track_caller]
fn released(node: &Node, cloud: &Cloud, disk: &Disk<'_>) {
    assert_eq!(Node::mounts_beneath(&node.path("")), Vec::<PathBuf>::new());
    assert_eq!(node.journal(), Vec::<PathBuf>::new());
    assert_eq!(cloud.attachments(&disk.id), Vec::<String>::new());
    assert!(disk.link().symlink_metadata().is_err(), "the link is there");
}

#[test]
fn a_new_disk_is_attached_formatted_mounted_written_to_and_released() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    assert_eq!(disk.is_attached().succeeds().json["attached"], true);
    let web = node.pod("web");
    disk.mount(&web).succeeds();
    fs::write(web.join("hello"), "from a pod").expect("writable");
    assert!(bytes_of_filesystem(&web) > 19 * GIB);
    disk.release(&web);
    released(&node, &cloud, &disk);
    let magic = &cloud.head(&disk.id, 2048)[1080..1082];
    assert_eq!(magic, [0x53, 0xef], "no ext4 was made");
}

#[test]
fn what_a_pod_wrote_is_there_when_the_disk_comes_back() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    let web = node.pod("web");
    disk.mount(&web).succeeds();
    fs::write(web.join("hello"), "kept").expect("writable");
    disk.release(&web);
    let disk = disk.staged();
    disk.mount(&web).succeeds();
    assert_eq!(fs::read_to_string(web.join("hello")).expect("kept"), "kept");
    disk.release(&web);
    released(&node, &cloud, &disk);
}

#[test]
fn every_call_can_be_repeated() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    let attached = disk.attach().succeeds();
    disk.mount_device(&device(&attached)).succeeds();
    let web = node.pod("web");
    for _ in 0..2 {
        disk.mount(&web).succeeds();
    }
    assert_eq!(cloud.requests("AttachDisk"), 1);
    for _ in 0..2 {
        disk.release(&web);
    }
    released(&node, &cloud, &disk);
}

#[test]
fn two_pods_share_one_staged_disk_and_the_second_keeps_it_when_the_first_goes() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    let (web, report) = (node.pod("web"), node.pod("report"));
    disk.mount(&web).succeeds();
    disk.mount(&report).succeeds();
    fs::write(web.join("hello"), "shared").expect("writable");
    disk.unmount(&web).succeeds();
    assert_eq!(
        fs::read_to_string(report.join("hello")).expect("there"),
        "shared"
    );
    disk.release(&report);
    released(&node, &cloud, &disk);
}

#[test]
fn a_volume_grows_while_it_is_mounted() {
    for fs_type in growing_filesystems() {
        let cloud = Cloud::start();
        let node = Node::with_disks(&cloud);
        let id = node.create_disk("pvc-1", 20);
        let disk = Disk::with_options(&node, &id, &[("kubernetes.io/fsType", fs_type)]).staged();
        let web = node.pod("web");
        disk.mount(&web).succeeds();
        fs::write(web.join("hello"), "kept").expect("writable");
        let (volume, filesystem) = disk.expand(30);
        volume.succeeds();
        filesystem.succeeds();
        assert!(bytes_of_filesystem(&web) > 29 * GIB, "{fs_type}");
        assert_eq!(fs::read_to_string(web.join("hello")).expect("kept"), "kept");
        disk.release(&web);
        released(&node, &cloud, &disk);
    }
}

#[test]
fn a_claim_grows_by_expandfs_alone_whatever_gets_lost_and_once() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let id = node.create_disk("pvc-1", 20);
    let disk = Disk::with_options(&node, &id, &[("kubernetes.io/fsType", "xfs")]).staged();
    let web = node.pod("web");
    disk.mount(&web).succeeds();
    fs::write(web.join("hello"), "kept").expect("writable");
    cloud.fault(&json!({ "action": "ResizeDisk", "kind": "lost-reply" }));
    for _ in 0..2 {
        disk.expand_fs(30).succeeds();
        assert!(bytes_of_filesystem(&web) > 29 * GIB);
    }
    assert_eq!(cloud.requests("ResizeDisk"), 1);
    assert_eq!(fs::read_to_string(web.join("hello")).expect("kept"), "kept");
    disk.release(&web);
    released(&node, &cloud, &disk);
}

#[test]
fn a_claim_that_grows_while_nobody_has_it_mounted_fills_the_disk_when_it_is() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1");
    disk.expand_fs(30).succeeds();
    let disk = disk.staged();
    assert!(bytes_of_filesystem(&disk.staging()) > 29 * GIB);
    disk.unmount_device().succeeds();
    disk.detach().succeeds();
    released(&node, &cloud, &disk);
}

#[test]
fn a_node_that_cannot_sign_says_what_to_run_where_the_key_is() {
    let cloud = Cloud::start();
    let controller = Node::with_disks(&cloud);
    let missing = "source = \"file\"\nid-file = \"/nowhere/id\"\nsecret-file = \"/nowhere/secret\"";
    let node = Node::with_disk_grants(&cloud.grants(missing));
    let id = controller.create_disk("pvc-1", 20);
    let options = [("volumeId", &*id), ("kubernetes.io/fsType", "xfs")];
    let elsewhere = Disk::with_options(&controller, "some-pv", &options);
    let attached = elsewhere.attach().succeeds();
    let disk = Disk::with_options(&node, "some-pv", &options);
    disk.mount_device(&device(&attached)).succeeds();

    let refused = disk
        .expand_fs(30)
        .fails_with("cannot use key access-key: its id-file");
    let said = refused.json["message"].as_str().expect("a message");
    let command = said.split('`').nth(1).expect("a command");
    assert_eq!(
        command,
        format!(
            "drivebay run alicloud-disk expand-volume some-pv --size {} --parameter volumeId={id}",
            30 * GIB
        )
    );
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let ran = controller.drivebay(&words).output().expect("it runs");
    assert!(ran.status.success(), "{ran:?}");
    disk.expand_fs(30).succeeds();
    assert!(bytes_of_filesystem(&disk.staging()) > 29 * GIB);
    disk.unmount_device().succeeds();
    elsewhere.detach().succeeds();
    controller.run_disk(&["delete-volume", &id]);
}

/// The kernel lets a mounted ext4 grow by CAP_SYS_RESOURCE only, which containers lack. The VM has it, and does
/// the same with both.
fn growing_filesystems() -> &'static [&'static str] {
    const SYS_RESOURCE: u32 = 24;
    let status = fs::read_to_string("/proc/self/status").expect("mounted");
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = u64::from_str_radix(effective.expect("named").trim(), 16).expect("hex");
    match effective >> SYS_RESOURCE & 1 {
        1 => &["ext4", "xfs"],
        _ => &["xfs"],
    }
}

#[test]
fn a_volume_that_grew_while_nobody_had_it_fills_the_disk_when_it_is_mounted() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    disk.unmount_device().succeeds();
    disk.detach().succeeds();
    let grown = node.run_disk(&["expand-volume", &disk.id, "--size", "25Gi"]);
    assert_eq!(grown["capacity-bytes"], 25 * GIB);
    let disk = disk.staged();
    assert!(bytes_of_filesystem(&disk.staging()) > 24 * GIB);
    disk.unmount_device().succeeds();
    disk.detach().succeeds();
    released(&node, &cloud, &disk);
}

#[test]
fn a_disk_in_use_on_another_node_is_not_taken_away_from_it() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1");
    disk.attach_to(OTHER_INSTANCE).succeeds();
    disk.attach().fails_with(OTHER_INSTANCE);
    assert_eq!(cloud.attachments(&disk.id), [OTHER_INSTANCE]);
    assert_eq!(cloud.requests("DetachDisk"), 0);
    disk.detach().succeeds();
    assert_eq!(
        cloud.attachments(&disk.id),
        [OTHER_INSTANCE],
        "detaching from this node took it from the other"
    );
}

#[test]
fn after_a_reboot_the_node_mounts_again_what_the_journal_still_knows() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    let web = node.pod("web");
    disk.mount(&web).succeeds();
    fs::write(web.join("hello"), "kept").expect("writable");
    reboot(&node);
    // kubelet finds the pod's volume not mounted, and starts over without attaching: the controller did.
    let attached = disk.attach().succeeds();
    disk.mount_device(&device(&attached)).succeeds();
    disk.mount(&web).succeeds();
    assert_eq!(fs::read_to_string(web.join("hello")).expect("kept"), "kept");
    disk.release(&web);
    released(&node, &cloud, &disk);
}

#[test]
fn after_a_reboot_a_pod_that_is_gone_is_released_by_names_and_paths_alone() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    let web = node.pod("web");
    disk.mount(&web).succeeds();
    reboot(&node);
    disk.release(&web);
    released(&node, &cloud, &disk);
}

/// What a reboot takes: mounts, and everything in /run. Disks stay attached.
fn reboot(node: &Node) {
    for point in Node::mounts_beneath(&node.path("")).into_iter().rev() {
        umount2(&point, MntFlags::empty()).expect("nobody uses it");
    }
    fs::remove_dir_all(node.path("run")).expect("ours");
}

#[test]
fn a_volume_of_the_old_driver_is_named_by_its_option_in_any_case() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let id = node.create_disk("pvc-1", 20);
    for key in ["VolumeId", "volumeId", "volumeid"] {
        let disk = Disk::with_options(&node, "some-pv", &[(key, &id)]).staged();
        assert_eq!(cloud.attachments(&id).len(), 1, "{key}");
        disk.unmount_device().succeeds();
        disk.detach().succeeds();
        assert_eq!(cloud.attachments(&id).len(), 0, "{key}");
    }
}

#[test]
fn a_disk_is_detached_once_more_by_a_volumes_name_that_says_nothing_of_it() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let id = node.create_disk("pvc-1", 20);
    let disk = Disk::with_options(&node, "some-pv", &[("volumeId", &id)]);
    for _ in 0..2 {
        disk.attach().succeeds();
        for _ in 0..3 {
            disk.detach().succeeds();
        }
        assert_eq!(cloud.attachments(&id), Vec::<String>::new());
        assert_eq!(node.journal(), Vec::<PathBuf>::new());
    }
    assert_eq!(cloud.requests("DetachDisk"), 2);
    node.run_disk(&["delete-volume", &id]);
    disk.detach().succeeds();
}

#[test]
fn detaching_once_more_takes_off_what_another_machine_attached_and_from_the_named_node_alone() {
    let cloud = Cloud::start();
    let (node, other_machine) = (Node::with_disks(&cloud), Node::with_disks(&cloud));
    let id = node.create_disk("pvc-1", 20);
    let options = [("volumeId", &*id)];
    let disk = Disk::with_options(&node, "some-pv", &options);
    let elsewhere = Disk::with_options(&other_machine, "some-pv", &options);
    disk.attach().succeeds();
    disk.detach().succeeds();
    elsewhere.attach().succeeds();
    disk.detach().succeeds();
    assert_eq!(cloud.attachments(&id), Vec::<String>::new());
    elsewhere.attach_to(OTHER_INSTANCE).succeeds();
    disk.detach().succeeds();
    assert_eq!(cloud.attachments(&id), [OTHER_INSTANCE]);
}

#[test]
fn a_volumes_name_that_says_nothing_and_was_never_detached_here_is_a_failure() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let id = node.create_disk("pvc-1", 20);
    let disk = Disk::with_options(&node, "some-pv", &[("volumeId", &id)]);
    disk.detach().fails_with("cannot tell which disk to detach");
    let other = Disk::with_options(&node, "other-pv", &[("volumeId", &id)]);
    other.attach().succeeds();
    other.detach().succeeds();
    disk.detach().fails_with("cannot tell which disk to detach");
}

#[test]
fn a_late_repeat_of_a_detach_does_not_take_off_what_is_attached_under_another_name() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let id = node.create_disk("pvc-1", 20);
    let disk = |pv| Disk::with_options(&node, pv, &[("volumeId", &id)]);
    let (before, after) = (disk("pv-before"), disk("pv-after"));
    before.attach().succeeds();
    before.detach().succeeds();
    after.attach().succeeds();
    before
        .detach()
        .fails_with("cannot tell which disk to detach");
    assert_eq!(cloud.attachments(&id).len(), 1);
    after.detach().succeeds();
    assert_eq!(cloud.attachments(&id), Vec::<String>::new());
}

#[test]
fn a_snapshot_keeps_what_the_disk_held_and_a_new_disk_starts_with_it() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    let web = node.pod("web");
    disk.mount(&web).succeeds();
    fs::write(web.join("hello"), "before").expect("writable");
    nix::unistd::sync();
    let cut = || node.run_disk(&["create-snapshot", "--name", "snap-1", "--source", &disk.id]);
    let snapshot = cut();
    let id = snapshot["id"].as_str().expect("an id");
    drivebay_tests::eventually("the snapshot to be ready", || cut()["readiness"] == "ready");
    assert_eq!(cut()["id"], id, "the same name made another snapshot");
    fs::write(web.join("hello"), "after").expect("writable");
    disk.release(&web);

    let made = node.run_disk(&[
        "create-volume",
        "--name",
        "pvc-2",
        "--size",
        "30Gi",
        "--parameter",
        "type=cloud_essd",
        "--from-snapshot",
        id,
    ]);
    let copy = Disk::new(&node, made["id"].as_str().expect("an id")).staged();
    copy.mount(&web).succeeds();
    assert_eq!(
        fs::read_to_string(web.join("hello")).expect("kept"),
        "before"
    );
    assert!(bytes_of_filesystem(&web) > 29 * GIB, "it fills the disk");
    copy.release(&web);
    released(&node, &cloud, &copy);
    node.run_disk(&["delete-snapshot", id]);
    node.run_disk(&["delete-snapshot", id]);
    assert!(cloud.snapshots().is_empty());
}

#[test]
fn a_raw_device_is_staged_published_written_to_and_released() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1");
    node.run_disk(&[
        "attach-volume",
        &disk.id,
        "--node",
        drivebay_tests::NODE_NAME,
    ]);
    let staging = node.pod("staging");
    let target = node.path("pods/raw");
    node.run_disk(&[
        "stage-volume",
        &disk.id,
        "--path",
        text(&staging),
        "--block",
    ]);
    node.run_disk(&[
        "publish-volume",
        &disk.id,
        "--path",
        text(&target),
        "--block",
    ]);
    fs::OpenOptions::new()
        .write(true)
        .open(&target)
        .and_then(|mut device| std::io::Write::write_all(&mut device, b"raw").map(|()| device))
        .and_then(|device| device.sync_all())
        .expect("the device can be written to");
    assert_eq!(cloud.head(&disk.id, 3), b"raw");
    node.run_disk(&["unpublish-volume", "--path", text(&target)]);
    node.run_disk(&["unstage-volume", "--path", text(&staging)]);
    node.run_disk(&[
        "detach-volume",
        &disk.id,
        "--node",
        drivebay_tests::NODE_NAME,
    ]);
    released(&node, &cloud, &disk);
}

#[test]
fn a_disk_is_made_once_shown_listed_changed_and_removed() {
    let cloud = Cloud::start_with(&["--devices", "none"]);
    let node = Node::with_disks(&cloud);
    let id = node.create_disk("pvc-1", 20);
    assert_eq!(node.create_disk("pvc-1", 20), id);
    let larger = ["create-volume", "--name", "pvc-1", "--size", "40Gi"];
    let said = node.run_disk_fails(&[&larger[..], &["--parameter", "type=cloud_essd"]].concat());
    assert!(said.contains("already-exists"), "{said}");
    assert_eq!(cloud.disks().len(), 1);
    let shown = node.run_disk(&["get-volume", &id]);
    assert_eq!(shown["capacity-bytes"], 20 * GIB);
    let listed = node.run_disk(&["list-volumes"]);
    assert_eq!(listed["volumes"][0]["id"], id.as_str());
    let large = node.create_disk("pvc-2", 500);
    node.run_disk(&[
        "modify-volume",
        &large,
        "--parameter",
        "performanceLevel=PL2",
    ]);
    assert_eq!(cloud.disk(&large)["level"], "PL2");
    node.run_disk(&["delete-volume", &large]);
    let said = node.run_disk_fails(&["modify-volume", &id, "--parameter", "performanceLevel=PL0"]);
    assert!(said.contains("invalid-argument"), "{said}");
    node.run_disk(&["modify-volume", &id, "--parameter", "type=cloud_auto"]);
    assert_eq!(cloud.disk(&id)["category"], "cloud_auto");
    for _ in 0..2 {
        node.run_disk(&["delete-volume", &id]);
    }
    assert!(cloud.disks().is_empty());
    let said = node.run_disk_fails(&["get-volume", &id]);
    assert!(said.contains("not-found"), "{said}");
}

#[test]
fn a_disk_that_is_mounted_is_not_removed() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    let said = node.run_disk_fails(&["delete-volume", &disk.id]);
    assert!(said.contains("failed-precondition"), "{said}");
    assert_eq!(cloud.disks().len(), 1);
    disk.unmount_device().succeeds();
    disk.detach().succeeds();
    node.run_disk(&["delete-volume", &disk.id]);
    assert!(cloud.disks().is_empty());
}

#[test]
fn a_node_knows_what_it_is_and_how_many_disks_it_can_hold() {
    let cloud = Cloud::start_with(&["--devices", "none"]);
    let node = Node::with_disks(&cloud);
    let info = node.run_disk(&["get-info"]);
    assert_eq!(info["id"], drivebay_tests::INSTANCE);
    assert_eq!(
        info["place"]["topology.diskplugin.csi.alibabacloud.com/zone"],
        "cn-hangzhou-g"
    );
    assert_eq!(
        info["max-volumes"], 16,
        "17 of the instance type, less the system disk"
    );
}

#[test]
fn what_ecs_cannot_do_is_not_claimed() {
    let cloud = Cloud::start_with(&["--devices", "none"]);
    let node = Node::with_disks(&cloud);
    let id = node.create_disk("pvc-1", 20);
    let copy = ["create-volume", "--name", "pvc-2", "--size", "20Gi"];
    for (arguments, export) in [
        ([&copy[..], &["--from-volume", &id]].concat(), "cloning"),
        (vec!["available-capacity"], "capacity"),
    ] {
        let said = node.run_disk_fails(&arguments);
        assert!(said.contains("unsupported: "), "{said}");
        assert!(
            said.contains(&format!("does not export {export}")),
            "{said}"
        );
    }
    assert_eq!(cloud.disks().len(), 1);
}

#[test]
fn a_category_that_the_zone_lacks_gives_way_to_the_next() {
    let cloud = Cloud::start_with(&["--devices", "none"]);
    let node = Node::with_disks(&cloud);
    let create = |name: &str, parameters: &[&str]| {
        let mut arguments = vec!["create-volume", "--name", name, "--size", "20Gi"];
        for parameter in parameters {
            arguments.extend(["--parameter", parameter]);
        }
        node.run_disk(&arguments);
        let disks = cloud.disks();
        let made = disks
            .iter()
            .find(|disk| disk["tags"].to_string().contains(name))
            .expect("it is there");
        made["category"].as_str().map(str::to_owned).expect("named")
    };
    let zone = "zoneId=cn-hangzhou-g";
    assert_eq!(
        create("pvc-a", &["type=available", zone]),
        "cloud_efficiency"
    );
    assert_eq!(
        create("pvc-b", &["type=cloud_ssd,cloud_essd", zone]),
        "cloud_essd"
    );
    assert_eq!(cloud.disks().len(), 2);
}

#[test]
fn a_size_below_the_categorys_least_is_explained() {
    let cloud = Cloud::start_with(&["--devices", "none"]);
    let node = Node::with_disks(&cloud);
    let small = ["create-volume", "--name", "pvc-1", "--size", "5Gi"];
    let efficient = ["--parameter", "type=cloud_efficiency"];
    let said = node.run_disk_fails(&[&small[..], &efficient].concat());
    assert!(
        said.contains("out-of-range") && said.contains("20"),
        "{said}"
    );
    let rounded = ["--parameter", "volumeSizeAutoAvailable=true"];
    let made = node.run_disk(&[&small[..], &efficient, &rounded].concat());
    assert_eq!(made["capacity-bytes"], 20 * GIB);
}

#[test]
fn an_unknown_parameter_is_refused_by_name_before_anything_is_made() {
    let cloud = Cloud::start_with(&["--devices", "none"]);
    let node = Node::with_disks(&cloud);
    let said = node.run_disk_fails(&[
        "create-volume",
        "--name",
        "pvc-1",
        "--size",
        "20Gi",
        "--parameter",
        "tpye=cloud_essd",
    ]);
    assert!(said.contains("tpye"), "{said}");
    assert_eq!(cloud.requests("CreateDisk"), 0);
}

#[test]
fn the_disks_serial_is_its_id() {
    assert_eq!(serial("d-bp1abc"), "bp1abc");
}
