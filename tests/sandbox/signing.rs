//! Signatures by keys that no guest sees, and that are nowhere afterwards.

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;

use drivebay_tests::{
    Answer, Authority, KeyUse, Node, WebServer, eventually, holds, hostile_node, mount_hostile,
    untold_beneath, using_key,
};

/// RFC 2202's second key, and what it makes of the guest's message.
const SECRET: &str = "Jefe";
const SIGNATURE: &str = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";

/// Grants for a key `access-key` from that source.
fn grants(source: &str) -> String {
    format!(
        r#"
        component = "hostile"
        flexvolume = "drivebay/hostile"
        [grants.mounts]
        [grants.signing.access-key]
        {source}
        "#
    )
}

/// A key in files of the node's own.
fn node_with_files(guest: &drivebay_tests::WatGuest) -> Node {
    let node = Node::empty();
    for (name, content) in [("id", "LTAI4\n"), ("secret", SECRET), ("token", "tok\n")] {
        fs::write(node.path(name), content).expect("writable");
    }
    let file = |name: &str| format!("{name}-file = {:?}\n", node.path(name));
    let token = format!("session-token-file = {:?}", node.path("token"));
    let source = format!("source = \"file\"\n{}{}{token}", file("id"), file("secret"));
    node.add_driver("hostile", &grants(&source));
    node.install(&[&guest.write(node.path("hostile.wasm"))]);
    node
}

#[test]
fn a_guest_gets_signatures_id_and_token_of_a_granted_key() {
    for (key_use, told) in [
        (KeyUse::Sign, SIGNATURE),
        (KeyUse::Id, "LTAI4"),
        (KeyUse::SessionToken, "tok"),
    ] {
        let node = node_with_files(&using_key("access-key", key_use));
        mount_hostile(&node).is(&format!(
            "{{\"status\":\"Failure\",\"message\":\"{told}\"}}"
        ));
    }
}

#[test]
fn a_key_that_is_not_granted_is_denied() {
    let node = node_with_files(&using_key("root-key", KeyUse::Id));
    mount_hostile(&node)
        .fails_with("key \"root-key\" is not granted (grants.signing has [\"access-key\"])");
}

#[test]
fn a_missing_file_is_named() {
    let node = node_with_files(&using_key("access-key", KeyUse::Id));
    fs::remove_file(node.path("secret")).expect("there");
    mount_hostile(&node).fails_with("its secret-file: No such file or directory");
}

#[test]
fn variables_of_the_hosts_own_environment_hold_keys() {
    let source = "source = \"environment\"\nid = \"KEY_ID\"\nsecret = \"KEY_SECRET\"";
    let node = hostile_node(&using_key("access-key", KeyUse::Sign), &grants(source));
    mount_hostile(&node).fails_with("the variable KEY_ID is not set");
    let target = node.pod("web");
    let arguments = ["mount", &*target.to_string_lossy(), "{}"];
    let mut callout = node.callout("drivebay~hostile/hostile", &arguments);
    callout.env("KEY_ID", "LTAI4").env("KEY_SECRET", SECRET);
    Answer::of(&callout.output().expect("the shim runs")).fails_with(SIGNATURE);
}

/// As a cloud answers, with a key that lasts.
fn key() -> String {
    format!(
        r#"{{"Code":"Success","AccessKeyId":"STS.1","AccessKeySecret":"{SECRET}","SecurityToken":"hunter2","Expiration":"2099-01-01T00:00:00Z"}}"#
    )
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A metadata service that gives the key itself while nobody holds the gate.
fn metadata_service(gate: &Arc<Mutex<()>>) -> WebServer {
    let gate = Arc::clone(gate);
    WebServer::plain(move |request, wire| {
        let body = match request.split(' ').nth(1) {
            Some("/token") => "session-1".to_owned(),
            Some("/roles/") => "node-role".to_owned(),
            _ => {
                drop(gate.lock());
                key()
            }
        };
        wire.write_all(ok(&body).as_bytes()).is_ok()
    })
}

fn metadata_grants(server: &WebServer) -> String {
    grants(&format!(
        r#"
        source = "metadata"
        origin = "http://127.0.0.1:{}"
        addresses = ["127.0.0.1"]
        path = "/roles/"
        token = {{ path = "/token", ttl-header = "X-Ttl", header = "X-Token" }}
        fields = {{ id = "AccessKeyId", secret = "AccessKeySecret", session-token = "SecurityToken", expires = "Expiration" }}
        "#,
        server.port()
    ))
}

#[test]
fn a_metadata_service_hands_out_keys() {
    let server = metadata_service(&Arc::default());
    let node = hostile_node(
        &using_key("access-key", KeyUse::Sign),
        &metadata_grants(&server),
    );
    mount_hostile(&node).fails_with(SIGNATURE);
    let heard = server.heard();
    let lines: Vec<&str> = heard
        .iter()
        .filter_map(|text| text.lines().next())
        .collect();
    assert_eq!(
        lines,
        [
            "PUT /token HTTP/1.1",
            "GET /roles/ HTTP/1.1",
            "GET /roles/node-role HTTP/1.1"
        ]
    );
    assert!(heard[0].contains("\nx-ttl: 60\n"), "{}", heard[0]);
    assert!(heard[2].contains("\nx-token: session-1\n"), "{}", heard[2]);
}

#[test]
fn a_token_is_exchanged_for_a_key() {
    let authority = Authority::new();
    let server = WebServer::with_tls(&authority, "localhost", |_, wire| {
        let body = format!(r#"{{"Credentials":{}}}"#, key());
        wire.write_all(ok(&body).as_bytes()).is_ok()
    });
    let node = Node::empty();
    fs::write(node.path("ca.pem"), authority.pem()).expect("writable");
    fs::write(node.path("token"), "eyJ.token\n").expect("writable");
    node.add_driver(
        "hostile",
        &grants(&format!(
            r#"
            source = "oidc"
            origin = "https://localhost:{}"
            addresses = ["127.0.0.1"]
            ca = {:?}
            path = "/"
            query = {{ Action = "AssumeRoleWithOIDC" }}
            form = {{ OIDCToken = "{{token}}" }}
            token-file = {:?}
            fields = {{ id = "Credentials.AccessKeyId", secret = "Credentials.AccessKeySecret", expires = "Credentials.Expiration" }}
            "#,
            server.port(),
            node.path("ca.pem"),
            node.path("token")
        )),
    );
    let guest = using_key("access-key", KeyUse::Sign);
    node.install(&[&guest.write(node.path("hostile.wasm"))]);
    mount_hostile(&node).fails_with(SIGNATURE);
    let heard = server.heard();
    assert!(
        heard[0].starts_with("POST /?Action=AssumeRoleWithOIDC HTTP/1.1\n"),
        "{}",
        heard[0]
    );
    assert!(
        heard[0].ends_with("\n\nOIDCToken=eyJ.token"),
        "{}",
        heard[0]
    );
}

/// The secrets, plain and as a pipe of ours would carry them.
const WORDS: [&str; 5] = [SECRET, "hunter2", "session-1", "SmVmZQ", "aHVudGVyMg"];

fn tells(bytes: &[u8]) -> bool {
    WORDS.iter().any(|word| holds(bytes, word))
}

#[test]
fn a_fetched_key_is_nowhere_meanwhile_and_nowhere_afterwards() {
    let gate = Arc::default();
    let server = metadata_service(&gate);
    let node = hostile_node(
        &using_key("access-key", KeyUse::Id),
        &metadata_grants(&server),
    );
    thread::scope(|scope| {
        let closed = gate.lock();
        let asked = scope.spawn(|| mount_hostile(&node));
        eventually("the last request", || server.heard().len() == 3);
        let workers = node.network_workers();
        assert_eq!(workers.len(), 1, "a session's token is under way");
        for file in ["cmdline", "environ"] {
            let content = fs::read(format!("/proc/{}/{file}", workers[0])).expect("it runs");
            assert!(!tells(&content), "the worker's {file} tells");
        }
        untold_beneath(&node.path(""), &WORDS);
        drop(closed);
        let answer = asked.join().expect("no panic").fails_with("STS.1");
        assert!(!tells(answer.text.as_bytes()), "{}", answer.text);
    });
    untold_beneath(&node.path(""), &WORDS);
    eventually("the worker to end", || node.network_workers().is_empty());
}

#[test]
fn a_key_that_cannot_be_fetched_is_explained_without_the_answer() {
    let server = WebServer::answering(
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 7\r\nx-secret: hunter2\r\n\r\nhunter2",
    );
    let node = hostile_node(
        &using_key("access-key", KeyUse::Id),
        &metadata_grants(&server),
    );
    let answer = mount_hostile(&node).fails_with("answered 403 to PUT \"/token\"");
    assert!(!tells(answer.text.as_bytes()), "{}", answer.text);
    untold_beneath(&node.path(""), &WORDS);
}

#[test]
fn check_shows_where_keys_come_from_and_no_key() {
    let node = node_with_files(&using_key("access-key", KeyUse::Id));
    let output = node.drivebay(&["check"]).output().expect("drivebay runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let line = format!(
        "  key        access-key: file {}\n",
        node.path("secret").display()
    );
    assert!(said.contains(&line), "{said}");
    assert!(!tells(said.as_bytes()), "{said}");
}
