//! Callers that mount and unmount volumes all the while something else happens, and never see a failure.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Answer, Csi, Node, csi_proto as proto, mounted, options, text};

use crate::site::{SHIM, Site};

/// Ends the callers, also when a test fails meanwhile.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Site {
    /// Does something while so many callers go on; each of their calls has to succeed. How many calls there were.
    #[track_caller]
    pub(crate) fn under_calls(&self, callers: usize, work: impl FnOnce()) -> usize {
        let is_over = AtomicBool::new(false);
        let (calls, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for number in 0..callers {
                let (is_over, calls, failed) = (&is_over, &calls, &failed);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        match self.round(number) {
                            Ok(made) => calls.fetch_add(made, Ordering::Relaxed),
                            Err(why) => {
                                failed.lock().expect("no caller panics").push(why);
                                return;
                            }
                        };
                    }
                });
            }
            let _over = Over(&is_over);
            work();
        });
        let failed = failed.into_inner().expect("no caller panicked");
        let made = calls.into_inner();
        assert!(failed.is_empty(), "after {made} calls: {failed:#?}");
        assert!(made > 0, "nobody called");
        made
    }

    /// One caller's volume mounted and unmounted: by the shim, and through CSI by every other where there is a `serve`.
    /// How many calls that were.
    fn round(&self, number: usize) -> Result<usize, String> {
        let volume = format!("volume-{number}");
        match self.csi() {
            Some(csi) if number % 2 == 1 => by_csi(csi, &self.node, &volume),
            Some(_) | None => by_shim(&self.node, &volume),
        }?;
        Ok(2)
    }
}

fn by_shim(node: &Node, volume: &str) -> Result<(), String> {
    let target = node.pod(volume);
    let json = options(volume, &[]);
    call(node, &["mount", text(&target), &json])?;
    call(node, &["unmount", text(&target)])
}

fn call(node: &Node, arguments: &[&str]) -> Result<(), String> {
    let output = node.callout(SHIM, arguments).output();
    let answer = Answer::of(&output.expect("the shim runs"));
    match answer.status() {
        "Success" => Ok(()),
        _ => Err(format!("{arguments:?}: {}", answer.text)),
    }
}

fn by_csi(csi: &Csi, node: &Node, volume: &str) -> Result<(), String> {
    let target = publish(csi, node, volume)?;
    unpublish(csi, &target, volume)
}

/// A pod's mount through CSI; where it is.
pub(crate) fn publish(csi: &Csi, node: &Node, volume: &str) -> Result<PathBuf, String> {
    let target = node.pod("csi").join(volume);
    let publish = proto::NodePublishVolumeRequest {
        volume_id: volume.to_owned(),
        target_path: text(&target).to_owned(),
        volume_capability: Some(mounted(Mode::SingleNodeWriter)),
        ..proto::NodePublishVolumeRequest::default()
    };
    let published = csi.node_publish_volume(publish);
    published.map_err(|status| format!("publish {volume}: {status:?}"))?;
    Ok(target)
}

pub(crate) fn unpublish(csi: &Csi, target: &Path, volume: &str) -> Result<(), String> {
    let unpublish = proto::NodeUnpublishVolumeRequest {
        volume_id: volume.to_owned(),
        target_path: text(target).to_owned(),
    };
    let unpublished = csi.node_unpublish_volume(unpublish);
    unpublished.map_err(|status| format!("unpublish {volume}: {status:?}"))?;
    Ok(())
}
