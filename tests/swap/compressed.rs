//! Components that are compressed: decompressed no further than a component may be long.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Stdio;
use std::thread;

use drivebay_tests::{Node, text};

use crate::backend::backend;
use crate::site::{FILE, Site, for_both};

/// Compressed by that program.
#[track_caller]
fn compressed(node: &Node, program: &str, content: &[u8]) -> Vec<u8> {
    let mut command = node.command(program.as_ref());
    let mut process = command
        .arg("-c")
        .stdin(Stdio::piped())
        .spawn()
        .expect("installed");
    let mut input = process.stdin.take().expect("piped");
    thread::scope(|scope| {
        scope.spawn(move || input.write_all(content).expect("it reads"));
        let output = process.wait_with_output().expect("ours");
        assert!(output.status.success(), "{program}: {output:?}");
        output.stdout
    })
}

/// So many zeros, compressed by that program.
#[track_caller]
fn bomb(node: &Node, program: &str, bytes: u64) -> Vec<u8> {
    let zeros = node.path("zeros");
    File::create(&zeros)
        .expect("writable")
        .set_len(bytes)
        .expect("sparse");
    let mut command = node.command(program.as_ref());
    let output = command.args(["-c", text(&zeros)]).output();
    let output = output.expect("installed");
    assert!(output.status.success(), "{program}");
    fs::remove_file(zeros).expect("ours");
    output.stdout
}

const WAYS: [(&str, &str); 2] = [("zstd", "swap.wasm.zst"), ("gzip", "swap.wasm.gz")];

#[test]
fn a_compressed_component_is_the_same_component() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        for (number, (program, name)) in WAYS.into_iter().enumerate() {
            let version = format!("2.{number}.0");
            let component = backend(&version).component();
            let shown = compressed(&site.node, program, &component);
            site.source.write(&[(name, &shown)]);
            site.serves(&version);
            let digest = drivebay_tests::digest(&component);
            assert_eq!(site.status().active_digest(), Some(digest.as_str()));
        }
        site.is_whole();
    });
}

#[test]
fn the_same_component_in_another_spelling_is_no_change() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let component = backend("1.0.0").component();
        let since = || site.status().get("active")["since"].clone();
        let before = since();
        for (program, name) in WAYS {
            let shown = compressed(&site.node, program, &component);
            site.source.write(&[(name, &shown)]);
            thread::sleep(std::time::Duration::from_secs(2));
            site.keeps("1.0.0");
            assert_eq!(since(), before);
        }
    });
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        for (program, name) in WAYS {
            let shown = bomb(&site.node, program, 160 << 20);
            site.under_calls(1, || {
                site.source.write(&[(name, &shown)]);
                site.refuses("decompress", "bytes", "1.0.0");
            });
        }
        site.swap_to("2.0.0");
    });
}

#[test]
fn what_ends_too_soon_or_is_not_compressed_is_refused() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let component = backend("2.0.0").component();
        for (program, name) in WAYS {
            let mut shown = compressed(&site.node, program, &component);
            shown.truncate(shown.len() / 2);
            for (wrong, words) in [(&shown, "truncated"), (&component, "")] {
                site.source.write(&[(name, wrong)]);
                site.refuses("decompress", words, "1.0.0");
                site.swap_to("1.0.1");
                site.swap_to("1.0.0");
            }
        }
        assert!(site.status().each("refused", "step").is_empty());
    });
}

#[test]
fn a_component_of_a_hundred_megabytes_is_refused_by_its_size() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.source.write(&[(FILE, &vec![0; 100 << 20])]);
        site.refuses("read", "bytes", "1.0.0");
        site.swap_to("2.0.0");
    });
}
