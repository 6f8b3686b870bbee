//! Calls that are repeated, which kubelet does also where they went well: they are answered by a look, and the look is one
//! that some order of all calls explains.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, VolumeCapability};
use drivebay_tests::{Csi, Node, mounted, refused, text};
use tonic::{Code, Status};

const ID: &str = "volume-1";

/// Files are known by their times of change, which kernels tell in steps, once they are older than a second.
const SETTLED: Duration = Duration::from_millis(1200);

/// Rounds of a race. Which of the two comes first differs in them.
const ROUNDS: u64 = 60;

/// A volume of the example driver, staged.
struct Staged {
    csi: Csi,
    node: Node,
    staging: PathBuf,
}

fn capability() -> VolumeCapability {
    mounted(Mode::MultiNodeMultiWriter)
}

impl Staged {
    fn new() -> Self {
        let node = Node::with_local(ID);
        let staged = Self {
            csi: node.serve("local"),
            staging: node.pod("staging"),
            node,
        };
        staged.stage().expect("staged");
        staged
    }

    fn target(&self) -> PathBuf {
        self.node.pod("web").join("mount")
    }

    fn stage(&self) -> Result<(), Status> {
        self.stage_as(capability())
    }

    fn stage_as(&self, capability: VolumeCapability) -> Result<(), Status> {
        let answer = self.csi.node_stage_volume(proto::NodeStageVolumeRequest {
            volume_id: ID.to_owned(),
            staging_target_path: text(&self.staging).to_owned(),
            volume_capability: Some(capability),
            ..proto::NodeStageVolumeRequest::default()
        });
        answer.map(drop)
    }

    fn publish(&self) -> Result<(), Status> {
        let answer = self
            .csi
            .node_publish_volume(proto::NodePublishVolumeRequest {
                volume_id: ID.to_owned(),
                staging_target_path: text(&self.staging).to_owned(),
                target_path: text(&self.target()).to_owned(),
                volume_capability: Some(capability()),
                ..proto::NodePublishVolumeRequest::default()
            });
        answer.map(drop)
    }

    fn unpublish(&self) -> Result<(), Status> {
        let answer = self
            .csi
            .node_unpublish_volume(proto::NodeUnpublishVolumeRequest {
                volume_id: ID.to_owned(),
                target_path: text(&self.target()).to_owned(),
            });
        answer.map(drop)
    }

    fn unstage(&self) -> Result<(), Status> {
        let answer = self
            .csi
            .node_unstage_volume(proto::NodeUnstageVolumeRequest {
                volume_id: ID.to_owned(),
                staging_target_path: text(&self.staging).to_owned(),
            });
        answer.map(drop)
    }

    fn stats(&self) -> Result<(), Status> {
        let answer = self
            .csi
            .node_get_volume_stats(proto::NodeGetVolumeStatsRequest {
                volume_id: ID.to_owned(),
                volume_path: text(&self.target()).to_owned(),
                ..proto::NodeGetVolumeStatsRequest::default()
            });
        answer.map(drop)
    }

    fn is_mounted(&self) -> bool {
        Node::mounts_beneath(&self.target()) == [self.target()]
    }
}

#[test]
fn a_repeat_opens_no_file_of_the_volume_and_starts_no_worker() {
    let staged = Staged::new();
    staged.publish().expect("published");
    thread::sleep(SETTLED);
    let repeat = || {
        staged.stage().expect("staged already");
        staged.publish().expect("published already");
        staged.stats().expect("measured");
    };
    repeat();
    let ((), trace) = staged.csi.traced(&staged.node, repeat);
    let root = staged.node.path("");
    assert_eq!(trace.opened_beneath(&root), Vec::<&str>::new());
    assert_eq!(trace.processes(), Vec::<&str>::new());
    staged.unpublish().expect("unpublished");
    staged.unstage().expect("unstaged");
    staged.node.is_clean();
}

#[test]
fn a_repeat_that_began_after_an_unpublish_leaves_the_volume_published() {
    let staged = Staged::new();
    for round in 0..ROUNDS {
        staged.publish().expect("published");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let unpublishing = scope.spawn(|| {
                // Sooner and later in the other's loop.
                thread::sleep(Duration::from_micros(50 * (round % 8)));
                staged.unpublish().expect("unpublished");
                is_over.store(true, Ordering::SeqCst);
            });
            loop {
                let began_after = is_over.load(Ordering::SeqCst);
                let answer = staged.publish();
                if began_after {
                    answer.expect("nobody else works on it");
                    break;
                }
                // Beside the other call it may have come first, or find it at work.
                if let Err(status) = answer {
                    assert_eq!(status.code(), Code::Aborted, "{status:?}");
                }
            }
            unpublishing.join().expect("no panic");
        });
        assert!(staged.is_mounted(), "round {round}: said to be published");
        Node::holds_one_mount(&staged.target());
        staged.stats().expect("there");
        staged.unpublish().expect("unpublished");
        assert!(!staged.target().exists());
    }
    staged.unstage().expect("unstaged");
    staged.node.is_clean();
}

#[test]
fn an_unpublish_that_began_after_every_repeat_leaves_nothing_however_many_there_were() {
    let staged = Staged::new();
    for _ in 0..ROUNDS / 4 {
        staged.publish().expect("published");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        staged.publish().expect("published already");
                        staged.stage().expect("staged already");
                    }
                });
            }
        });
        staged.unpublish().expect("unpublished");
        Node::holds_no_mount(&staged.target());
        refused(staged.stats(), Code::NotFound);
    }
    staged.unstage().expect("unstaged");
    staged.node.is_clean();
}

#[test]
fn a_staging_that_is_asked_for_otherwise_or_is_gone_is_not_taken_for_the_same() {
    let staged = Staged::new();
    staged.stage().expect("staged already");
    let read_only = mounted(Mode::MultiNodeReaderOnly);
    refused(staged.stage_as(read_only), Code::AlreadyExists);
    nix::mount::umount(&staged.staging).expect("mounted");
    staged.stage().expect("anew");
    Node::holds_one_mount(&staged.staging);
    staged.stage().expect("staged already");
    staged.unstage().expect("unstaged");
    staged.node.is_clean();
}
