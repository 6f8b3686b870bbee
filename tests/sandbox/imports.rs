//! What a component asks for decides whether it loads: its imports are the request, grants are the permission.
//!
//! One that wants more than it was granted does not load, and the answer has the line to add; what is no
//! component of this contract does not even get into the store. Who brings WASI finds it empty.

use std::fs;

use drivebay_tests::{Answer, HOSTILE_GRANTS, Node, WatGuest, dist, hostile_node, mount_hostile};

/// What `drivebay install` says against a file that does not get into the store.
#[track_caller]
fn refusal_of(component: &[u8]) -> String {
    let node = Node::empty();
    let file = node.path("hostile.wasm");
    fs::write(&file, component).expect("writable");
    let output = node
        .drivebay(&["install", &file.to_string_lossy()])
        .output()
        .expect("drivebay runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        !node.path("state/components/hostile.wasm").exists(),
        "it is in the store"
    );
    assert!(
        !node.path("state/compiled").exists(),
        "something was compiled for it"
    );
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// Imports `signing`, which cannot be granted by accident: the file has no such table.
fn signer() -> WatGuest {
    WatGuest::named("hostile").imports("signing").core(
        r#"(import "drivebay:driver/signing@0.1.0" "sha256" (func $sha256 (param i32 i32 i32)))"#,
    )
}

#[test]
fn importing_more_than_granted_fails_with_the_line_to_add() {
    let node = hostile_node(&signer(), HOSTILE_GRANTS);
    mount_hostile(&node).is(
        r#"{"status":"Failure","message":"component \"hostile\" cannot serve driver hostile: it imports signing, which is not granted; if it may, add [grants.signing.NAME] to the driver's grants file"}"#,
    );
    let check = node.drivebay(&["check"]).output().expect("drivebay runs");
    assert_eq!(check.status.code(), Some(1));
    let said = String::from_utf8(check.stdout).expect("UTF-8");
    assert!(
        said.contains("problem    it imports signing, which is not granted"),
        "{said}"
    );
}

const A_SECRET: &str = "[grants.secrets.password]\nmount-options = [\"password\"]\n";

/// Imports `secret-mounts`, and with it the types of what it joins.
fn secret_mounter() -> WatGuest {
    WatGuest::named("hostile").imports("secret-mounts").core(
        r#"(import "drivebay:driver/secret-mounts@0.1.0" "mount-remote" (func $mount (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#,
    )
}

#[test]
fn a_guest_that_could_hand_a_secret_to_a_mount_needs_both_grants() {
    let lacks_secrets = "it imports secrets, which is not granted; if it may, add [grants.secrets.NAME] to the driver's grants file";
    mount_hostile(&hostile_node(&secret_mounter(), HOSTILE_GRANTS)).fails_with(lacks_secrets);
    let both = format!("{HOSTILE_GRANTS}{A_SECRET}");
    mount_hostile(&hostile_node(&secret_mounter(), &both)).fails_with("nothing is mounted at");
}

#[test]
fn a_guest_that_opens_secrets_needs_a_grant_and_one_that_mounts_without_needs_none() {
    let opens = WatGuest::named("hostile").imports("secrets").core(
        r#"(import "drivebay:driver/secrets@0.1.0" "open-secret" (func $open (param i32 i32 i32)))"#,
    );
    mount_hostile(&hostile_node(&opens, HOSTILE_GRANTS)).fails_with(
        "it imports secrets, which is not granted; if it may, add [grants.secrets.NAME] to the driver's grants file",
    );
    let mounts = WatGuest::named("hostile").imports("mounts").core(
        r#"(import "drivebay:driver/mounts@0.1.0" "[method]target.mount-remote" (func $mount (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#,
    );
    mount_hostile(&hostile_node(&mounts, HOSTILE_GRANTS)).fails_with("nothing is mounted at");
}

#[test]
fn without_any_grant_even_mounting_is_refused() {
    let node = hostile_node(
        &WatGuest::named("hostile"),
        "component = \"hostile\"\nflexvolume = \"drivebay/hostile\"\n",
    );
    mount_hostile(&node).fails_with("it imports mounts, which is not granted; if it may, add [grants.mounts] to the driver's grants file");
}

#[test]
fn an_import_nobody_offers_is_named() {
    let guest = WatGuest::named("hostile")
        .imports_foreign(
            "package acme:fs@1.0.0 { interface raw { format: func(); } }",
            "acme:fs/raw@1.0.0",
        )
        .core(r#"(import "acme:fs/raw@1.0.0" "format" (func $format))"#);
    let refusal = refusal_of(&guest.component());
    assert!(
        refusal.contains("it imports acme:fs/raw@1.0.0, which this host does not offer"),
        "{refusal}"
    );
}

#[test]
fn another_version_of_the_contract_is_refused_with_both_versions() {
    let refusal = refusal_of(&WatGuest::named("hostile").contract("0.2.0").component());
    assert!(
        refusal.contains("@0.2.0; this host speaks drivebay:driver 0.1.0: rebuild the component"),
        "{refusal}"
    );
    let exports_only = WatGuest::named("hostile")
        .exports("identity")
        .contract("0.2.0");
    let refusal = refusal_of(&exports_only.component());
    assert!(
        refusal.contains(
            "it uses drivebay:driver/identity@0.2.0; this host speaks drivebay:driver 0.1.0"
        ),
        "{refusal}"
    );
}

#[test]
fn a_component_that_does_not_say_who_it_is_is_refused() {
    let refusal = refusal_of(&WatGuest::named("hostile").exports("node").component());
    assert!(
        refusal.contains("it does not export drivebay:driver/identity@0.1.0"),
        "{refusal}"
    );
}

#[test]
fn what_is_no_component_is_refused() {
    let component = WatGuest::named("hostile").component();
    let (truncated, _) = component.split_at(component.len() / 2);
    let module = wat::parse_str("(module)").expect("a module");
    for (what, file) in [
        ("nothing", &b""[..]),
        ("text", b"#!/bin/sh\n"),
        ("a core module", &module),
        ("half a component", truncated),
        (
            "a program",
            &fs::read(dist("drivebay-shim")).expect("readable"),
        ),
    ] {
        let refusal = refusal_of(file);
        assert!(
            refusal.contains("hostile.wasm is not a WebAssembly component"),
            "{what}: {refusal}"
        );
    }
}

#[test]
fn native_code_is_never_taken_for_a_component() {
    let node = hostile_node(&WatGuest::named("hostile"), HOSTILE_GRANTS);
    let compiled = fs::read_dir(node.path("state/compiled"))
        .expect("compiled")
        .map(|entry| entry.expect("readable").path());
    let native = compiled
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "cwasm")
        })
        .map(|path| fs::read(path).expect("readable"));
    for native in native {
        let refusal = refusal_of(&native);
        assert!(
            refusal.contains("is not a WebAssembly component"),
            "{refusal}"
        );
        // Dropped into the store by hand it gets no further.
        let file = node.path("state/components/hostile.wasm");
        fs::remove_file(&file).expect("ours");
        fs::write(&file, &native).expect("writable");
        mount_hostile(&node).fails_with("is not a WebAssembly component");
    }
}

/// WASI's own words, as far as the guest below uses them.
const WASI: &str = r"
package wasi:cli@0.2.6 {
    interface environment {
        get-environment: func() -> list<tuple<string, string>>;
        get-arguments: func() -> list<string>;
    }
}
package wasi:filesystem@0.2.6 {
    interface types { resource descriptor; }
    interface preopens {
        use types.{descriptor};
        get-directories: func() -> list<tuple<descriptor, string>>;
    }
}
package wasi:random@0.2.6 {
    interface random { get-random-u64: func() -> u64; }
}
";

#[test]
fn a_guest_that_brings_wasi_finds_it_empty() {
    // Says how long each list is, and whether there is a random number.
    let guest = WatGuest::named("hostile")
        .imports_foreign(WASI, "wasi:cli/environment@0.2.6")
        .imports_foreign("", "wasi:filesystem/preopens@0.2.6")
        .imports_foreign("", "wasi:random/random@0.2.6")
        .core(
            r#"
            (import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))
            (import "wasi:cli/environment@0.2.6" "get-arguments" (func $arguments (param i32)))
            (import "wasi:filesystem/preopens@0.2.6" "get-directories" (func $directories (param i32)))
            (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
            (data (i32.const 1024) "0 variables, 0 arguments, 0 directories, 0 random")
            (func $count (param $list i32) (param $at i32)
                (i32.store8 (local.get $at) (i32.add (i32.load8_u (local.get $at)) (i32.load offset=4 (local.get $list)))))
            "#,
        )
        .stage(&format!(
            "(call $environment (i32.const 2048)) (call $count (i32.const 2048) (i32.const 1024))
             (call $arguments (i32.const 2048)) (call $count (i32.const 2048) (i32.const 1037))
             (call $directories (i32.const 2048)) (call $count (i32.const 2048) (i32.const 1050))
             (i32.store8 (i32.const 1065) (i32.add (i32.const 48) (i64.ne (call $random) (i64.const 0)))) {}",
            WatGuest::failing(10, 1024, 49)
        ));
    let node = hostile_node(&guest, HOSTILE_GRANTS);
    let target = node.pod("web");
    let mut callout = node.callout(
        "drivebay~hostile/hostile",
        &["mount", &target.to_string_lossy(), "{}"],
    );
    let output = callout
        .env("SECRET", "a password")
        .output()
        .expect("the shim runs");
    Answer::of(&output).is(
        r#"{"status":"Failure","message":"0 variables, 0 arguments, 0 directories, 1 random"}"#,
    );
}

/// One function of WASI's sockets; no call gets as far as its words.
const SOCKETS: &str = r"
package wasi:sockets@0.2.6 {
    interface tcp { resource tcp-socket; }
    interface tcp-create-socket {
        use tcp.{tcp-socket};
        enum ip-address-family { ipv4, ipv6 }
        create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket>;
    }
}
";

#[test]
fn a_guest_that_brings_wasi_gets_no_socket() {
    let guest = WatGuest::named("hostile")
        .imports_foreign(SOCKETS, "wasi:sockets/tcp-create-socket@0.2.6")
        .core(r#"(import "wasi:sockets/tcp-create-socket@0.2.6" "create-tcp-socket" (func $socket (param i32 i32)))"#)
        .stage("(call $socket (i32.const 0) (i32.const 64))");
    mount_hostile(&hostile_node(&guest, HOSTILE_GRANTS))
        .fails_with("guest hostile 1.0.0 failed in stage-volume: the guest called a function that this host does not offer");
}
