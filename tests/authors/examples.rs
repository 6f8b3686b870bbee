//! The examples that are no crates: each laid over its language's skeleton, as its README says, held to what the contract
//! promises, and used.

use std::fs;

use drivebay_tests::{files_beneath, read, repository, text};

use crate::author::Author;
use crate::guide;

/// As many lines of a language has an example at most, outside of tests, where something stands in them.
const LINES: usize = 300;

/// Folders, and how the names of their sources end.
const EXAMPLES: [(&str, &[&str]); 4] = [
    ("shares", &["c", "h"]),
    ("pool", &["go"]),
    ("filer/js", &["js"]),
    ("filer/python", &["py"]),
];

fn by_its_readme(name: &'static str) -> Author {
    let author = Author::of(name);
    let readme = format!("guests/examples/{name}/README.md");
    author.types(&guide::commands_of_file(&readme, name));
    author
}

#[test]
fn examples_are_short() {
    for (name, extensions) in EXAMPLES {
        let folder = repository().join("guests/examples").join(name);
        let is_source = |path: &std::path::Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let tests =
                name.contains("test_") || name.contains("_test.") || name.contains(".test.");
            extensions
                .iter()
                .any(|it| path.extension().is_some_and(|found| found == *it))
                && !tests
        };
        let sources = files_beneath(&folder, &is_source);
        let texts = sources.iter().map(|path| read(path));
        let lines: usize = texts
            .map(|text| text.lines().filter(|line| !line.trim().is_empty()).count())
            .sum();
        assert!((1..=LINES).contains(&lines), "{name} has {lines} lines");
    }
}

#[test]
#[ignore = "needs toolchains: cargo xtask test --only authors"]
fn pool_in_go_keeps_snapshots_of_directories() {
    let author = by_its_readme("pool");
    author.conforms(&[]);
    author.delivers(|grants| grants);
    author.volumes_live();
    let pool = author.pool();
    author.run(&["create-volume", "--name", "music"]);
    let song = |volume: &str| pool.join(volume).join("song");
    fs::write(song("music"), "first").expect("writable");

    let cut = ["create-snapshot", "--name", "monday", "--source", "music"];
    let snapshot = author.run(&cut);
    fs::write(song("music"), "second").expect("writable");
    assert_eq!(author.run(&cut), snapshot, "the same one");
    assert_eq!(author.run(&["get-snapshot", "monday"]), snapshot);
    author.run(&["create-volume", "--name", "films"]);
    let taken = ["create-snapshot", "--name", "monday", "--source", "films"];
    author.refuses(&taken, "already-exists: ");

    author.run(&["delete-volume", "music"]);
    let restore = [
        "create-volume",
        "--name",
        "old",
        "--from-snapshot",
        "monday",
    ];
    for _ in 0..2 {
        author.run(&restore);
    }
    assert_eq!(read(&song("old")), "first");
    author.refuses(&["create-volume", "--name", "old"], "already-exists: ");
    for _ in 0..2 {
        author.run(&["delete-snapshot", "monday"]);
        author.run(&["delete-volume", "old"]);
    }
    author.refuses(&["get-snapshot", "monday"], "not-found: ");
    author.run(&["delete-volume", "films"]);
    let left = files_beneath(&pool, &|_| true);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs toolchains: cargo xtask test --only authors"]
fn shares_in_c_are_mounted_with_their_sub_directories() {
    let author = by_its_readme("shares");
    assert_eq!(author.inspected("exports"), "identity node");
    assert_eq!(author.inspected("wasi"), "none");
    let volume = |parameter| ["--volume-parameter", parameter];
    let share = [
        ["--volume", "music"],
        volume("server=filer"),
        volume("share=/export"),
    ]
    .concat();
    author.conforms(&share);
    let within = [
        &share[..],
        &volume("subDirectory=a/b"),
        &volume("mode=0770"),
    ]
    .concat();
    author.conforms(&within);

    let example = "filer.example.com:/exports/**";
    author.delivers(|grants| grants.replace(example, "127.0.0.1:/exports/**"));
    let pod = author.pod();
    let publish = ["publish-volume", "music", "--path", text(&pod)];
    let with = |parameters: &[&'static str]| {
        let all = parameters.iter().flat_map(|it| ["--parameter", it]);
        publish.into_iter().chain(all).collect::<Vec<_>>()
    };
    author.refuses(&with(&["share=/exports/music"]), "server");
    let share = ["server=127.0.0.1", "share=/exports/music"];
    for (wrong, words) in [
        ("subDirectory=../etc", "subDirectory \"../etc\""),
        ("mode=rwx", "mode \"rwx\""),
    ] {
        author.refuses(&with(&[share[0], share[1], wrong]), words);
    }
    author.refuses(&with(&["server=127.0.0.2", share[1]]), "denied: ");
    // Nobody serves here; what the host says of that is its own business, and no refusal.
    author.refuses(&with(&share), "127.0.0.1");
}
