//! The rules of the guests' tree: what they have in common is the SDK's, and nothing else.

use std::path::{Path, PathBuf};

use drivebay_tests::{read, repository, rust_files};

/// Where guests may be unsafe themselves, and for what.
const UNSAFE: [(&str, &str); 2] = [
    ("sdk/src/exports.rs", "what is run before a guest's exports"),
    (
        "alicloud-disk/src/memory.rs",
        "what is promised to the allocator",
    ),
];

/// Where the contract's bindings are generated.
const BOUND: [&str; 2] = ["sdk/src/bindings.rs", "sdk/src/exports.rs"];

/// Lines of a page.
const PAGE: usize = 60;

/// How many lines a guest has at most outside of its tests.
const LINES: [(&str, usize); 3] = [
    ("alicloud-disk", 4200),
    ("examples/local", 450),
    ("nfs", 1700),
];

#[test]
fn guests_are_bound_to_the_contract_by_the_sdk_alone() {
    let bound = naming("wit_bindgen");
    assert_eq!(bound, BOUND.map(PathBuf::from), "use drivebay-guest");
}

#[test]
fn guests_are_unsafe_where_there_is_no_other_way() {
    for file in naming("unsafe").iter().chain(&naming("unsafe_code")) {
        assert!(
            UNSAFE.iter().any(|(place, _)| file == Path::new(place)),
            "{}: unsafe may stand for {UNSAFE:?} only",
            file.display()
        );
    }
}

#[test]
fn the_sdk_knows_no_guest() {
    for file in rust_files(&guests().join("sdk")) {
        let text = read(&file);
        for guest in ["nfs::", "alicloud_disk", "cloud_disk", "local::"] {
            let (file, names) = (file.display(), text.contains(guest));
            assert!(!names, "{file} names {guest}");
        }
    }
}

#[test]
fn the_sdks_map_has_all_of_its_modules_and_its_document_is_a_page() {
    let root = read(&guests().join("sdk/src/lib.rs"));
    let map: Vec<&str> = root
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .collect();
    let modules = root
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "));
    for module in modules.filter_map(|module| module.strip_suffix(';')) {
        assert!(map.contains(&module), "lib.rs's map lacks {module}");
    }
    let document = read(&guests().join("sdk/README.md"));
    assert!(document.lines().count() <= PAGE, "sdk/README.md is a page");
}

#[test]
fn guests_say_only_what_their_own_is() {
    for (guest, most) in LINES {
        let lines = lines_outside_tests(&guests().join(guest).join("src"));
        assert!(
            (1..=most).contains(&lines),
            "{guest} has {lines} lines outside of its tests, and may have {most}: what others need too is the SDK's"
        );
    }
}

#[test]
fn what_is_compiled_for_tests_alone_is_not_counted() {
    let text = "mod a;\n#[cfg(test)]\npub(crate) mod fake;\n\n#[cfg(test)]\nmod tests {\n    fn a() {\n    }\n}\nfn b() {}\n";
    assert_eq!(outside_tests(text), (3, vec!["fake"]));
}

fn lines_outside_tests(sources: &Path) -> usize {
    let files = rust_files(sources);
    let texts: Vec<String> = files.iter().map(|file| read(file)).collect();
    let mut lines = 0;
    let mut tests = Vec::new();
    for (file, text) in files.iter().zip(&texts) {
        // Modules of `a.rs` are in `a`, those of `lib.rs` beside it.
        let directory = match file.ends_with("lib.rs") {
            true => sources.to_owned(),
            false => file.with_extension(""),
        };
        let (_, modules) = outside_tests(text);
        tests.extend(modules.iter().map(|module| directory.join(module)));
    }
    for (file, text) in files.iter().zip(&texts) {
        let module = file.with_extension("");
        if !tests.iter().any(|test| module.starts_with(test)) {
            lines += outside_tests(text).0;
        }
    }
    lines
}

/// How many lines are not for tests alone, and which modules are that are files of their own.
fn outside_tests(text: &str) -> (usize, Vec<&str>) {
    let (mut count, mut modules) = (0, Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            count += 1;
            continue;
        }
        let item = lines.next().unwrap_or_default();
        if let Some(module) = item.trim().strip_suffix(';') {
            modules.extend(module.split(' ').next_back());
            continue;
        }
        let indent = item.len() - item.trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let _end = lines.find(|line| *line == end);
    }
    (count, modules)
}

fn guests() -> PathBuf {
    repository().join("guests")
}

/// Files of the guests that name a word outside of comments; what `drivebay new` writes is its author's.
fn naming(word: &str) -> Vec<PathBuf> {
    let root = guests();
    let names = |file: &PathBuf| {
        let text = read(file);
        let mut code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        code.any(|line| {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.any(|one| one == word)
        })
    };
    let files = rust_files(&root).into_iter().filter(names);
    let mut files: Vec<PathBuf> = files
        .filter_map(|file| file.strip_prefix(&root).map(Path::to_owned).ok())
        .filter(|file| !file.starts_with("templates"))
        .collect();
    files.sort();
    files
}
