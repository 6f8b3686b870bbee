//! `drivebay new`: a skeleton in a folder of its name, from nothing but this program, and nothing is overwritten. That
//! each builds and mounts, tests/authors shows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use drivebay_tests::{Node, files_beneath, read, repository};

const LANGUAGES: [&str; 5] = ["rust", "c", "go", "js", "python"];
const KINDS: [&str; 3] = ["share", "disk", "directory"];

struct Folder(Node);

impl Folder {
    fn new() -> Self {
        let node = Node::empty();
        fs::create_dir(node.path("work")).expect("writable");
        Self(node)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path("work").join(name)
    }

    fn make(&self, arguments: &[&str]) -> Output {
        self.run("", &[&["new"], arguments].concat())
    }

    /// In that folder of it.
    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        let mut drivebay = self.0.drivebay(arguments);
        drivebay.current_dir(self.path(name));
        drivebay.output().expect("drivebay runs")
    }

    #[track_caller]
    fn makes(&self, arguments: &[&str]) -> String {
        let output = self.make(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("text")
    }

    #[track_caller]
    fn refuses(&self, arguments: &[&str], words: &str) {
        let output = self.make(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }

    fn entries(&self) -> usize {
        fs::read_dir(self.path("")).expect("readable").count()
    }
}

#[test]
fn a_name_that_no_driver_can_have_is_refused_and_nothing_is_made() {
    let folder = Folder::new();
    for name in ["Host Dir!", "", ".shelf", "../shelf", "a/b", "k\u{e4}se"] {
        let words =
            format!("cannot call a driver {name:?}: Kubernetes takes small ASCII letters, digits");
        folder.refuses(&[name, "--language", "rust"], &words);
    }
    assert_eq!(folder.entries(), 0);
}

#[test]
fn a_folder_with_something_in_it_is_left_as_it_is() {
    let folder = Folder::new();
    fs::create_dir(folder.path("shelf")).expect("writable");
    fs::write(folder.path("shelf/README.md"), "mine").expect("writable");
    let words = "shelf is there already and has something in it";
    folder.refuses(&["shelf", "--language", "rust"], words);
    assert_eq!(read(&folder.path("shelf/README.md")), "mine");
    let found = files_beneath(&folder.path("shelf"), &|_| true);
    assert_eq!(found.len(), 1);
    fs::remove_file(folder.path("shelf/README.md")).expect("there");
    folder.makes(&["shelf", "--language", "rust"]);
}

#[test]
fn a_kind_that_a_language_lacks_is_refused_with_what_there_is() {
    let folder = Folder::new();
    let mut made = 0;
    for (language, kind) in LANGUAGES
        .iter()
        .flat_map(|language| KINDS.map(|kind| (*language, kind)))
    {
        let name = format!("{language}-{kind}");
        let output = folder.make(&[&name, "--language", language, "--kind", kind]);
        if output.status.success() {
            made += 1;
            continue;
        }
        let words =
            format!("there is no skeleton of kind {kind} in {language}; in {language} there is ");
        folder.refuses(&[&name, "--language", language, "--kind", kind], &words);
    }
    assert_eq!(folder.entries(), made);
    assert!(made >= LANGUAGES.len(), "every language has directories");
}

#[test]
fn what_to_run_is_said_and_can_be_run() {
    let folder = Folder::new();
    for language in LANGUAGES {
        let said = folder.makes(&[&format!("my.{language}-1"), "--language", language]);
        for script in ["test.sh", "build.sh", "try.sh"] {
            assert!(said.contains(&format!("./{script}")), "{said}");
            let script = folder.path(&format!("my.{language}-1/{script}"));
            let mode = fs::metadata(&script).expect("made").permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "{}", script.display());
        }
    }
}

#[test]
fn the_contract_in_it_is_the_one_that_this_host_has() {
    let folder = Folder::new();
    let beside = "wit/deps/drivebay";
    for (language, place) in [
        ("rust", "wit"),
        ("c", beside),
        ("go", beside),
        ("js", beside),
    ] {
        folder.makes(&[language, "--language", language]);
        for file in files_beneath(&repository().join("wit"), &|_| true) {
            let name = file.file_name().expect("a file").to_string_lossy();
            let copy = folder.path(&format!("{language}/{place}/{name}"));
            assert_eq!(read(&copy), read(&file), "{}", copy.display());
        }
    }
}

#[test]
fn bindings_follow_a_changed_world() {
    let folder = Folder::new();
    for (language, file, function) in [
        ("c", "backend.h", "expansion_expand_volume("),
        (
            "go",
            "wit_exports/wit_exports.go",
            "export_drivebay_driver_expansion.ExpandVolume(",
        ),
    ] {
        folder.makes(&[language, "--language", language]);
        let bindings = folder.path(language).join("bindings").join(file);
        assert!(!read(&bindings).contains(function), "{language}");
        let world = folder.path(language).join("wit/backend.wit");
        let export = "world backend {\n    export drivebay:driver/expansion@0.1.0;";
        let changed = read(&world).replace("world backend {", export);
        fs::write(&world, changed).expect("writable");
        let output = folder.run(language, &["bindings", "--language", language]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{language}: {error}");
        assert!(read(&bindings).contains(function), "{language}");
    }
}

#[test]
fn a_world_that_names_what_the_contract_lacks_is_refused() {
    let folder = Folder::new();
    folder.makes(&["shelf", "--language", "c"]);
    let world = folder.path("shelf/wit/backend.wit");
    let lacking = "world backend {\n    export drivebay:driver/teleportation@0.1.0;";
    fs::write(&world, read(&world).replace("world backend {", lacking)).expect("writable");
    let output = folder.run("shelf", &["bindings", "--language", "c"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    for words in [
        "cannot make bindings of world backend in wit",
        "teleportation",
    ] {
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }
}
