//! CSI's callers: `drivebay serve` as a process, dialled over its socket.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::runtime::{self, Runtime};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::csi_proto::controller_client::ControllerClient;
use crate::csi_proto::group_controller_client::GroupControllerClient;
use crate::csi_proto::identity_client::IdentityClient;
use crate::csi_proto::node_client::NodeClient;
use crate::csi_proto::{self as proto, volume_capability};
use crate::{Node, PATIENCE, eventually, repository, send, text};

/// A running `drivebay serve` with one driver, and a connection to it. Ended when dropped.
#[derive(Debug)]
pub struct Csi {
    process: Mutex<Child>,
    arguments: Vec<String>,
    socket: PathBuf,
    log: PathBuf,
    runtime: Runtime,
    channel: Channel,
}

impl Node {
    /// `drivebay serve` for that driver.
    #[track_caller]
    pub fn serve(&self, driver: &str) -> Csi {
        self.serve_with(driver, &[])
    }

    /// The same with more arguments.
    #[track_caller]
    pub fn serve_with(&self, driver: &str, arguments: &[&str]) -> Csi {
        let csi = self.begin_to_serve(driver, arguments);
        csi.answers();
        csi
    }

    /// The same, not waited for: a driver without a component is not ready.
    #[track_caller]
    pub fn begin_to_serve(&self, driver: &str, arguments: &[&str]) -> Csi {
        let socket = self.path("csi").join(format!("{driver}.sock"));
        fs::create_dir_all(socket.parent().expect("a directory")).expect("writable");
        let endpoint = format!("unix://{}", socket.display());
        let arguments = [&["--endpoint", &endpoint], arguments].concat();
        self.begin_to_serve_at(socket.clone(), driver, &arguments)
    }

    /// The same where a kubelet has its directory, with which the driver registers itself.
    #[track_caller]
    pub fn begin_to_serve_at_kubelet(
        &self,
        driver: &str,
        csi_name: &str,
        arguments: &[&str],
    ) -> Csi {
        let root = self.path("kubelet");
        fs::create_dir_all(&root).expect("writable");
        let socket = root.join("plugins").join(csi_name).join("csi.sock");
        let arguments = [&["--kubelet-root", text(&root)], arguments].concat();
        self.begin_to_serve_at(socket, driver, &arguments)
    }

    fn begin_to_serve_at(&self, socket: PathBuf, driver: &str, arguments: &[&str]) -> Csi {
        let log = self.path(&format!("serve-{driver}.log"));
        let mut all = vec!["serve", "--driver", driver];
        all.extend(arguments);
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        let process = self.start_serving(&all, &log);
        Csi::connect(process, all, socket, log)
    }

    /// The same by a command that lacks only the endpoint and these arguments.
    #[track_caller]
    pub fn begin_to_serve_by(&self, mut command: Command, driver: &str, arguments: &[&str]) -> Csi {
        let socket = self.path("csi").join(format!("{driver}.sock"));
        fs::create_dir_all(socket.parent().expect("a directory")).expect("writable");
        let log = self.path(&format!("serve-{driver}.log"));
        let stderr = File::options().create(true).append(true).open(&log);
        command
            .args(["--endpoint", &format!("unix://{}", socket.display())])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(stderr.expect("writable"));
        let process = command.spawn().expect("it runs");
        Csi::connect(process, Vec::new(), socket, log)
    }

    /// Another process with the same arguments, which takes over from that one.
    #[track_caller]
    pub fn serve_instead(&self, old: &Csi) -> Csi {
        let (before, log) = (old.inode(), old.log.with_extension("next.log"));
        let process = self.start_serving(&old.arguments, &log);
        let (arguments, socket) = (old.arguments.clone(), old.socket.clone());
        eventually("the next one to take over", || old.inode() != before);
        let csi = Csi::connect(process, arguments, socket, log);
        csi.answers();
        csi
    }

    fn start_serving(&self, arguments: &[String], log: &Path) -> Child {
        let stderr = File::options().create(true).append(true).open(log);
        self.drivebay(&[])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(stderr.expect("writable"))
            .spawn()
            .expect("drivebay runs")
    }
}

macro_rules! rpcs {
    ($($client:ident $name:ident $request:ident $response:ident;)*) => {
        impl Csi {$(
            /// The call of that name.
            pub fn $name(&self, message: proto::$request) -> Result<proto::$response, Status> {
                let mut client = $client::new(self.channel.clone());
                let answer = self.runtime.block_on(client.$name(message));
                answer.map(tonic::Response::into_inner)
            }
        )*}
    };
}

rpcs! {
    IdentityClient get_plugin_info GetPluginInfoRequest GetPluginInfoResponse;
    IdentityClient get_plugin_capabilities GetPluginCapabilitiesRequest GetPluginCapabilitiesResponse;
    IdentityClient probe ProbeRequest ProbeResponse;
    ControllerClient create_volume CreateVolumeRequest CreateVolumeResponse;
    ControllerClient delete_volume DeleteVolumeRequest DeleteVolumeResponse;
    ControllerClient controller_publish_volume ControllerPublishVolumeRequest ControllerPublishVolumeResponse;
    ControllerClient controller_unpublish_volume ControllerUnpublishVolumeRequest ControllerUnpublishVolumeResponse;
    ControllerClient validate_volume_capabilities ValidateVolumeCapabilitiesRequest ValidateVolumeCapabilitiesResponse;
    ControllerClient list_volumes ListVolumesRequest ListVolumesResponse;
    ControllerClient get_capacity GetCapacityRequest GetCapacityResponse;
    ControllerClient controller_get_capabilities ControllerGetCapabilitiesRequest ControllerGetCapabilitiesResponse;
    ControllerClient create_snapshot CreateSnapshotRequest CreateSnapshotResponse;
    ControllerClient delete_snapshot DeleteSnapshotRequest DeleteSnapshotResponse;
    ControllerClient list_snapshots ListSnapshotsRequest ListSnapshotsResponse;
    ControllerClient get_snapshot GetSnapshotRequest GetSnapshotResponse;
    ControllerClient controller_expand_volume ControllerExpandVolumeRequest ControllerExpandVolumeResponse;
    ControllerClient controller_get_volume ControllerGetVolumeRequest ControllerGetVolumeResponse;
    ControllerClient controller_modify_volume ControllerModifyVolumeRequest ControllerModifyVolumeResponse;
    ControllerClient controller_get_volume_health ControllerGetVolumeHealthRequest ControllerGetVolumeHealthResponse;
    ControllerClient controller_list_volume_health ControllerListVolumeHealthRequest ControllerListVolumeHealthResponse;
    GroupControllerClient group_controller_get_capabilities GroupControllerGetCapabilitiesRequest GroupControllerGetCapabilitiesResponse;
    GroupControllerClient create_volume_group_snapshot CreateVolumeGroupSnapshotRequest CreateVolumeGroupSnapshotResponse;
    GroupControllerClient delete_volume_group_snapshot DeleteVolumeGroupSnapshotRequest DeleteVolumeGroupSnapshotResponse;
    GroupControllerClient get_volume_group_snapshot GetVolumeGroupSnapshotRequest GetVolumeGroupSnapshotResponse;
    NodeClient node_stage_volume NodeStageVolumeRequest NodeStageVolumeResponse;
    NodeClient node_unstage_volume NodeUnstageVolumeRequest NodeUnstageVolumeResponse;
    NodeClient node_publish_volume NodePublishVolumeRequest NodePublishVolumeResponse;
    NodeClient node_unpublish_volume NodeUnpublishVolumeRequest NodeUnpublishVolumeResponse;
    NodeClient node_get_volume_stats NodeGetVolumeStatsRequest NodeGetVolumeStatsResponse;
    NodeClient node_expand_volume NodeExpandVolumeRequest NodeExpandVolumeResponse;
    NodeClient node_get_capabilities NodeGetCapabilitiesRequest NodeGetCapabilitiesResponse;
    NodeClient node_get_info NodeGetInfoRequest NodeGetInfoResponse;
    NodeClient node_get_volume_health NodeGetVolumeHealthRequest NodeGetVolumeHealthResponse;
    NodeClient node_get_storage_health NodeGetStorageHealthRequest NodeGetStorageHealthResponse;
}

impl Csi {
    #[track_caller]
    fn connect(process: Child, arguments: Vec<String>, socket: PathBuf, log: PathBuf) -> Self {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        let _entered = runtime.enter();
        let channel = Endpoint::from_shared(format!("unix://{}", socket.display()))
            .expect("a socket")
            .connect_lazy();
        drop(_entered);
        Self {
            process: Mutex::new(process),
            arguments,
            socket,
            log,
            runtime,
            channel,
        }
    }

    /// Waits until it does.
    #[track_caller]
    pub fn answers(&self) {
        eventually("drivebay serve to answer", || {
            self.probe(proto::ProbeRequest {}).is_ok()
        });
    }

    /// `NodePublishVolume` by a caller that waits no longer than that.
    pub fn node_publish_volume_within(
        &self,
        patience: Duration,
        message: proto::NodePublishVolumeRequest,
    ) -> Result<proto::NodePublishVolumeResponse, Status> {
        let mut request = Request::new(message);
        request.set_timeout(patience);
        let mut client = NodeClient::new(self.channel.clone());
        let answer = self.runtime.block_on(client.node_publish_volume(request));
        answer.map(tonic::Response::into_inner)
    }

    /// `NodeGetVolumeStats` by a caller that waits no longer than that.
    pub fn node_get_volume_stats_within(
        &self,
        patience: Duration,
        message: proto::NodeGetVolumeStatsRequest,
    ) -> Result<proto::NodeGetVolumeStatsResponse, Status> {
        let mut request = Request::new(message);
        request.set_timeout(patience);
        let mut client = NodeClient::new(self.channel.clone());
        let answer = self.runtime.block_on(client.node_get_volume_stats(request));
        answer.map(tonic::Response::into_inner)
    }

    /// `NodeGetVolumeHealth` by a caller that waits no longer than that.
    pub fn node_get_volume_health_within(
        &self,
        patience: Duration,
        message: proto::NodeGetVolumeHealthRequest,
    ) -> Result<proto::NodeGetVolumeHealthResponse, Status> {
        let mut request = Request::new(message);
        request.set_timeout(patience);
        let mut client = NodeClient::new(self.channel.clone());
        let answer = self
            .runtime
            .block_on(client.node_get_volume_health(request));
        answer.map(tonic::Response::into_inner)
    }

    /// What the CSI sidecars ask at their start, by the library they are made of; what it printed.
    #[track_caller]
    pub fn sidecars(&self) -> String {
        let output = sidecar_calls(&self.socket);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its process.
    pub fn process(&self) -> Pid {
        Pid::from_raw(self.child().id().cast_signed())
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.process.lock().expect("no test panicked meanwhile")
    }

    /// Where it tells its figures over TCP, from its log: it may choose the port.
    #[track_caller]
    pub fn metrics_address(&self) -> String {
        let log = self.log();
        let mut lines = log.lines();
        let line = lines
            .find(|line| line.contains("metrics at /metrics"))
            .unwrap_or_else(|| panic!("{log}"));
        let (_, rest) = line.split_once("address=").expect("it says where");
        rest.split(' ').next().expect("an address").to_owned()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to stop and waits until it has; whether it ended well.
    pub fn stop(&self) -> bool {
        send(self.process(), Signal::SIGTERM);
        self.child().wait().is_ok_and(|status| status.success())
    }

    /// Starts another one with the same arguments, and stops this one when that has taken over; whether this one ended
    /// well.
    #[track_caller]
    pub fn replace(&self, node: &Node) -> bool {
        let before = self.inode();
        let next = node.start_serving(&self.arguments, &self.log);
        let mut old = std::mem::replace(&mut *self.child(), next);
        eventually("the next one to take over", || self.inode() != before);
        send(Pid::from_raw(old.id().cast_signed()), Signal::SIGTERM);
        old.wait().is_ok_and(|status| status.success())
    }

    /// Which socket its name leads to. The name has to be there.
    #[track_caller]
    fn inode(&self) -> u64 {
        fs::symlink_metadata(&self.socket)
            .expect("the name is never missing")
            .ino()
    }

    /// Kills it without a warning.
    pub fn kill(&self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Starts it again with the same arguments, after it ended.
    pub fn start_again(&self, node: &Node) {
        *self.child() = node.start_serving(&self.arguments, &self.log);
    }

    /// A call that is repeated until it succeeds, as CSI's callers do.
    #[track_caller]
    pub fn at_last<T>(what: &str, mut call: impl FnMut() -> Result<T, Status>) -> T {
        let until = Instant::now() + 4 * PATIENCE;
        loop {
            match call() {
                Ok(answer) => return answer,
                Err(status) => assert!(Instant::now() < until, "{what}: {status:?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether what a sidecar asks at its start is answered at that socket.
pub fn is_answered_at(socket: &Path) -> bool {
    sidecar_calls(socket).status.success()
}

fn sidecar_calls(socket: &Path) -> Output {
    let program = repository().join("target/dist/tests/csi-callers");
    Node::run(text(&program), &["--csi-address", text(socket)])
}

impl Drop for Csi {
    fn drop(&mut self) {
        if let Ok(child) = self.process.get_mut()
            && matches!(child.try_wait(), Ok(None))
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A directory with the backend's own filesystem, used in that mode.
pub fn mounted(mode: volume_capability::access_mode::Mode) -> proto::VolumeCapability {
    mounted_as("", mode)
}

/// The same with a filesystem of that type.
pub fn mounted_as(
    fs_type: &str,
    mode: volume_capability::access_mode::Mode,
) -> proto::VolumeCapability {
    let mount = volume_capability::MountVolume {
        fs_type: fs_type.to_owned(),
        ..volume_capability::MountVolume::default()
    };
    capability(volume_capability::AccessType::Mount(mount), mode)
}

/// A raw device, used in that mode.
pub fn raw(mode: volume_capability::access_mode::Mode) -> proto::VolumeCapability {
    let block = volume_capability::AccessType::Block(volume_capability::BlockVolume {});
    capability(block, mode)
}

fn capability(
    kind: volume_capability::AccessType,
    mode: volume_capability::access_mode::Mode,
) -> proto::VolumeCapability {
    proto::VolumeCapability {
        access_mode: Some(volume_capability::AccessMode { mode: mode.into() }),
        access_type: Some(kind),
    }
}
