//! What a driver can do to the network: one granted origin, at addresses that were checked, within bounds.
//!
//! Real sockets and real TLS: shim, worker and server are processes and threads of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use drivebay_tests::{
    Answer, Authority, Node, SilentServer, WebServer, Wire, asking, eventually, hostile_node,
    is_nobody, mount_hostile, send,
};
use nix::sys::signal::Signal;

const GET: &str = "GET";
const POST: &str = "POST";

/// Grants for an endpoint `api`, with more keys as the test wants them.
fn grants(origin: &str, more: &str) -> String {
    format!(
        r#"
        component = "hostile"
        flexvolume = "drivebay/hostile"
        [grants.mounts]
        [grants.https.api]
        origin = "{origin}"
        methods = ["GET"]
        paths = ["/", "/v1/**"]
        {more}
        "#
    )
}

const LOOPBACK: &str = "addresses = [\"127.0.0.0/8\"]\n";

/// Asks for `/v1/x` there, and says what came of it. Nothing of it may go on afterwards.
#[track_caller]
fn ask(origin: &str, more: &str) -> Answer {
    let node = hostile_node(&asking("api", GET, "/v1/x"), &grants(origin, more));
    ask_on(&node)
}

#[track_caller]
fn ask_on(node: &Node) -> Answer {
    let answer = mount_hostile(node);
    eventually("the worker to end", || node.network_workers().is_empty());
    answer
}

fn plain(server: &WebServer) -> String {
    format!("http://127.0.0.1:{}", server.port())
}

fn well(_request: &str, wire: &mut dyn Wire) -> bool {
    wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell")
        .is_ok()
}

/// A node whose endpoint has this origin and trusts this authority.
fn trusting(authority: &Authority, origin: &str) -> Node {
    let node = Node::empty();
    let ca = node.path("ca.pem");
    fs::write(&ca, authority.pem()).expect("writable");
    fs::set_permissions(&ca, fs::Permissions::from_mode(0o644)).expect("ours");
    let more = format!("{LOOPBACK}ca = {ca:?}\n");
    node.add_driver("hostile", &grants(origin, &more));
    let guest = asking("api", GET, "/v1/x");
    node.install(&[&guest.write(node.path("hostile.wasm"))]);
    node
}

#[test]
fn a_granted_endpoint_with_a_granted_ca_is_asked() {
    let authority = Authority::new();
    let server = WebServer::with_tls(&authority, "localhost", well);
    let node = trusting(&authority, &format!("https://localhost:{}", server.port()));
    ask_on(&node).fails_with("answer 200: well");
    let agent = concat!("user-agent: drivebay/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        server.heard(),
        [format!(
            "GET /v1/x HTTP/1.1\nhost: localhost:{}\n{agent}\n\n",
            server.port()
        )]
    );
}

#[test]
fn a_certificate_of_an_address_is_good_for_that_address() {
    let authority = Authority::new();
    let server = WebServer::with_tls(&authority, "127.0.0.1", well);
    let node = trusting(&authority, &format!("https://127.0.0.1:{}", server.port()));
    ask_on(&node).fails_with("answer 200: well");
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let server = WebServer::with_tls(&Authority::new(), "localhost", well);
    let origin = format!("https://localhost:{}", server.port());
    ask(&origin, LOOPBACK).fails_with("certificate is not to be trusted");
    let node = trusting(&Authority::new(), &origin);
    ask_on(&node).fails_with("name its CA in the grant's ca");
    assert_eq!(server.heard(), Vec::<String>::new());
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    let authority = Authority::new();
    let server = WebServer::with_tls(&authority, "other.example.com", well);
    let node = trusting(&authority, &format!("https://localhost:{}", server.port()));
    ask_on(&node).fails_with("certificate is not to be trusted");
    assert_eq!(server.heard(), Vec::<String>::new());
}

#[test]
fn a_ca_that_others_can_write_is_not_used() {
    let authority = Authority::new();
    let server = WebServer::with_tls(&authority, "localhost", well);
    let node = trusting(&authority, &format!("https://localhost:{}", server.port()));
    let ca = node.path("ca.pem");
    fs::set_permissions(&ca, fs::Permissions::from_mode(0o666)).expect("ours");
    ask_on(&node).fails_with("which the grant names as ca: its mode 0666 lets others write it");
}

#[test]
fn a_server_without_tls_is_no_https_server() {
    let server = WebServer::plain(well);
    ask(&format!("https://127.0.0.1:{}", server.port()), LOOPBACK).fails_with("https://127.0.0.1:");
    assert!(server.heard().is_empty());
}

#[test]
fn a_redirect_is_an_answer() {
    let elsewhere = WebServer::plain(well);
    let location = plain(&elsewhere);
    let server = WebServer::answering(&format!(
        "HTTP/1.1 302 Found\r\nlocation: {location}/v1/y\r\ncontent-length: 4\r\n\r\nmove"
    ));
    ask(&plain(&server), LOOPBACK).fails_with("answer 302: move");
    assert_eq!(elsewhere.heard(), Vec::<String>::new());
    assert_eq!(server.heard().len(), 1);
}

#[test]
fn addresses_of_this_node_and_its_networks_are_refused_without_a_grant() {
    let server = WebServer::plain(well);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let origin = format!("http://{host}:{}", server.port());
        ask(&origin, "").fails_with("(loopback) is not granted (grants.https.api.addresses = [])");
    }
    for (host, kind) in [
        ("10.0.0.1", "private"),
        ("192.168.1.1", "private"),
        ("169.254.1.1", "link-local"),
        ("[fd00::1]", "unique local"),
        ("0.0.0.0", "unspecified"),
    ] {
        ask(&format!("http://{host}"), "").fails_with(&format!("({kind}) is not granted"));
    }
    assert_eq!(server.heard(), Vec::<String>::new());
    ask(&plain(&server), LOOPBACK).fails_with("answer 200: well");
}

#[test]
fn a_metadata_service_has_to_be_granted_by_its_exact_address() {
    let wide = "addresses = [\"100.64.0.0/10\", \"169.254.0.0/16\"]\ntimeout = \"300ms\"\n";
    for address in ["100.100.100.200", "169.254.169.254"] {
        let origin = format!("http://{address}");
        ask(&origin, wide).fails_with("a metadata service, which has to be named exactly");
        let exact = format!("addresses = [\"{address}\"]\ntimeout = \"300ms\"\n");
        let answer = ask(&origin, &exact);
        // Nobody is there, or somebody is: it was asked.
        assert!(!answer.message().contains("not granted"), "{}", answer.text);
    }
}

#[test]
fn other_methods_paths_and_endpoints_are_denied() {
    let server = WebServer::plain(well);
    for (guest, refusal) in [
        (
            asking("api", POST, "/v1/x"),
            "method POST at endpoint \\\"api\\\" is not granted (grants.https.api.methods = [\\\"GET\\\"])",
        ),
        (
            asking("api", GET, "/v2"),
            "path \\\"/v2\\\" at endpoint \\\"api\\\" is not granted (grants.https.api.paths = [\\\"/\\\", \\\"/v1/**\\\"])",
        ),
        (
            asking("api", GET, "/v1/../v2"),
            "it holds . or .. as a segment",
        ),
        (
            asking("api", GET, "/v1/%2e%2e/v2"),
            "it holds . or .. as a segment",
        ),
        (
            asking("api", GET, "/v1/%c0%ae%c0%ae/v2"),
            "it holds encoded bytes that are not UTF-8",
        ),
        (
            asking("api", GET, "/v1/%ef%bc%8e%ef%bc%8e/v2"),
            "it holds . or .. as a segment, or what can be read as one",
        ),
        (
            asking("sts", GET, "/"),
            "endpoint \\\"sts\\\" is not granted (grants.https has [\\\"api\\\"])",
        ),
    ] {
        let node = hostile_node(&guest, &grants(&plain(&server), LOOPBACK));
        let refusal = refusal.replace('\\', "");
        ask_on(&node).fails_with(&refusal);
    }
    assert_eq!(server.heard(), Vec::<String>::new());
}

/// Ended by the worker's own clock, or, on a busy machine, by ours.
#[track_caller]
fn ends_in_time(answer: &Answer) {
    assert_eq!(answer.status(), "Failure", "{}", answer.text);
    let said = answer.message();
    let own = said.contains("no whole answer in time (timeout of the grant)");
    assert!(
        own || said.contains("did not end within the deadline"),
        "{said}"
    );
}

/// Goes on for as long as anybody listens.
fn for_ever(wire: &mut dyn Wire, text: &[u8], pause: Duration) -> bool {
    while wire.write_all(text).and_then(|()| wire.flush()).is_ok() {
        thread::sleep(pause);
    }
    false
}

#[test]
fn servers_that_are_slow_end_at_the_timeout() {
    let more = format!("{LOOPBACK}timeout = \"1s\"\n");
    for begin in [
        "",
        "HTTP/1.1 200 OK\r\nx: ",
        "HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n",
    ] {
        let server = WebServer::plain(move |_, wire| {
            let _ = wire.write_all(begin.as_bytes());
            match begin.is_empty() {
                true => thread::sleep(Duration::from_secs(20)),
                false => drop(for_ever(wire, b"x", Duration::from_millis(50))),
            }
            false
        });
        ends_in_time(&ask(&plain(&server), &more));
    }
}

#[test]
fn a_server_that_takes_no_connection_ends_at_the_timeout_too() {
    let server = SilentServer::start();
    let origin = format!("https://127.0.0.1:{}", server.port());
    ends_in_time(&ask(&origin, &format!("{LOOPBACK}timeout = \"1s\"\n")));
}

#[test]
fn the_calls_deadline_ends_a_request_whose_own_is_later() {
    let server = WebServer::plain(|_, _| {
        thread::sleep(Duration::from_secs(20));
        false
    });
    let text = grants(&plain(&server), LOOPBACK) + "[limits]\ndeadline = \"1s\"\n";
    let node = hostile_node(&asking("api", GET, "/"), &text);
    let answer = ask_on(&node);
    answer.fails_with("(endpoint api) did not end within the deadline");
}

#[test]
fn a_worker_that_stands_still_is_killed() {
    let server = WebServer::plain(|_, _| {
        thread::sleep(Duration::from_secs(20));
        false
    });
    let more = format!("{LOOPBACK}timeout = \"2s\"\n");
    let node = hostile_node(&asking("api", GET, "/"), &grants(&plain(&server), &more));
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask_on(&node));
        eventually("the request", || !server.heard().is_empty());
        for worker in node.network_workers() {
            send(worker, Signal::SIGSTOP);
        }
        let answer = asked.join().expect("no panic");
        answer.fails_with("did not end within the deadline");
    });
}

#[test]
fn answers_that_are_too_large_are_cut_off() {
    let more = format!("{LOOPBACK}max-response = \"4KiB\"\n");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let known = "HTTP/1.1 200 OK\r\ncontent-length: 4294967296\r\n\r\n";
    for (begin, text, reason) in [
        (
            chunked,
            "5\r\nxxxxx\r\n",
            "the answer is larger than 4096 bytes",
        ),
        (
            known,
            "xxxxxxxxxxxxxx",
            "the answer is larger than 4096 bytes",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n",
            "xxxxxxxxxx",
            "the answer is larger than 4096 bytes",
        ),
        (
            "HTTP/1.1 200 OK\r\nx: ",
            "xxxxxxxxxx",
            "the answer's headers are larger than 65536 bytes",
        ),
    ] {
        let text = text.repeat(1000);
        let server = WebServer::plain(move |_, wire| {
            let _ = wire.write_all(begin.as_bytes());
            for_ever(wire, text.as_bytes(), Duration::ZERO)
        });
        ask(&plain(&server), &more).fails_with(reason);
    }
}

#[test]
fn what_is_no_answer_is_told_from_one() {
    for (text, reason) in [
        ("", "the connection ended before the answer did"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            "the connection ended before the answer did",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "the server's answer is not HTTP"),
    ] {
        let server = WebServer::plain(move |_, wire| {
            let _ = wire.write_all(text.as_bytes());
            false
        });
        ask(&plain(&server), LOOPBACK).fails_with(reason);
    }
}

#[test]
fn proxies_of_the_environment_are_not_used() {
    let (server, proxy) = (WebServer::plain(well), WebServer::plain(well));
    let node = hostile_node(&asking("api", GET, "/"), &grants(&plain(&server), LOOPBACK));
    let target = node.pod("web");
    let mut callout = node.callout(
        "drivebay~hostile/hostile",
        &["mount", &target.to_string_lossy(), "{}"],
    );
    for variable in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
    ] {
        callout.env(variable, plain(&proxy));
    }
    Answer::of(&callout.output().expect("the shim runs")).fails_with("answer 200: well");
    assert_eq!(proxy.heard(), Vec::<String>::new());
}

#[test]
fn whoever_speaks_to_the_network_is_nobody() {
    let server = WebServer::plain(|_, _| {
        thread::sleep(Duration::from_secs(20));
        false
    });
    let more = format!("{LOOPBACK}timeout = \"3s\"\n");
    let node = hostile_node(&asking("api", GET, "/"), &grants(&plain(&server), &more));
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask_on(&node));
        eventually("the request", || !server.heard().is_empty());
        let workers = node.network_workers();
        assert_eq!(workers.len(), 1);
        is_nobody(workers[0]);
        ends_in_time(&asked.join().expect("no panic"));
    });
}

#[test]
fn requests_are_counted_over_all_call_outs() {
    let server = WebServer::plain(well);
    let more = format!("{LOOPBACK}rate = 3\n");
    let node = hostile_node(&asking("api", GET, "/"), &grants(&plain(&server), &more));
    let mut answers = Vec::new();
    // The minute can end in between, but not twice.
    for _ in 0..7 {
        answers.push(ask_on(&node));
        if answers.len() > 3
            && !answers
                .last()
                .expect("one")
                .message()
                .contains("answer 200")
        {
            break;
        }
    }
    let last = answers.pop().expect("one");
    last.fails_with("requests to endpoint api this minute (grants.https.api.rate)");
    assert!(answers.len() >= 3);
    for answer in answers {
        answer.fails_with("answer 200: well");
    }
}

#[test]
fn without_the_program_that_speaks_to_the_network_the_answer_says_so() {
    let server = WebServer::plain(well);
    let node = hostile_node(&asking("api", GET, "/"), &grants(&plain(&server), LOOPBACK));
    fs::remove_file(node.path("state/bin/drivebay")).expect("installed");
    ask_on(&node).fails_with("which makes requests to the network; run `drivebay install`");
}

#[test]
fn check_shows_where_a_driver_may_go() {
    let node = hostile_node(
        &asking("api", GET, "/"),
        &grants("https://api.example.com", LOOPBACK),
    );
    let output = node.drivebay(&["check"]).output().expect("drivebay runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let line =
        "  endpoint   api: GET https://api.example.com / /v1/** (public addresses, 127.0.0.0/8)\n";
    assert!(said.contains(line), "{said}");
}
