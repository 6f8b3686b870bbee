//! A component that is not what it should be changes nothing: the old version serves, `status` says at which step it
//! was refused and why, nothing is left half done, and the next good one is taken.

use std::fmt::Write as _;

use drivebay_tests::{ConfigMap, WatGuest};

use crate::backend::{NAME, backend};
use crate::site::{FILE, Site, for_both};

/// What is wrong, at which step it shows, with which words, and the component.
struct Bad {
    what: &'static str,
    step: &'static str,
    words: &'static str,
    component: Vec<u8>,
}

#[track_caller]
fn are_refused(limits: &str, bad: &[Bad]) {
    for_both(|watcher| {
        let site = Site::granted(watcher, limits);
        site.under_calls(1, || {
            for Bad {
                step,
                words,
                component,
                ..
            } in bad
            {
                site.show(component);
                site.refuses(step, words, "1.0.0");
            }
        });
        let refused = site.status().each("refused", "sha256");
        let what: Vec<_> = bad.iter().map(|bad| bad.what).collect();
        assert!(!refused.is_empty(), "{what:?}");
        site.swap_to("2.0.0");
        let status = site.status();
        assert!(
            status.each("refused", "sha256").is_empty(),
            "what is no longer shown is still told: {status:?}"
        );
    });
}

/// Of an interface of the contract, by the text of it.
fn another_contract() -> Vec<u8> {
    backend("2.0.0").contract("0.2.0").component()
}

#[test]
fn what_is_no_component_of_this_contract_is_refused_by_name() {
    let whole = backend("2.0.0").component();
    let half = whole.len() / 2;
    let mut damaged = whole.clone();
    damaged[half..].fill(0);
    are_refused(
        "",
        &[
            Bad {
                what: "nothing",
                step: "check",
                words: "is not a WebAssembly component",
                component: Vec::new(),
            },
            Bad {
                what: "truncated",
                step: "check",
                words: "is not a WebAssembly component",
                component: whole[..half].to_vec(),
            },
            Bad {
                what: "half written",
                step: "check",
                words: "is not a WebAssembly component",
                component: damaged,
            },
            Bad {
                what: "a core module",
                step: "check",
                words: "is not a WebAssembly component",
                component: wat::parse_str("(module)").expect("a module"),
            },
            Bad {
                what: "of another contract",
                step: "check",
                words: "@0.2.0; this host speaks drivebay:driver 0.1.0",
                component: another_contract(),
            },
        ],
    );
}

#[test]
fn what_does_not_fit_the_contract_or_the_grants_is_refused_with_the_difference() {
    let signer = backend("2.0.0").imports("signing").core(
        r#"(import "drivebay:driver/signing@0.1.0" "sha256" (func $sha256 (param i32 i32 i32)))"#,
    );
    let foreign = backend("2.0.0")
        .imports_foreign(
            "package acme:fs@1.0.0 { interface raw { format: func(); } }",
            "acme:fs/raw@1.0.0",
        )
        .core(r#"(import "acme:fs/raw@1.0.0" "format" (func $format))"#);
    let other_types = backend("2.0.0").changing("max-volumes: u32", "max-volumes: u64");
    are_refused(
        "",
        &[
            Bad {
                what: "imports what is not granted",
                step: "check",
                words: "it imports signing, which is not granted",
                component: signer.component(),
            },
            Bad {
                what: "imports what nobody offers",
                step: "check",
                words: "it imports acme:fs/raw@1.0.0, which this host does not offer",
                component: foreign.component(),
            },
            Bad {
                what: "has other types",
                step: "check",
                words: "max-volumes is u64, and in the contract it is u32",
                component: other_types.component(),
            },
            Bad {
                what: "does not say who it is",
                step: "check",
                words: "it does not export drivebay:driver/identity@0.1.0",
                component: WatGuest::named(NAME).exports("node").component(),
            },
        ],
    );
}

#[test]
fn a_self_test_that_does_not_end_well_is_a_refusal() {
    let hungry = "(loop $more (drop (memory.grow (i32.const 64)))
        (memory.fill (i32.const 262144) (i32.const 1) (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 262144)))
        (br $more))";
    let health =
        r#"(func (export "drivebay:driver/node@0.1.0#get-info") (result i32) (unreachable))"#;
    are_refused(
        "[limits]\ncompile-time = \"2s\"\n",
        &[
            Bad {
                what: "traps when it is asked who it is",
                step: "self-test",
                words: "",
                component: backend("2.0.0").describe("unreachable").component(),
            },
            Bad {
                what: "thinks for ever",
                step: "self-test",
                words: "",
                component: backend("2.0.1").describe("(loop $on (br $on))").component(),
            },
            Bad {
                what: "eats memory",
                step: "self-test",
                words: "",
                component: backend("2.0.2").describe(hungry).component(),
            },
            Bad {
                what: "traps when it is asked for something that changes nothing",
                step: "self-test",
                words: "get-info",
                component: backend("2.0.3").core(health).component(),
            },
        ],
    );
}

#[test]
fn a_capability_that_is_denied_in_the_self_test_is_no_reason_to_refuse() {
    // It asks for its pool whoever asks it for anything, and passes on that it was denied.
    let asks = r#"(func (export "drivebay:driver/node@0.1.0#get-info") (result i32)
        (call $open (i32.const 1408) (i32.const 4) (i32.const 64))
        (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
        (i32.const 64))"#;
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.show(&backend("2.0.0").core(asks).component());
        site.serves("2.0.0");
    });
}

/// Functions of many additions each, which compilers take their time for.
fn laborious() -> Vec<u8> {
    let mut body = String::new();
    for number in 0..400 {
        write!(
            body,
            "(local.set 0 (i64.add (i64.mul (local.get 0) (i64.const {number})) (local.get 1)))
             (if (i64.eqz (local.get 0)) (then (local.set 1 (i64.const {number}))))\n"
        )
        .expect("a string grows");
    }
    let function = format!("(func (param i64 i64) (result i64) {body} (local.get 0))\n");
    backend("2.0.0").core(&function.repeat(400)).component()
}

#[test]
fn what_takes_too_long_to_compile_is_refused_by_the_limit() {
    are_refused(
        "[limits]\ncompile-time = \"1s\"\n",
        &[Bad {
            what: "compiles for ever",
            step: "compile",
            words: "limits.compile-time",
            component: laborious(),
        }],
    );
}

#[test]
fn what_was_refused_is_not_tried_again_until_it_or_the_drivers_file_changes() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let bad = backend("2.0.0").describe("unreachable").component();
        site.show(&bad);
        site.refuses("self-test", "", "1.0.0");
        let since = || site.status().each("refused", "since");
        let first = since();
        // Another ConfigMap of the same content is none that changed; nor is a file beside it.
        for number in 0..3 {
            let note = format!("note {number}");
            site.source
                .write(&[(FILE, &bad), ("README.md", note.as_bytes())]);
        }
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert_eq!(since(), first, "it was tried again");
        site.rewrite_grants("[limits]\ncompile-time = \"20s\"\n");
        site.tells("another try", |status| {
            let told = status.each("refused", "since");
            !told.is_empty() && told != first
        });
        site.keeps("1.0.0");
    });
}

#[test]
fn a_refusal_of_one_name_is_none_of_the_others_business() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let (bad, good) = (vec![0; 100], backend("2.0.0").component());
        let write = |source: &ConfigMap| source.write(&[("other.wasm", &bad), (FILE, &good)]);
        write(&site.source);
        site.serves("2.0.0");
    });
}
