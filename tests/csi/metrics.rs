//! What `drivebay serve` tells of itself: to Prometheus, to whoever types `drivebay status`, and in its log.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{
    self as proto, NodeGetCapabilitiesRequest, NodePublishVolumeRequest,
};
use drivebay_tests::{
    Csi, HOSTILE_GRANTS, Node, SilentServer, WatGuest, eventually, hostile_node, mounted, text,
};
use tonic::Code;

const ANYWHERE: [&str; 2] = ["--metrics-address", "127.0.0.1:0"];

/// Head and body of the answer to one request.
#[track_caller]
fn ask(mut connection: impl Read + Write, request: &str) -> (String, String) {
    connection
        .write_all(format!("{request} HTTP/1.1\r\nHost: drivebay\r\n\r\n").as_bytes())
        .expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
    (head.to_owned(), body.to_owned())
}

#[track_caller]
fn get(address: &str, path: &str) -> (String, String) {
    let connection = TcpStream::connect(address).expect("it listens");
    ask(connection, &format!("GET {path}"))
}

/// All metrics of a process.
#[track_caller]
fn metrics(csi: &Csi) -> String {
    let (head, body) = get(&csi.metrics_address(), "/metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.to_lowercase()
            .contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    body
}

#[track_caller]
fn shows(metrics: &str, line: &str) {
    assert!(
        metrics.lines().any(|found| found == line),
        "{line}\n{metrics}"
    );
}

/// The number behind a series; it has to be there.
#[track_caller]
fn number(metrics: &str, series: &str) -> f64 {
    let mut lines = metrics.lines().filter_map(|line| line.strip_prefix(series));
    let value = lines
        .next()
        .unwrap_or_else(|| panic!("{series}\n{metrics}"));
    value.trim().parse().expect("a number")
}

/// A node with a driver whose guest opens a directory that nobody granted.
fn prying_node() -> Node {
    let guest = WatGuest::named("hostile")
        .core(
            r#"(import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
               (data (i32.const 1024) "etc")"#,
        )
        .stage("(call $open (i32.const 1024) (i32.const 3) (i32.const 64))");
    hostile_node(&guest, &served(HOSTILE_GRANTS))
}

/// A node with a driver whose guest says that its volumes are in place.
fn willing_node() -> Node {
    hostile_node(&WatGuest::named("hostile"), &served(HOSTILE_GRANTS))
}

fn served(grants: &str) -> String {
    let first = "component = \"hostile\"\n";
    grants.replace(
        first,
        &format!("{first}csi-name = \"hostile.drivebay.dev\"\n"),
    )
}

/// For a pod of that name; kubelet makes the parent alone.
fn publishing(node: &Node, pod: &str) -> NodePublishVolumeRequest {
    NodePublishVolumeRequest {
        volume_id: "volume-1".to_owned(),
        target_path: text(&node.pod(pod).join("mount")).to_owned(),
        volume_capability: Some(mounted(Mode::MultiNodeMultiWriter)),
        ..NodePublishVolumeRequest::default()
    }
}

#[test]
fn every_call_counts_by_method_and_code_also_those_of_identity() {
    let node = prying_node();
    let csi = node.serve_with("hostile", &ANYWHERE);
    let probes = number(
        &metrics(&csi),
        "drivebay_rpcs_total{driver=\"hostile\",method=\"Probe\",code=\"OK\"}",
    );
    csi.probe(proto::ProbeRequest {}).expect("alive");
    csi.node_get_capabilities(NodeGetCapabilitiesRequest {})
        .expect("answered");
    let nothing = csi.node_publish_volume(NodePublishVolumeRequest::default());
    assert_eq!(nothing.expect_err("refused").code(), Code::InvalidArgument);
    let pool = csi.get_capacity(proto::GetCapacityRequest::default());
    assert_eq!(pool.expect_err("refused").code(), Code::Unimplemented);
    let metrics = metrics(&csi);
    let rpcs = |method: &str, code: &str| {
        let labels = format!("driver=\"hostile\",method=\"{method}\",code=\"{code}\"");
        number(&metrics, &format!("drivebay_rpcs_total{{{labels}}}"))
    };
    assert!(rpcs("Probe", "OK") > probes);
    assert!((rpcs("NodeGetCapabilities", "OK") - 1.0).abs() < 0.5);
    assert!((rpcs("NodePublishVolume", "InvalidArgument") - 1.0).abs() < 0.5);
    assert!((rpcs("GetCapacity", "Unimplemented") - 1.0).abs() < 0.5);
    for line in [
        "drivebay_rpc_duration_seconds_count{driver=\"hostile\",method=\"NodePublishVolume\"} 1",
        "drivebay_rpc_duration_seconds_bucket{le=\"+Inf\",driver=\"hostile\",method=\"NodePublishVolume\"} 1",
        "drivebay_rpcs_in_flight{driver=\"hostile\"} 0",
    ] {
        shows(&metrics, line);
    }
    let info = "drivebay_component_info{driver=\"hostile\",component=\"hostile\",version=\"1.0.0\",sha256=\"";
    assert!(metrics.contains(info), "{metrics}");
}

#[test]
fn what_became_of_delivered_versions_is_counted_when_somebody_asks() {
    let node = willing_node();
    let csi = node.serve_with("hostile", &ANYWHERE);
    let loaded = "drivebay_component_loaded_info{driver=\"hostile\",version=\"1.0.0\",sha256=\"";
    assert!(!metrics(&csi).contains(loaded), "no call came yet");
    let _ = csi.node_publish_volume(publishing(&node, "web"));
    assert!(metrics(&csi).contains(loaded), "{}", metrics(&csi));

    let source = node.path("source");
    fs::create_dir(&source).expect("writable");
    let take_up = || {
        let arguments = ["install", "--components-from", text(&source)];
        let output = node.drivebay(&arguments).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
    };
    for version in ["1.0.0", "2.0.0"] {
        let guest = WatGuest::named("hostile").version(version);
        guest.write(source.join("hostile.wasm"));
        take_up();
    }
    let rollback = node.drivebay(&["rollback", "hostile"]).output();
    assert!(rollback.expect("it runs").status.success());
    fs::write(source.join("hostile.wasm"), "no component").expect("writable");
    take_up();
    let metrics = metrics(&csi);
    for line in [
        "drivebay_component_rejected{driver=\"hostile\"} 1",
        "drivebay_component_held{driver=\"hostile\"} 0",
        "drivebay_component_refused{driver=\"hostile\",step=\"check\"} 1",
    ] {
        shows(&metrics, line);
    }
    assert!(
        !metrics.contains("drivebay_component_pending{"),
        "{metrics}"
    );
}

#[test]
fn what_a_guest_was_refused_and_how_long_it_ran_counts_for_its_driver_alone() {
    let node = prying_node();
    node.add_driver("local", &node.local_grants());
    node.install(&[&drivebay_tests::guest("local")]);
    let beside = node.path("csi/local.sock");
    let endpoint = format!("unix://{}", beside.display());
    let more = ["--driver", "local", "--endpoint", &endpoint];
    let csi = node.serve_with("hostile", &[&ANYWHERE[..], &more].concat());
    for _ in 0..2 {
        let refused = csi.node_publish_volume(publishing(&node, "web"));
        assert_eq!(refused.expect_err("refused").code(), Code::PermissionDenied);
    }
    let metrics = metrics(&csi);
    let series = |name: &str, driver: &str, more: &str| {
        number(
            &metrics,
            &format!("drivebay_{name}{{driver=\"{driver}\"{more}}}"),
        )
    };
    for (driver, refusals) in [("hostile", 2.0), ("local", 0.0)] {
        let mounts = series("refusals_total", driver, ",capability=\"mounts\"");
        assert!((mounts - refusals).abs() < 0.5, "{driver}: {mounts}");
        let files = series("refusals_total", driver, ",capability=\"files\"");
        assert!(files.abs() < 0.5, "{driver}: {files}");
    }
    assert!(series("guest_seconds_total", "hostile", "") > 0.0);
    assert!(series("guest_seconds_total", "local", "").abs() < f64::EPSILON);
    // Making the target is a worker's.
    assert!(series("host_seconds_total", "hostile", "") > 0.0);
}

#[test]
fn no_volume_and_no_path_becomes_a_label() {
    let node = willing_node();
    let csi = node.serve_with("hostile", &ANYWHERE);
    let series = |metrics: &str| {
        let names = metrics.lines().filter_map(|line| line.rsplit_once(' '));
        names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    let publish = |pod: &str| {
        let mut request = publishing(&node, pod);
        request.volume_id = format!("volume-of-{pod}");
        let _ = csi.node_publish_volume(request);
        series(&metrics(&csi))
    };
    let before = publish("one");
    assert_eq!(publish("two"), before);
    assert!(!before.concat().contains("volume-of"), "{before:?}");
}

#[test]
fn a_worker_that_is_killed_at_the_deadline_counts() {
    let server = SilentServer::start();
    let node = Node::with_nfs("1s");
    let csi = node.serve_with("nfs", &ANYWHERE);
    let context = [
        ("server", "127.0.0.1".to_owned()),
        ("share", "/export".to_owned()),
        ("mountOptions", server.port_option()),
    ];
    let mut request = publishing(&node, "web");
    request.volume_context = context
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let timed_out = csi.node_publish_volume(request);
    assert_eq!(timed_out.expect_err("silent").code(), Code::Unavailable);
    let metrics = metrics(&csi);
    shows(
        &metrics,
        "drivebay_workers_killed_total{driver=\"nfs\",reason=\"deadline\"} 1",
    );
    shows(
        &metrics,
        "drivebay_workers_killed_total{driver=\"nfs\",reason=\"stuck\"} 0",
    );
    // The second that the worker was waited for is the host's.
    let host = number(&metrics, "drivebay_host_seconds_total{driver=\"nfs\"}");
    let guest = number(&metrics, "drivebay_guest_seconds_total{driver=\"nfs\"}");
    assert!(host > guest, "host {host}, guest {guest}");
}

#[test]
fn an_address_that_is_taken_is_an_error_that_says_so() {
    let node = willing_node();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let endpoint = format!("unix://{}", node.path("csi.sock").display());
    let mut serve = node.drivebay(&["serve", "--driver", "hostile", "--endpoint", &endpoint]);
    let output = serve.args(["--metrics-address", &address]).output();
    let output = output.expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&format!("cannot serve metrics at {address}")),
        "{said}"
    );
    assert!(said.contains("in use"), "{said}");
    assert!(!node.path("csi.sock").exists());
    assert!(sockets(&node).is_empty());
}

#[test]
fn readiness_is_what_probe_says_and_names_the_driver_and_liveness_is_another_question() {
    let node = willing_node();
    let csi = node.serve_with("hostile", &ANYWHERE);
    let (head, body) = get(&csi.metrics_address(), "/readyz");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(body, "ok\n");
    fs::remove_file(node.path("state/components/hostile.wasm")).expect("installed");
    let (head, body) = get(&csi.metrics_address(), "/readyz");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(body.starts_with("hostile: not ready: "), "{body}");
    // A restart would bring no component.
    for live in ["/livez", "/healthz"] {
        let (head, body) = get(&csi.metrics_address(), live);
        assert!(head.starts_with("HTTP/1.1 200 "), "{live}: {head}");
        assert_eq!(body, "ok\n");
    }
    let ready = csi.probe(proto::ProbeRequest {}).expect("alive").ready;
    assert_eq!(ready, Some(false));
    let (head, _) = ask(
        TcpStream::connect(csi.metrics_address()).expect("it listens"),
        "DELETE /metrics",
    );
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
}

/// What `drivebay status` said, and whether it ended well.
#[track_caller]
fn status(node: &Node) -> (String, bool) {
    let Output {
        status,
        stdout,
        stderr,
    } = node.drivebay(&["status"]).output().expect("it runs");
    let said = [stdout, stderr].concat();
    assert!(matches!(status.code(), Some(0 | 1)), "{status:?}");
    (String::from_utf8(said).expect("text"), status.success())
}

fn sockets(node: &Node) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(node.path("run/serve")) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "sock")
        })
        .collect()
}

#[test]
fn status_shows_what_a_process_did_without_any_address() {
    let node = prying_node();
    let csi = node.serve("hostile");
    let refused = csi.node_publish_volume(publishing(&node, "web"));
    assert_eq!(refused.expect_err("refused").code(), Code::PermissionDenied);
    let (said, ended_well) = status(&node);
    assert!(ended_well, "{said}");
    let process = csi.process();
    let first = format!("\nhostile (process {process}): component hostile 1.0.0 (sha256 ");
    assert!(said.contains(&first), "{said}");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = said.lines().map(words).collect();
    for line in ["calls in flight 0", "workers killed 0", "denied mounts 1"] {
        assert!(lines.iter().any(|found| found == line), "{line}\n{said}");
    }
    let publish = lines
        .iter()
        .find(|line| line.starts_with("NodePublishVolume 1 "))
        .unwrap_or_else(|| panic!("{said}"));
    assert!(publish.ends_with(" PermissionDenied 1"), "{said}");
    assert!(csi.stop());
}

#[test]
fn status_of_a_machine_where_nobody_serves_says_so_and_shows_its_drivers() {
    let node = willing_node();
    let nobody = |node: &Node| {
        let (said, ended_well) = status(node);
        assert!(ended_well, "{said}");
        assert!(said.contains("driver hostile: ready\n"), "{said}");
        assert!(said.contains("no process serves drivers here"), "{said}");
    };
    nobody(&node);
    let csi = node.serve("hostile");
    assert_eq!(sockets(&node).len(), 1);
    assert!(csi.stop());
    assert!(sockets(&node).is_empty(), "it left its socket");
    nobody(&node);
}

#[test]
fn what_a_killed_process_left_is_passed_over_and_removed() {
    let node = willing_node();
    let killed = node.serve("hostile");
    killed.kill();
    assert_eq!(sockets(&node).len(), 1, "killed, it left its socket");
    let csi = node.serve("hostile");
    assert_eq!(sockets(&node).len(), 1, "the next one cleaned up");
    let (said, ended_well) = status(&node);
    assert!(ended_well, "{said}");
    assert!(
        said.contains(&format!("process {}", csi.process())),
        "{said}"
    );
    drop(csi);
    let (said, _) = status(&node);
    assert!(said.contains("no process serves drivers here"), "{said}");
    assert!(sockets(&node).is_empty());
}

#[test]
fn the_socket_for_status_is_roots_alone_and_answers_as_the_address_does() {
    let node = willing_node();
    let csi = node.serve("hostile");
    let socket = sockets(&node).pop().expect("one");
    for path in [&node.path("run/serve"), &socket] {
        let mode = fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    let (head, body) = ask(UnixStream::connect(&socket).expect("alive"), "GET /metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    drop(csi);
}

#[test]
fn a_stranger_who_says_nothing_keeps_nobody_from_asking() {
    let node = willing_node();
    let csi = node.serve_with("hostile", &ANYWHERE);
    let address = csi.metrics_address();
    let silent = TcpStream::connect(&address).expect("it listens");
    let (head, _) = get(&address, "/metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    silent
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("possible");
    let closed = (&silent).read(&mut [0; 64]);
    assert!(matches!(closed, Ok(0)), "still open: {closed:?}");
}

/// Connections that ask nothing: some say nothing at all, some say a little.
fn strangers(address: &str, count: usize) -> Vec<TcpStream> {
    let connect = |number: usize| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let begun = [&b""[..], b"GET /healthz HT"][number % 2];
        stream.write_all(begun).expect("sent");
        stream.set_nonblocking(true).expect("possible");
        stream
    };
    (0..count).map(connect).collect()
}

fn is_open(mut stream: &TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn health_is_told_while_strangers_say_nothing_or_a_little_at_a_time() {
    let node = willing_node();
    let csi = node.serve_with("hostile", &ANYWHERE);
    let address = csi.metrics_address();
    // More than are let in at once: the oldest have to go, and nobody waits for their time to be up.
    for count in [16, 200] {
        let strangers = strangers(&address, count);
        let (head, body) = get(&address, "/livez");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(body, "ok\n");
        let open = strangers
            .iter()
            .rev()
            .take(16)
            .filter(|stream| is_open(stream));
        assert_eq!(
            open.count(),
            16,
            "of {count}, health was told after they had gone"
        );
    }
}

#[test]
fn one_who_says_a_little_at_a_time_is_not_listened_to_for_ever() {
    let node = willing_node();
    let csi = node.serve_with("hostile", &ANYWHERE);
    let mut slow = TcpStream::connect(csi.metrics_address()).expect("it listens");
    slow.write_all(b"GET /healthz HTTP/1.1\r\nX: ")
        .expect("sent");
    slow.set_nonblocking(true).expect("possible");
    eventually("the end of a request that never ends", || {
        slow.write_all(b"x").is_err() || !is_open(&slow)
    });
}

const SECRET: &str = "correct-horse-battery-staple";

/// The lines of a call's span.
fn of_calls(csi: &Csi) -> Vec<String> {
    let log = csi.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("NodePublishVolume"));
    lines.map(str::to_owned).collect()
}

#[test]
fn at_the_most_talkative_level_every_line_says_whose_it_is_and_none_a_secret() {
    for node in [prying_node(), willing_node()] {
        let csi = node.serve_with("hostile", &["--v=10"]);
        let mut request = publishing(&node, "web");
        request.secrets = [("password".to_owned(), SECRET.to_owned())].into();
        let _ = csi.node_publish_volume(request.clone());
        // Refused before any work.
        request.target_path = "relative".to_owned();
        assert!(csi.node_publish_volume(request).is_err());
        eventually("the calls to be logged", || of_calls(&csi).len() >= 2);
        for line in of_calls(&csi) {
            for field in [
                "rpc=\"NodePublishVolume\"",
                "request.id=",
                "driver.name=\"hostile\"",
                "component.version=\"1.0.0\"",
                "volume.id=\"volume-1\"",
            ] {
                assert!(line.contains(field), "{field}: {line}");
                assert_eq!(line.matches(field).count(), 1, "twice {field}: {line}");
            }
        }
        assert!(!csi.log().contains(SECRET), "{}", csi.log());
        drivebay_tests::untold_beneath(&node.path(""), &[SECRET]);
    }
}

#[test]
fn a_call_that_succeeds_is_logged_without_its_secrets() {
    let node = Node::with_local("volume-1");
    let csi = node.serve_with("local", &["-v", "4"]);
    let secrets = [("password".to_owned(), SECRET.to_owned())];
    let staging = node.pod("staging");
    csi.node_stage_volume(proto::NodeStageVolumeRequest {
        volume_id: "volume-1".to_owned(),
        staging_target_path: text(&staging).to_owned(),
        volume_capability: Some(mounted(Mode::MultiNodeMultiWriter)),
        secrets: secrets.clone().into(),
        ..proto::NodeStageVolumeRequest::default()
    })
    .expect("staged");
    let mut request = publishing(&node, "web");
    request.staging_target_path = text(&staging).to_owned();
    request.secrets = secrets.into();
    csi.node_publish_volume(request).expect("published");
    eventually("the call to be logged", || {
        of_calls(&csi).iter().any(|line| line.ends_with(" done"))
    });
    assert!(!csi.log().contains(SECRET), "{}", csi.log());
}

#[test]
fn at_quiet_levels_a_line_still_says_whose_it_is() {
    let node = prying_node();
    let csi = node.serve_with("hostile", &["--log-level", "warn"]);
    let refused = csi.node_publish_volume(publishing(&node, "web"));
    assert!(refused.is_err());
    eventually("the refusal to be logged", || of_calls(&csi).len() >= 2);
    assert!(!csi.log().contains(" INFO "), "{}", csi.log());
    for line in of_calls(&csi) {
        let names_all = [
            "request.id=",
            "component.version=\"1.0.0\"",
            "volume.id=\"volume-1\"",
        ]
        .into_iter()
        .all(|field| line.contains(field));
        assert!(names_all, "{line}");
    }
}
