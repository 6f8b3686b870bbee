//! Calls that are none: messages that cannot be read, paths that lead nowhere. Each gets the status that gRPC has for it,
//! and the connection goes on.

use drivebay_tests::{Csi, Node};
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::codegen::http::{Request, Response};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::refused_callers::connection;

const PROBE: &str = "/csi.v1.Identity/Probe";

/// One connection.
struct Caller {
    runtime: Runtime,
    channel: Channel,
}

impl Caller {
    fn connect(csi: &Csi) -> Self {
        let (runtime, channel) = connection(csi);
        Self { runtime, channel }
    }

    #[track_caller]
    fn send(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Response<Body> {
        let mut request = Request::post(path).header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::new(body.to_owned())).expect("a request");
        let answered = self.runtime.block_on(async {
            std::future::poll_fn(|context| self.channel.poll_ready(context)).await?;
            self.channel.call(request).await
        });
        answered.expect("answered")
    }

    /// A status without a message comes first; where a message does, it went well.
    #[track_caller]
    fn code(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Code {
        let answer = self.send(path, headers, body);
        assert_eq!(answer.status(), 200, "{path} {headers:?} {body:?}");
        Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
    }
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// Without a field: no compression, and a length of nothing.
const EMPTY: &str = "\0\0\0\0\0";

#[test]
fn a_message_that_cannot_be_read_gets_its_status_and_the_next_call_is_answered() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut caller = Caller::connect(&csi);
    let gzip = [GRPC, ("grpc-encoding", "gzip")];
    let brotli = [GRPC, ("grpc-encoding", "br")];
    for (what, headers, body, code) in [
        (
            "no protobuf",
            &[GRPC][..],
            "\0\0\0\0\x01\x7f",
            Code::Internal,
        ),
        (
            "half of it",
            &[GRPC],
            "\0\0\0\0\x05\x0a\x03",
            Code::Internal,
        ),
        ("half of its length", &[GRPC], "\0\0\0", Code::Internal),
        ("none", &[GRPC], "", Code::Internal),
        (
            "as compressed, by nothing",
            &[GRPC],
            "\x01\0\0\0\0",
            Code::Internal,
        ),
        (
            "as compressed, or not",
            &[GRPC],
            "\x02\0\0\0\0",
            Code::Internal,
        ),
        ("compressed", &gzip, "\x01\0\0\0\0", Code::Unimplemented),
        (
            "strangely compressed",
            &brotli,
            "\x01\0\0\0\0",
            Code::Unimplemented,
        ),
        (
            "of 2 GiB, as it says",
            &[GRPC],
            "\0\x7f\x7f\x7f\x7f",
            Code::OutOfRange,
        ),
    ] {
        assert_eq!(caller.code(PROBE, headers, body), code, "{what}");
        assert_eq!(caller.code(PROBE, &[GRPC], EMPTY), Code::Ok, "after {what}");
    }
}

#[test]
fn a_path_that_leads_nowhere_is_unimplemented() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut caller = Caller::connect(&csi);
    for path in [
        "/",
        "//Probe",
        "/csi.v1.Identity",
        "/csi.v1.Identity/",
        "/csi.v1.Identity/probe",
        "/csi.v1.Identity/Probe/",
        "/csi.v1.Identity/Probe/again",
        "/csi.v1.Identity%2FProbe",
        "/csi.v1.Identities/Probe",
        "/grpc.health.v1.Health/Check",
    ] {
        assert_eq!(
            caller.code(path, &[GRPC], EMPTY),
            Code::Unimplemented,
            "{path}"
        );
    }
    assert_eq!(caller.code(PROBE, &[GRPC], EMPTY), Code::Ok);
}

#[test]
fn what_a_caller_says_beside_its_message_is_no_matter_where_nobody_knows_it() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let mut caller = Caller::connect(&csi);
    for more in [
        ("content-type", "application/grpc+proto"),
        ("content-type", "application/json"),
        ("grpc-timeout", "forever"),
        ("grpc-timeout", "123456789S"),
        ("grpc-accept-encoding", "gzip, br"),
        ("user-agent", "somebody/1"),
        ("x-request-id-bin", "AAEC"),
    ] {
        let headers = [GRPC, more];
        let headers = if more.0 == GRPC.0 {
            &headers[1..]
        } else {
            &headers
        };
        assert_eq!(caller.code(PROBE, headers, EMPTY), Code::Ok, "{more:?}");
    }
}
