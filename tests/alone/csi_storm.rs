//! A thousand disks come and go at once, while callers give up in the midst of calls and `serve` is killed and
//! started again: in the end nothing is left of any of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, VolumeCapability};
use drivebay_tests::{Cloud, Csi, CsiVolume, GIB, Node, disk_request, mounted_as, raw};
use serde_json::json;

const VOLUMES: usize = 1000;
const CALLERS: usize = 16;

/// One in so many has a filesystem, which takes most of the time; the others are raw devices.
const FILESYSTEMS: usize = 10;

/// Numbers that look random, the same in each run.
#[derive(Debug)]
struct Dice(Mutex<u64>);

impl Dice {
    fn below(&self, bound: u64) -> u64 {
        let mut state = self.0.lock().expect("nobody panicked");
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % bound
    }
}

#[derive(Debug)]
struct Storm {
    cloud: Cloud,
    node: Node,
    csi: Csi,
    dice: Dice,
    next: AtomicUsize,
    done: AtomicUsize,
}

#[test]
fn a_thousand_volumes_leave_nothing_behind_whatever_is_cancelled_or_killed() {
    let _machine = crate::takes_all();
    let cloud = Cloud::start();
    cloud.set(&json!({ "instance_types": { "ecs.g7.large": { "disk_quantity": 64 } } }));
    let node = Node::with_disks(&cloud);
    let csi = node.serve("alicloud-disk");
    let storm = Storm {
        cloud,
        node,
        csi,
        dice: Dice(Mutex::new(0x9e37_79b9_7f4a_7c15)),
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| storm.kill_and_start(&is_over));
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| storm.call())).collect();
        let panicked = callers
            .into_iter()
            .filter_map(|caller| caller.join().err())
            .count();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(panicked, 0, "{}", storm.csi.log());
    });
    assert_eq!(storm.done.load(Ordering::Relaxed), VOLUMES);
    assert!(storm.cloud.disks().is_empty(), "{:?}", storm.cloud.disks());
    assert!(storm.csi.stop());
    storm.node.is_clean();
    assert_eq!(storm.loop_devices(), Vec::<String>::new());
}

impl Storm {
    fn call(&self) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= VOLUMES {
                return;
            }
            self.come_and_go(index);
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn come_and_go(&self, index: usize) {
        let name = format!("pvc-{index}");
        let mut volume = self.created(&name, capability(index));
        let publish_context = Csi::at_last("attach", || volume.attach_to(drivebay_tests::INSTANCE));
        volume.publish_context = publish_context;
        Csi::at_last("stage", || volume.stage());
        // The caller gives up somewhere in the midst, and comes again.
        let patience = Duration::from_micros(self.dice.below(40_000) + 100);
        let _ = self
            .csi
            .node_publish_volume_within(patience, volume.publishing(&name));
        Csi::at_last("publish", || volume.publish(&name));
        Node::holds_one_mount(&volume.target(&name));
        Csi::at_last("unpublish", || volume.unpublish(&name));
        Csi::at_last("unstage", || volume.unstage());
        Csi::at_last("detach", || volume.detach());
        Csi::at_last("delete", || volume.delete());
    }

    fn created(&self, name: &str, capability: VolumeCapability) -> CsiVolume<'_> {
        let request = proto::CreateVolumeRequest {
            capacity_range: Some(proto::CapacityRange {
                required_bytes: GIB.cast_signed(),
                limit_bytes: 0,
            }),
            volume_capabilities: vec![capability.clone()],
            parameters: [
                ("type".to_owned(), "cloud_essd".to_owned()),
                ("performanceLevel".to_owned(), "PL0".to_owned()),
            ]
            .into(),
            ..disk_request(name)
        };
        let answer = Csi::at_last("create", || self.csi.create_volume(request.clone()));
        let volume = answer.volume.expect("a volume");
        CsiVolume::existing(&self.csi, &self.node, volume, capability)
    }

    /// Now and then, until everybody is done.
    fn kill_and_start(&self, is_over: &AtomicBool) {
        while !is_over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(500 + self.dice.below(3000)));
            self.csi.kill();
            self.csi.start_again(&self.node);
        }
    }

    /// Of this cloud, whose files are behind them.
    fn loop_devices(&self) -> Vec<String> {
        let output = Node::run(
            "losetup",
            &["--list", "--noheadings", "--output", "BACK-FILE"],
        );
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        let state = self.cloud.file("").to_string_lossy().into_owned();
        let ours = listed.lines().filter(|line| line.contains(&state));
        ours.map(str::to_owned).collect()
    }
}

fn capability(index: usize) -> VolumeCapability {
    match index % FILESYSTEMS {
        0 => mounted_as("ext4", Mode::SingleNodeMultiWriter),
        _ => raw(Mode::SingleNodeMultiWriter),
    }
}
