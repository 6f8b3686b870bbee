//! The host's source as lines of code, with the paths that each line names.
//!
//! Read as text: comments and strings are left out, lists of imports are taken apart. That is enough for rules
//! about who may name whom, and needs no compiler.

use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

/// One line of code, without its comments and strings.
#[derive(Debug)]
pub struct Line {
    /// Beneath `host/src`.
    pub file: PathBuf,
    /// From one.
    pub number: usize,
    /// What is left of it.
    pub text: String,
    /// The paths it names: `crate::sys::Kernel`, with `use` lists taken apart.
    pub paths: Vec<String>,
}

impl Line {
    /// The layer: the first part of the file's path beneath `host/src`.
    pub fn layer(&self) -> String {
        let first = self.file.components().next().expect("a file has a name");
        first
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned()
    }

    /// Whether its file is that one, or beneath that module.
    pub fn lies_in(&self, place: &str) -> bool {
        self.file.starts_with(place)
            || self.file == Path::new(place)
            || self.file == Path::new(&format!("{place}.rs"))
    }
}

/// All code of the host that is shipped: tests beside it may use what they like.
pub fn host_code() -> Vec<Line> {
    let root = host_source();
    let shipped = rust_files(&root)
        .into_iter()
        .filter(|file| !file.ends_with("tests.rs"));
    let lines: Vec<Line> = shipped
        .flat_map(|file| {
            let text = read(&file);
            let shipped = text
                .split("\n#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            code(file.strip_prefix(&root).expect("beneath"), shipped)
        })
        .collect();
    assert!(
        lines.len() > 1000,
        "found only {} lines of the host",
        lines.len()
    );
    lines
}

/// A file as lines of code. A `use` that runs over several lines counts as its first.
fn code(file: &Path, text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut open_use = false;
    for (index, line) in text.lines().enumerate() {
        let bare = without_comments_and_strings(line);
        match lines.last_mut().filter(|_| open_use) {
            Some(begun) => begun.text.push_str(bare.trim()),
            None => lines.push(Line {
                file: file.to_owned(),
                number: index + 1,
                text: bare.clone(),
                paths: Vec::new(),
            }),
        }
        let begins = bare.trim_start().starts_with("use ")
            || bare.trim_start().starts_with("pub use ")
            || bare.trim_start().starts_with("pub(crate) use ");
        open_use = (open_use || begins) && !bare.contains(';');
    }
    for line in &mut lines {
        line.paths = paths(&line.text);
    }
    lines
}

fn without_comments_and_strings(line: &str) -> String {
    let mut bare = String::new();
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => break,
            '"' => {
                while let Some(inside) = rest.next() {
                    match inside {
                        '\\' => drop(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                bare.push_str("\"\"");
            }
            other => bare.push(other),
        }
    }
    bare
}

/// Every path in a line of code, imports taken apart.
fn paths(text: &str) -> Vec<String> {
    let trimmed = text
        .trim_start()
        .trim_start_matches("pub(crate) ")
        .trim_start_matches("pub(super) ")
        .trim_start_matches("pub ");
    if let Some(tree) = trimmed.strip_prefix("use ") {
        let mut found = Vec::new();
        branches("", tree.trim_end().trim_end_matches(';'), &mut found);
        return found;
    }
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    words
        .filter(|word| word.contains("::"))
        .map(|word| word.trim_matches(':').to_owned())
        .collect()
}

/// `a::{b, c::{d}}` is `a::b` and `a::c::d`.
fn branches(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    if let Some((stem, list)) = tree.split_once('{') {
        let list = list.trim_end().strip_suffix('}').unwrap_or(list);
        let (mut depth, mut begin) = (0, 0);
        for (index, c) in list.char_indices().chain([(list.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    branches(&format!("{prefix}{stem}"), &list[begin..index], found);
                    begin = index + 1;
                }
                _ => {}
            }
        }
    } else if !tree.is_empty() {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        found.push(if path == "self" {
            prefix.trim_end_matches("::").to_owned()
        } else {
            format!("{prefix}{path}")
        });
    }
}

/// Where the host's source is.
pub fn host_source() -> PathBuf {
    repository().join("host/src")
}

/// A file's text.
pub fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// All files of Rust beneath a directory.
pub fn rust_files(directory: &Path) -> Vec<PathBuf> {
    files_beneath(directory, &|file| {
        file.extension().is_some_and(|extension| extension == "rs")
    })
}

/// All files beneath a directory that are wanted, in order; what cargo built is left out.
pub fn files_beneath(directory: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| !path.ends_with("target"));
    let mut files: Vec<PathBuf> = paths
        .flat_map(|path| {
            if path.is_dir() {
                files_beneath(&path, wanted)
            } else {
                vec![path]
            }
        })
        .filter(|path| wanted(path))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_read_as_the_compiler_reads_them() {
        let paths = |text: &str| {
            code(Path::new("x.rs"), text)
                .into_iter()
                .flat_map(|line| line.paths)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            paths("use crate::sys::{self, Kernel, worker::{A, B as C}};"),
            [
                "crate::sys",
                "crate::sys::Kernel",
                "crate::sys::worker::A",
                "crate::sys::worker::B"
            ]
        );
        assert_eq!(
            paths("use crate::volume::{\n    Access,\n    NodeId,\n};"),
            ["crate::volume::Access", "crate::volume::NodeId"]
        );
        assert_eq!(
            paths("let x = nix::unistd::geteuid(); // std::fs::read"),
            ["nix::unistd::geteuid"]
        );
        assert_eq!(
            paths("let x = \"std::process::exit\";"),
            Vec::<String>::new()
        );
        assert_eq!(
            paths("pub use drivebay::{runtime, sys};"),
            ["drivebay::runtime", "drivebay::sys"]
        );
    }
}
