//! What a component asked and was answered, as lines of JSON: for programs that read along, and on a tape that answers the
//! same questions again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use drivebay_tests::{Node, guest, text};
use serde_json::{Value, json};

use crate::trial::stderr;

const CREATE: [&str; 5] = ["create-volume", "--name", "pvc-1", "--size", "1Gi"];

struct Trial {
    node: Node,
    tape: PathBuf,
}

impl Trial {
    fn new() -> Self {
        let node = Node::empty();
        let tape = node.path("tape.jsonl");
        Self { node, tape }
    }

    fn run(&self, component: &str, arguments: &[&str]) -> Output {
        let component = guest(component);
        let mut command = self
            .node
            .drivebay(&["run", "--component", text(&component)]);
        command.args(arguments).output().expect("drivebay runs")
    }

    /// By `local`, whose answer it is.
    #[track_caller]
    fn answer(&self, options: &[&str]) -> Value {
        let output = self.run("local", &[options, &CREATE].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).expect("one object")
    }

    fn replay(&self, arguments: &[&str]) -> Output {
        self.run(
            "local",
            &[&["--replay", text(&self.tape)], arguments].concat(),
        )
    }

    fn on_tape(&self) -> String {
        fs::read_to_string(&self.tape).expect("written")
    }
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

#[test]
fn programs_read_each_question_with_its_answer_and_the_end() {
    let trial = Trial::new();
    let output = trial.run("local", &[&["--dry-run", "--json"][..], &CREATE].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let told = lines(&String::from_utf8(output.stdout).expect("UTF-8"));
    let (end, before) = told.split_last().expect("lines");
    assert_eq!(end["result"]["capacity-bytes"], 1 << 30);
    assert!(before[0]["call"]["targets"].is_array(), "{}", before[0]);
    let opened = json!({ "mounts": { "open-directory": { "name": "pool" } } });
    let open = before.iter().find(|line| line["ask"] == opened);
    assert!(open.expect("it opens its pool")["answer"]["directory"].is_u64());
    assert!(
        before
            .iter()
            .any(|line| line["ask"]["log"]["write"]["message"].is_string())
    );

    let output = trial.run("local", &["--dry-run", "--json", "get-volume", "pool/none"]);
    assert_eq!(output.status.code(), Some(1));
    let told = lines(&String::from_utf8(output.stdout).expect("UTF-8"));
    assert_eq!(
        told.last().expect("lines")["error"]["condition"],
        "not-found"
    );
}

#[test]
fn a_tape_of_a_dry_run_answers_again() {
    let trial = Trial::new();
    let first = trial.answer(&["--dry-run", "--record", text(&trial.tape)]);
    let mode = fs::metadata(&trial.tape)
        .expect("written")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600, "others may not read what it asked");
    assert_eq!(trial.answer(&["--replay", text(&trial.tape)]), first);
    let other = ["create-volume", "--name", "pvc-1", "--size", "2Gi"];
    let output = trial.replay(&other);
    let said = stderr(&output);
    assert!(said.contains("another run than the tape's: "), "{said}");
    assert!(!output.status.success());
}

#[test]
fn a_tape_of_what_was_really_done_answers_without_doing_it() {
    let trial = Trial::new();
    let grants = trial.node.path("local.toml");
    fs::write(&grants, trial.node.local_grants()).expect("writable");
    let first = trial.answer(&["--grants", text(&grants), "--record", text(&trial.tape)]);
    let pool = trial.node.path("pool");
    let made: Vec<PathBuf> = fs::read_dir(&pool)
        .expect("there")
        .map(|it| it.expect("readable").path())
        .collect();
    assert!(!made.is_empty());
    for path in made {
        fs::remove_dir_all(path).expect("ours");
    }
    assert_eq!(trial.answer(&["--replay", text(&trial.tape)]), first);
    assert_eq!(
        fs::read_dir(&pool).expect("there").count(),
        0,
        "it was done again"
    );
}

#[test]
fn where_the_run_leaves_the_tape_both_questions_are_told() {
    let trial = Trial::new();
    trial.answer(&["--dry-run", "--record", text(&trial.tape)]);
    let changed = trial
        .on_tape()
        .replacen("{\"name\":\"pool\"}", "{\"name\":\"other\"}", 1);
    fs::write(&trial.tape, changed).expect("writable");
    let said = stderr(&trial.replay(&CREATE));
    let words = "the tape has mounts.open-directory name=\"other\", and the component asked mounts.open-directory name=\"pool\"";
    assert!(said.contains(words), "{said}");

    fs::write(&trial.tape, "{\"tape\":1}\n{\"call\":1}\n").expect("writable");
    let said = stderr(&trial.replay(&CREATE));
    assert!(said.contains("line 2 is none of a tape"), "{said}");
}

#[test]
fn no_secret_is_on_a_tape_nor_among_the_lines() {
    let trial = Trial::new();
    let files = ["username", "password"].map(|name| {
        let file = trial.node.path(name);
        fs::write(&file, format!("hunter2-{name}")).expect("writable");
        format!("{name}={}", file.display())
    });
    let publish = [
        "--dry-run",
        "--json",
        "--record",
        text(&trial.tape),
        "--secret",
        &files[0],
        "--secret",
        &files[1],
        "publish-volume",
        "v1",
        "--path",
        "/nonexistent/pod",
        "--parameter",
        "server=files",
        "--parameter",
        "share=data",
    ];
    let output = trial.run("smb", &publish);
    assert!(output.status.success(), "{}", stderr(&output));
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    for text in [&told, &trial.on_tape()] {
        assert!(
            text.contains("open-secret") && !text.contains("hunter2"),
            "{text}"
        );
    }
}

#[test]
fn no_session_token_is_on_a_tape_and_it_answers_all_the_same() {
    let trial = Trial::new();
    let create = ["create-volume", "--name", "pvc-1", "--size", "20Gi"];
    let zone = ["--parameter", "zoneId=region-1-a"];
    let create = [&create[..], &zone].concat();
    let record = ["--dry-run", "--record", text(&trial.tape)];
    let output = trial.run("alicloud-disk", &[&record[..], &create].concat());
    let said = stderr(&output);
    assert!(said.contains("no line of --http FILE answers"), "{said}");
    let tape = trial.on_tape();
    assert!(tape.contains("session-token") && !tape.contains("made-up-session-token"));
    assert!(!said.contains("made-up-session-token"), "{said}");
    let replay = ["--replay", text(&trial.tape)];
    let output = trial.run("alicloud-disk", &[&replay[..], &create].concat());
    let said = stderr(&output);
    assert!(
        said.contains("unavailable: ") && !said.contains("another run"),
        "{said}"
    );
}
