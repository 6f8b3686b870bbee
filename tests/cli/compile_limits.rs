//! Compiling is bounded in time, memory and complexity, whoever asks for it, and says which limit was met.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use drivebay_tests::{Node, WatGuest, eventually, guest, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SHIM: &str = "drivebay~guest/guest";

fn grants(limits: &str) -> String {
    format!(
        "component = \"guest\"\nflexvolume = \"drivebay/guest\"\n[grants.mounts]\n[limits]\n{limits}\n"
    )
}

/// A component inside a component, twice at each level: two to that power of instances in a kilobyte.
fn instances(levels: usize) -> Vec<u8> {
    let mut text = String::from(
        "(component (component $c0 (core module $m (memory 1)) (core instance (instantiate $m)))\n",
    );
    for level in 1..=levels {
        writeln!(
            text,
            "(component $c{level} (alias outer 1 $c{} (component $k)) (instance (instantiate $k)) (instance (instantiate $k)))",
            level - 1
        )
        .expect("a string grows");
    }
    write!(text, "(instance (instantiate $c{levels})))").expect("a string grows");
    wat::parse_str(&text).expect("a component")
}

/// A record of two of the record before.
fn records(levels: usize) -> Vec<u8> {
    let mut text = String::from(
        "(component (import \"a:b/c\" (instance\n(type $t0 (record (field \"a\" u8)))\n(export \"e0\" (type $e0 (eq $t0)))\n",
    );
    for level in 1..=levels {
        let before = level - 1;
        writeln!(
            text,
            "(type $t{level} (record (field \"a\" $e{before}) (field \"b\" $e{before})))\n(export \"e{level}\" (type $e{level} (eq $t{level})))"
        )
        .expect("a string grows");
    }
    write!(text, "(export \"f\" (func (param \"p\" $e{levels}))))))").expect("a string grows");
    wat::parse_str(&text).expect("a component")
}

/// A guest that thinks for as long as it is let when it is asked who it is.
fn laborious() -> WatGuest {
    WatGuest::named("guest").describe("(loop $on (br $on))")
}

fn written(node: &Node, component: Vec<u8>) -> PathBuf {
    let file = node.path("guest.wasm");
    fs::write(&file, component).expect("writable");
    file
}

/// Whoever asks for it gets this as the answer.
#[track_caller]
fn refuses(node: &Node, arguments: &[&str], words: &str) {
    let output = node.drivebay(arguments).output().expect("drivebay runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("guest.wasm: "),
        "it names no component: {said}"
    );
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_kilobyte_that_stands_for_a_million_instances_or_types_is_refused_by_everyone_who_compiles() {
    let node = Node::empty();
    node.add_driver("guest", &grants(""));
    node.install(&[&WatGuest::named("guest").write(node.path("guest.wasm"))]);
    let stored = node.path("state/components/guest.wasm");
    fs::remove_file(&stored).expect("installed");
    for (component, words) in [
        (instances(20), "it is made of more than 1000 instances"),
        (records(16), "its types have more than 200000 parts"),
    ] {
        assert!(component.len() < 4096, "{} bytes", component.len());
        fs::write(&stored, &component).expect("writable");
        let file = written(&node, component);
        for command in ["inspect", "install", "compile"] {
            refuses(&node, &[command, text(&file)], words);
        }
        refuses(&node, &["check"], words);
        let target = node.pod("web");
        let answer = node.call_driver(SHIM, &["mount", text(&target), "{}"]);
        answer.fails_with("component \"guest\"").fails_with(words);
        let by_hand = node.drivebay(&["run", "guest", "get-info"]).output();
        let said = String::from_utf8_lossy(&by_hand.expect("drivebay runs").stderr).into_owned();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_handful_of_instances_and_types_is_nobodys_trouble() {
    let node = Node::empty();
    let complaints = [
        (instances(3), "it does not export drivebay:driver/identity"),
        (
            records(3),
            "it imports a:b/c, which this host does not offer",
        ),
    ];
    for (component, words) in complaints {
        let file = written(&node, component);
        let output = node
            .drivebay(&["inspect", text(&file)])
            .output()
            .expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(words), "{said}");
    }
}

/// The message of a limit that can be raised, up to what raises it.
fn raised(met: &str, limit: &str, more: &str) -> String {
    format!(
        "it {met} (limits.{limit}); if the component is to be trusted, let it {more} with limits.{limit} in its driver's file, or with --{limit}"
    )
}

#[test]
fn what_takes_too_long_or_too_much_is_told_by_the_limit_and_what_raises_it() {
    let node = Node::empty();
    let stored = node.path("state/components/guest.wasm");
    fs::create_dir_all(stored.parent().expect("a directory")).expect("writable");
    let slow = laborious().component();
    let large = fs::read(guest("local")).expect("built");
    let time = raised("was not done after 300ms", "compile-time", "take longer");
    let memory = raised(
        "needed more than 8 MiB of memory",
        "compile-memory",
        "have more",
    );
    for (component, limit, value, words) in [
        (slow, "compile-time", "300ms", time),
        (large, "compile-memory", "8MiB", memory),
    ] {
        fs::write(&stored, &component).expect("writable");
        let file = written(&node, component);
        let flag = format!("--{limit}");
        node.add_driver("guest", &grants(""));
        for command in ["inspect", "install", "compile"] {
            refuses(&node, &[command, text(&file), &flag, value], &words);
        }
        node.add_driver("guest", &grants(&format!("{limit} = \"{value}\"")));
        refuses(&node, &["install", text(&file)], &words);
        refuses(&node, &["check"], &words);
    }
}

#[test]
fn the_drivers_file_bounds_what_a_call_has_compiled_and_another_file_lets_it() {
    let node = Node::empty();
    node.add_driver("guest", &grants(""));
    node.install(&[&WatGuest::named("guest").write(node.path("guest.wasm"))]);
    let stored = node.path("state/components/guest.wasm");
    fs::remove_file(&stored).expect("installed");
    let said = "it was compiled";
    WatGuest::named("guest")
        .core(&format!("(data (i32.const 1024) \"{said}\")"))
        .stage(&WatGuest::failing(10, 1024, said.len()))
        .write(stored);
    let mount = || node.call_driver(SHIM, &["mount", text(&node.pod("web")), "{}"]);
    node.add_driver("guest", &grants("compile-time = \"1ms\""));
    mount()
        .fails_with("cannot compile component \"guest\": ")
        .fails_with("(limits.compile-time)");
    node.add_driver("guest", &grants(""));
    mount().fails_with(said);
}

fn children(process: Pid) -> Vec<Pid> {
    let listed = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let listed = listed.unwrap_or_default();
    let numbers = listed
        .split_whitespace()
        .filter_map(|number| number.parse().ok());
    numbers.map(Pid::from_raw).collect()
}

fn runs(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, state)| !state.starts_with('Z'))
}

#[test]
fn the_process_that_compiles_is_the_first_to_go_and_goes_with_whoever_asked() {
    let node = Node::empty();
    let file = laborious().write(node.path("guest.wasm"));
    let mut asking = node
        .drivebay(&["inspect", text(&file)])
        .spawn()
        .expect("drivebay runs");
    let asker = Pid::from_raw(asking.id().cast_signed());
    let mut worker = None;
    eventually("the worker that compiles", || {
        worker = children(asker).first().copied();
        worker.is_some()
    });
    let worker = worker.expect("there");
    let proc = PathBuf::from(format!("/proc/{worker}"));
    let first_to_go = || fs::read_to_string(proc.join("oom_score_adj")).unwrap_or_default();
    eventually("it to be the first to go", || {
        first_to_go().trim() == "1000"
    });
    for number in 0..64 {
        let Ok(target) = fs::read_link(proc.join(format!("fd/{number}"))) else {
            continue;
        };
        // Others may be those of whoever runs the tests.
        assert!(
            number > 2 || is_pipe(&target),
            "{number} is {}",
            target.display()
        );
        assert!(
            !target.starts_with(node.path("")),
            "{number} is {}",
            target.display()
        );
    }
    kill(asker, Signal::SIGKILL).expect("ours");
    asking.wait().expect("it ends");
    eventually("the worker to be gone", || !runs(worker));
}

fn is_pipe(target: &Path) -> bool {
    target.to_string_lossy().starts_with("pipe:")
}
