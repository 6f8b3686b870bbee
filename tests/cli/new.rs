//! `drivebay new`: a skeleton in a folder of its name, from nothing but this program, and nothing is overwritten. That
//! each builds and mounts, tests/authors shows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use drivebay_tests::{Node, files_beneath, read, repository};

const LANGUAGES: [&str; 3] = ["rust", "js", "python"];
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
        let mut new = self.0.drivebay(&["new"]);
        new.current_dir(self.path("")).args(arguments);
        new.output().expect("drivebay runs")
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
        let words = format!("cannot call a driver {name:?}: a name has ASCII letters, digits");
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
    for (language, place) in [("rust", "wit"), ("js", "wit/deps/drivebay")] {
        folder.makes(&[language, "--language", language]);
        for file in files_beneath(&repository().join("wit"), &|_| true) {
            let name = file.file_name().expect("a file").to_string_lossy();
            let copy = folder.path(&format!("{language}/{place}/{name}"));
            assert_eq!(read(&copy), read(&file), "{}", copy.display());
        }
    }
}
