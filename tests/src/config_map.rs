//! A directory that is written as kubelet writes that of a mounted ConfigMap: by kubelet's own code, in a program that
//! tests/kubelet/atomic-writer builds.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::{Node, repository, text};

/// What a ConfigMap holds: files by name.
pub type Payload<'a> = &'a [(&'a str, &'a [u8])];

/// A mounted ConfigMap, and the program that updates it. Ended when dropped.
#[derive(Debug)]
pub struct ConfigMap {
    directory: PathBuf,
    contents: PathBuf,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    process: Child,
    lines: ChildStdin,
    answers: BufReader<ChildStdout>,
    written: usize,
}

impl ConfigMap {
    /// In that directory beneath a node's root, with nothing in it yet.
    #[track_caller]
    pub fn at(node: &Node, directory: &str) -> Self {
        let contents = node.path(&format!("{directory}-contents"));
        let directory = node.path(directory);
        for made in [&directory, &contents] {
            fs::create_dir_all(made).expect("writable");
        }
        Self {
            directory,
            contents,
            writer: Mutex::new(Writer::start(node)),
        }
    }

    /// Where a pod would see it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes it hold these files and no others.
    #[track_caller]
    pub fn write(&self, files: Payload<'_>) {
        self.write_each(&[files]);
    }

    /// The same with one payload right after the other, as fast as kubelet's code can.
    #[track_caller]
    pub fn write_each(&self, payloads: &[Payload<'_>]) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let payloads: Vec<Value> = payloads
            .iter()
            .map(|files| self.stored(files, &mut writer.written))
            .collect();
        let wanted = json!({"directory": text(&self.directory), "payloads": payloads});
        let answer = writer.ask(&wanted);
        assert_eq!(answer, "ok", "kubelet's atomic writer");
        for entry in fs::read_dir(&self.contents).expect("ours").flatten() {
            fs::remove_file(entry.path()).expect("ours");
        }
    }

    /// The program reads contents from files: a line has no room for a hundred megabytes.
    fn stored(&self, files: Payload<'_>, written: &mut usize) -> Value {
        let stored = files.iter().map(|(name, content)| {
            *written += 1;
            let file = self.contents.join(written.to_string());
            fs::write(&file, content).expect("writable");
            ((*name).to_owned(), Value::from(text(&file)))
        });
        Value::Object(stored.collect::<Map<_, _>>())
    }
}

impl Writer {
    #[track_caller]
    fn start(node: &Node) -> Self {
        let program = repository().join("target/dist/tests/atomic-writer");
        assert!(
            program.exists(),
            "{} is missing; `cargo xtask test --only build-tests` builds it",
            program.display()
        );
        let mut command = node.command(&program);
        command.stdin(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().expect("the program runs");
        Self {
            lines: process.stdin.take().expect("piped"),
            answers: BufReader::new(process.stdout.take().expect("piped")),
            process,
            written: 0,
        }
    }

    #[track_caller]
    fn ask(&mut self, wanted: &Value) -> String {
        writeln!(self.lines, "{wanted}").expect("it reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        answer.trim_end().to_owned()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
