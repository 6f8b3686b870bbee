//! The host's program is replaced by the next one while callers go on: none of them notices.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use drivebay_tests::csi_proto::identity_client::IdentityClient;
use drivebay_tests::csi_proto::node_client::NodeClient;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, ProbeRequest};
use drivebay_tests::{Csi, CsiVolume, Node, eventually, is_answered_at, mounted, repository, text};
use tokio::runtime::{self, Runtime};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

const CALLERS: usize = 16;
const REPLACEMENTS: usize = 10;

/// Enough for a program to connect, and to make thousands of calls.
const BETWEEN: Duration = Duration::from_millis(200);

/// How callers connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connections {
    /// As the sidecars do.
    PerCaller,
    /// As a sidecar does that has several workers.
    Shared,
    /// As kubelet does.
    PerCall,
}

/// A socket with callers that do not pause.
#[derive(Debug)]
struct Traffic {
    runtime: Runtime,
    socket: PathBuf,
    connections: Connections,
    shared: Channel,
    /// How many rounds each caller has made.
    rounds: [AtomicU64; CALLERS],
    failed: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// What one caller asks for, in each round.
#[derive(Debug)]
struct Requests {
    publish: proto::NodePublishVolumeRequest,
    stats: proto::NodeGetVolumeStatsRequest,
    unpublish: proto::NodeUnpublishVolumeRequest,
}

impl Traffic {
    fn to(socket: &Path, connections: Connections) -> Self {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads");
        let shared = {
            let _entered = runtime.enter();
            endpoint(socket).connect_lazy()
        };
        Self {
            runtime,
            socket: socket.to_owned(),
            connections,
            shared,
            rounds: [const { AtomicU64::new(0) }; CALLERS],
            failed: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Until it is over: published, looked at, published again, taken away.
    fn make(&self, caller: usize, requests: &Requests) {
        let own = match self.connections {
            Connections::Shared => self.shared.clone(),
            Connections::PerCaller | Connections::PerCall => {
                let _entered = self.runtime.enter();
                endpoint(&self.socket).connect_lazy()
            }
        };
        while !self.is_over.load(Ordering::Relaxed) {
            let Requests {
                publish,
                stats,
                unpublish,
            } = requests;
            self.call(&own, |channel| async {
                let mut client = NodeClient::new(channel);
                client.node_publish_volume(publish.clone()).await
            });
            self.call(&own, |channel| async {
                let mut client = NodeClient::new(channel);
                client.node_get_volume_stats(stats.clone()).await
            });
            self.call(&own, |channel| async {
                let mut client = NodeClient::new(channel);
                client.node_publish_volume(publish.clone()).await
            });
            self.call(&own, |channel| async {
                IdentityClient::new(channel).probe(ProbeRequest {}).await
            });
            self.call(&own, |channel| async {
                let mut client = NodeClient::new(channel);
                client.node_unpublish_volume(unpublish.clone()).await
            });
            self.rounds[caller].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn call<T, F: Future<Output = Result<T, Status>>>(
        &self,
        own: &Channel,
        call: impl Fn(Channel) -> F,
    ) {
        let attempt = async || {
            let channel = match self.connections {
                Connections::PerCall => endpoint(&self.socket).connect().await,
                Connections::PerCaller | Connections::Shared => Ok(own.clone()),
            };
            match channel {
                Ok(channel) => call(channel).await.map(drop),
                Err(error) => Err(Status::unavailable(format!("refused: {error:?}"))),
            }
        };
        let answer = self.runtime.block_on(async {
            loop {
                match attempt().await {
                    Err(status) if was_not_begun(&status) => {}
                    answer => return answer,
                }
            }
        });
        if let Err(status) = answer {
            let said = format!("{status:?}");
            self.failed.lock().expect("nobody panicked").push(said);
        }
    }

    /// Waits until each caller has begun a round since, and ended it.
    #[track_caller]
    fn goes_on(&self) {
        let rounds = || {
            self.rounds
                .each_ref()
                .map(|made| made.load(Ordering::Relaxed))
        };
        let before = rounds();
        eventually("each caller to be answered", || {
            let mut made = rounds().into_iter().zip(before);
            made.all(|(now, before)| now >= before + 2)
        });
    }
}

/// A connection that is told to go away takes no more requests. Those that it has not sent, or that came too late for
/// the server to begin them, gRPC sends by the next connection ("transparent retry"), as gRPC for Go does; tonic gives
/// them back.
fn was_not_begun(status: &Status) -> bool {
    let said = format!("{status:?}");
    let reasons = [
        "hyper::Error(Canceled, \"connection closed\")",
        "hyper::Error(Canceled, \"connection was not ready\")",
        "GoAway(b\"\", NO_ERROR, Remote)",
    ];
    reasons.iter().any(|reason| said.contains(reason))
}

fn endpoint(socket: &Path) -> Endpoint {
    Endpoint::from_shared(format!("unix://{}", text(socket))).expect("a socket")
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("readable").flatten();
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(name).collect()
}

fn directory(csi: &Csi) -> &Path {
    csi.socket().parent().expect("a directory")
}

/// A volume for each caller, staged.
fn volumes<'a>(csi: &'a Csi, node: &'a Node) -> Vec<CsiVolume<'a>> {
    let volume = |number: usize| {
        let id = format!("v{number}");
        fs::create_dir_all(node.path("pool").join(&id)).expect("writable");
        let known = proto::Volume {
            volume_id: id,
            ..proto::Volume::default()
        };
        let volume = CsiVolume::existing(csi, node, known, mounted(Mode::MultiNodeMultiWriter));
        volume.stage().expect("staged");
        volume
    };
    (0..CALLERS).map(volume).collect()
}

fn requests(volume: &CsiVolume<'_>) -> Requests {
    let pod = format!("with-{}", volume.id);
    let target = text(&volume.target(&pod)).to_owned();
    Requests {
        publish: volume.publishing(&pod),
        stats: proto::NodeGetVolumeStatsRequest {
            volume_id: volume.id.clone(),
            volume_path: target.clone(),
            ..proto::NodeGetVolumeStatsRequest::default()
        },
        unpublish: proto::NodeUnpublishVolumeRequest {
            volume_id: volume.id.clone(),
            target_path: target,
        },
    }
}

#[track_caller]
fn nobody_notices(connections: Connections) {
    let node = Node::with_local("v0");
    let csi = node.serve("local");
    let volumes = volumes(&csi, &node);
    let traffic = Traffic::to(csi.socket(), connections);
    thread::scope(|scope| {
        for (caller, volume) in volumes.iter().enumerate() {
            let requests = requests(volume);
            let traffic = &traffic;
            scope.spawn(move || traffic.make(caller, &requests));
        }
        for _ in 0..REPLACEMENTS {
            traffic.goes_on();
            assert!(csi.replace(&node), "{}", csi.log());
            assert_eq!(names_in(directory(&csi)), ["local.sock"]);
        }
        traffic.goes_on();
        traffic.is_over.store(true, Ordering::Relaxed);
    });
    let failed = traffic.failed.into_inner().expect("nobody panicked");
    assert_eq!(failed, Vec::<String>::new());
    for volume in &volumes {
        volume.unstage().expect("unstaged");
    }
    assert!(csi.stop(), "{}", csi.log());
    assert_eq!(names_in(directory(&csi)), Vec::<String>::new());
    node.is_clean();
}

#[test]
fn callers_with_a_connection_each_do_not_notice_that_the_host_is_replaced() {
    nobody_notices(Connections::PerCaller);
}

#[test]
fn callers_who_share_a_connection_do_not_notice_that_the_host_is_replaced() {
    nobody_notices(Connections::Shared);
}

#[test]
fn callers_who_connect_for_each_call_do_not_notice_that_the_host_is_replaced() {
    nobody_notices(Connections::PerCall);
}

/// By gRPC for Go, with the library that the CSI project's sidecars are made of.
#[test]
fn a_sidecar_with_many_workers_does_not_notice_that_the_host_is_replaced() {
    let node = Node::with_local("v0");
    let csi = node.serve("local");
    let program = repository().join("target/dist/tests/csi-callers");
    let callers = CALLERS.to_string();
    let arguments = ["--csi-address", text(csi.socket()), "--workers", &callers];
    let mut sidecar = node.command(&program);
    let sidecar = sidecar.args(arguments).stdin(Stdio::piped());
    let mut sidecar = sidecar.spawn().expect("it runs");
    for _ in 0..REPLACEMENTS {
        thread::sleep(BETWEEN);
        assert!(csi.replace(&node), "{}", csi.log());
    }
    thread::sleep(BETWEEN);
    // It calls until its input ends.
    drop(sidecar.stdin.take());
    let output = sidecar.wait_with_output().expect("it ended");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaint}");
    assert!(said.contains("connections lost 10\n"), "{said}{complaint}");
}

#[test]
fn a_process_that_was_replaced_keeps_its_callers_until_it_is_stopped() {
    let node = Node::with_local("v0");
    let old = node.serve("local");
    let next = node.serve_instead(&old);
    assert_eq!(names_in(directory(&old)), ["local.sock"]);
    old.probe(ProbeRequest {}).expect("its caller is answered");
    let socket = || fs::metadata(old.socket()).expect("there").ino();
    let nexts = socket();
    assert!(old.stop(), "{}", old.log());
    assert_eq!(socket(), nexts, "it removed the socket of another process");
    next.probe(ProbeRequest {}).expect("answered");
    assert!(next.stop(), "{}", next.log());
    assert_eq!(names_in(directory(&old)), Vec::<String>::new());
}

#[test]
fn a_process_whose_successor_went_is_called_again() {
    let node = Node::with_local("v0");
    let old = node.serve("local");
    let call = || is_answered_at(old.socket());
    let ends: [fn(&Csi); 2] = [|next| assert!(next.stop(), "{}", next.log()), Csi::kill];
    for end in ends {
        let next = node.serve_instead(&old);
        end(&next);
        eventually("the socket to lead to somebody", call);
        assert_eq!(names_in(directory(&old)), ["local.sock"]);
    }
    assert!(old.stop(), "{}", old.log());
    assert_eq!(names_in(directory(&old)), Vec::<String>::new());
}

#[test]
fn what_is_not_a_socket_is_not_taken_over() {
    let node = Node::with_local("v0");
    let file = node.path("csi.sock");
    fs::write(&file, "precious").expect("writable");
    let endpoint = format!("unix://{}", text(&file));
    let mut serve = node.drivebay(&["serve", "--driver", "local", "--endpoint", &endpoint]);
    let output = serve.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("cannot listen at") && said.contains("not a socket"),
        "{said}"
    );
    assert_eq!(fs::read(&file).expect("still there"), b"precious");
}

#[test]
fn one_process_takes_no_socket_twice() {
    let node = Node::with_local("v0");
    let endpoint = format!("unix://{}", text(&node.path("csi.sock")));
    let twice = ["--driver", "local", "--endpoint", &endpoint].repeat(2);
    let output = node.drivebay(&["serve"]).args(twice).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("given twice"),
        "{said}"
    );
    assert!(!node.path("csi.sock").exists());
}

#[test]
fn one_driver_is_served_at_two_sockets_by_two_processes() {
    let node = Node::with_local("v0");
    let one = node.serve("local");
    let other = node.path("csi/other.sock");
    let endpoint = format!("unix://{}", text(&other));
    let mut serve = node.drivebay(&["serve", "--driver", "local", "--endpoint", &endpoint]);
    let mut serve = serve.spawn().expect("it runs");
    eventually("the other to listen", || is_answered_at(&other));
    one.probe(ProbeRequest {}).expect("answered");
    assert!(one.stop(), "{}", one.log());
    assert!(is_answered_at(&other));
    let _ = serve.kill();
    let _ = serve.wait();
}

#[test]
fn the_address_for_metrics_goes_to_the_next_process_when_the_old_one_has_ended() {
    let node = Node::with_local("v0");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let address = free.expect("a port").to_string();
    let csi = node.serve_with("local", &["--metrics-address", &address]);
    let is_well = || {
        let mut answer = String::new();
        let asked = TcpStream::connect(&address).and_then(|mut connection| {
            connection.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
            connection.read_to_string(&mut answer)
        });
        asked.is_ok() && answer.starts_with("HTTP/1.0 200")
    };
    assert!(is_well(), "{}", csi.log());
    assert!(csi.replace(&node), "{}", csi.log());
    eventually("the next one to serve metrics", is_well);
}
