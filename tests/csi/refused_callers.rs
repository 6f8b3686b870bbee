//! Callers that are refused before their call begins get little more than a closed stream. The log says once for
//! each kind what was refused, and what helps.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use drivebay_tests::csi_proto::identity_client::IdentityClient;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, ProbeRequest, ProbeResponse};
use drivebay_tests::{Csi, Node, mounted, repository, text};
use tokio::runtime::{self, Runtime};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

/// What every line about such a caller says.
const REFUSED: &str = "refused before";

/// Lines of the log that tell of a refusal.
fn told(csi: &Csi) -> Vec<String> {
    let log = csi.log();
    let lines = log.lines().filter(|line| line.contains(REFUSED));
    lines.map(str::to_owned).collect()
}

#[track_caller]
fn tells_once(csi: &Csi, words: &[&str]) {
    let told = told(csi);
    assert_eq!(told.len(), 1, "{told:#?}");
    for words in words {
        assert!(told[0].contains(words), "{words:?} is not in {}", told[0]);
    }
}

/// Somebody else's gRPC, written with its defaults for a Unix socket.
struct Caller {
    program: &'static str,
    arguments: &'static [&'static str],
}

/// kubelet's up to Kubernetes 1.22, and up to 1.25; and one that is made today.
const CALLERS: [Caller; 3] = [
    Caller {
        program: "target/dist/tests/grpc-1.38",
        arguments: &[],
    },
    Caller {
        program: "target/dist/tests/grpc-1.47",
        arguments: &[],
    },
    Caller {
        program: "target/grpc/venv/bin/python",
        arguments: &["tests/csi/python/probe.py"],
    },
];

impl Caller {
    /// The status that it got for `Probe`, in its own words.
    #[track_caller]
    fn probe(&self, csi: &Csi, authority: &[&str]) -> String {
        let path = |relative: &str| repository().join(relative);
        let program = path(self.program);
        assert!(
            program.exists(),
            "{} is missing; `cargo xtask test --only outside` makes it",
            program.display()
        );
        let scripts: Vec<PathBuf> = self.arguments.iter().map(|it| path(it)).collect();
        let mut arguments: Vec<&str> = scripts.iter().map(|script| text(script)).collect();
        arguments.push(text(csi.socket()));
        arguments.extend(authority);
        let output = Node::run(text(&program), &arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn who_sends_the_sockets_path_as_authority_is_refused_and_the_log_says_once_what_to_send() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    for caller in &CALLERS {
        for _ in 0..2 {
            let refusal = caller.probe(&csi, &[]);
            assert!(refusal.to_lowercase().starts_with("internal"), "{refusal}");
        }
        let answer = caller.probe(&csi, &["localhost"]);
        assert!(answer.starts_with("OK"), "{answer}");
    }
    tells_once(
        &csi,
        &["grpc.default_authority", "localhost", text(csi.socket())],
    );
}

#[test]
fn what_is_no_http_2_is_told_once() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let http_1 = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // What every TLS connection begins with.
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and a random number of 32 bytes";
    for first_words in [&http_1[..], &tls[..], &http_1[..]] {
        let mut stream = UnixStream::connect(csi.socket()).expect("it listens");
        stream.write_all(first_words).expect("written");
        let mut answer = Vec::new();
        // Closed in either way.
        let _ = stream.read_to_end(&mut answer);
    }
    tells_once(&csi, &["does not speak HTTP/2", "TLS"]);
    assert!(csi.probe(ProbeRequest {}).is_ok());
}

/// A connection beside the one that [`Csi`] has.
pub(crate) fn connection(csi: &Csi) -> (Runtime, Channel) {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads");
    let endpoint = Endpoint::from_shared(format!("unix://{}", csi.socket().display()));
    let connected = runtime.block_on(endpoint.expect("a socket").connect());
    (runtime, connected.expect("it listens"))
}

#[test]
fn metadata_that_is_too_large_is_told_once() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let (runtime, channel) = connection(&csi);
    for _ in 0..2 {
        let mut request = Request::new(ProbeRequest {});
        let value = MetadataValue::try_from("x".repeat(64 << 10)).expect("letters");
        request.metadata_mut().insert("x-long", value);
        let answer = runtime.block_on(IdentityClient::new(channel.clone()).probe(request));
        answer.expect_err("too large");
    }
    tells_once(&csi, &["more metadata than a server takes"]);
}

#[test]
fn a_message_that_is_too_large_is_told_once_for_its_method() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    for _ in 0..2 {
        let request = proto::CreateVolumeRequest {
            name: "x".repeat(5 << 20),
            ..proto::CreateVolumeRequest::default()
        };
        let refusal = csi.create_volume(request).expect_err("too large");
        assert_eq!(refusal.code(), Code::OutOfRange, "{refusal:?}");
    }
    tells_once(&csi, &["CreateVolume", "message length too large"]);
}

#[test]
fn a_method_that_nobody_here_has_is_told_once() {
    let node = Node::with_local("v1");
    let csi = node.serve_with("local", &["--mode", "node"]);
    let (runtime, channel) = connection(&csi);
    for _ in 0..2 {
        let answer: Result<_, Status> = runtime.block_on(async {
            let mut caller = Grpc::new(channel.clone());
            caller.ready().await.expect("connected");
            let codec = ProstCodec::<ProbeRequest, ProbeResponse>::default();
            let path = PathAndQuery::from_static("/csi.v0.Identity/Probe");
            caller
                .unary(Request::new(ProbeRequest {}), path, codec)
                .await
        });
        assert_eq!(answer.expect_err("unknown").code(), Code::Unimplemented);
    }
    tells_once(
        &csi,
        &["/csi.v0.Identity/Probe", "no such method is served here"],
    );
    let request = proto::CreateVolumeRequest {
        name: "pvc-1".to_owned(),
        volume_capabilities: vec![mounted(Mode::SingleNodeWriter)],
        ..proto::CreateVolumeRequest::default()
    };
    let refusal = csi.create_volume(request).expect_err("not on a node");
    assert_eq!(refusal.code(), Code::Unimplemented);
    let told = told(&csi);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told[1].contains("CreateVolume") && told[1].contains("--mode"),
        "{}",
        told[1]
    );
}

#[test]
fn a_call_that_reaches_its_service_is_no_such_refusal() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    csi.probe(ProbeRequest {}).expect("answered");
    let refusal = csi.create_volume(proto::CreateVolumeRequest::default());
    assert_eq!(refusal.expect_err("no name").code(), Code::InvalidArgument);
    assert_eq!(told(&csi), Vec::<String>::new());
}
