//! Somebody with an account on the node, where a directory of the host's was left open to him: what he puts there is
//! neither followed nor believed, and the operator is told.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use drivebay_tests::{NOBODY, Node, Volume, guest, text};

/// Lets everybody write there.
fn open(directory: &Path) {
    fs::create_dir_all(directory).expect("writable");
    fs::set_permissions(directory, Permissions::from_mode(0o777)).expect("ours");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

/// A link to a file of root's, as somebody else would make it.
fn plant(link: &Path, precious: &Path) {
    symlink(precious, link).expect("free");
    lchown(link, Some(NOBODY), Some(NOBODY)).expect("root");
}

/// What nobody but root may write.
fn precious(node: &Node) -> PathBuf {
    let file = node.path("precious");
    fs::write(&file, "kept").expect("writable");
    file
}

#[track_caller]
fn is_kept(precious: &Path) {
    assert_eq!(fs::read_to_string(precious).expect("there"), "kept");
}

#[track_caller]
fn only_file(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory).expect("there").flatten();
    let paths = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file());
    let paths: Vec<PathBuf> = paths.collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    paths[0].clone()
}

#[test]
fn a_link_in_the_place_of_a_lock_is_not_followed() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let (locks, precious) = (node.path("run/locks/local"), precious(&node));
    let lock = only_file(&locks);
    let pod = node.pod("web");
    fs::remove_file(&lock).expect("there");
    symlink(&precious, &lock).expect("free");
    node.unchanged_by(|| volume.mount(&pod).fails_with("cannot lock"));
    lchown(&lock, Some(NOBODY), None).expect("root");
    open(&locks);
    node.unchanged_by(|| volume.mount(&pod).fails_with("belongs to user 65534"));
    is_kept(&precious);
    fs::remove_file(&lock).expect("there");
    volume.mount(&pod).succeeds();
    assert_eq!(mode(&locks), 0o755, "others can write there still");
    assert!(
        node.log().contains("that right was taken away"),
        "{}",
        node.log()
    );
}

#[test]
fn names_that_could_be_foreseen_are_not_written_through() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let (journal, precious) = (node.path("state/journal/local"), precious(&node));
    let note = only_file(&journal.join("paths"));
    let name = note
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    volume.unmount_device().succeeds();
    // The processes that come next.
    let own = std::process::id();
    for process in own..own + 4000 {
        let link = journal.join(format!("unfinished/.{name}.{process}.tmp"));
        symlink(&precious, &link).expect("free");
    }
    volume.mount_device().succeeds();
    is_kept(&precious);
}

#[test]
fn what_others_have_put_into_the_state_directory_is_named_until_it_is_removed() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let journal = node.path("state/journal");
    open(&journal);
    let theirs = journal.join("theirs");
    plant(&theirs, &precious(&node));
    for _ in 0..2 {
        let failed = volume
            .mount(&node.pod("web"))
            .fails_with("belongs to user 65534");
        assert!(failed.message().contains(text(&theirs)), "{}", failed.text);
    }
    fs::remove_file(&theirs).expect("there");
    volume.mount(&node.pod("web")).succeeds();
    assert_eq!(mode(&journal), 0o755);
}

#[test]
fn a_state_directory_that_others_can_exchange_is_refused_with_what_to_do() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let above = node.path("");
    let before = mode(&above);
    open(&above);
    let failed = volume
        .mount(&node.pod("web"))
        .fails_with("mode 0777; chmod go-w");
    let named = text(&above).trim_end_matches('/').to_owned();
    assert!(failed.message().contains(&named), "{}", failed.text);
    fs::set_permissions(&above, Permissions::from_mode(before)).expect("ours");
    volume.mount(&node.pod("web")).succeeds();
}

#[test]
fn a_program_that_others_can_write_is_not_run_as_root() {
    let node = Node::with_local("v1");
    fs::remove_dir_all(node.path("state/compiled")).expect("there");
    let program = node.path("state/bin/drivebay");
    fs::set_permissions(&program, Permissions::from_mode(0o777)).expect("ours");
    let volume = Volume::new(&node, "v1", &[]);
    node.unchanged_by(|| volume.attach().fails_with("chmod go-w"));
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("ours");
    volume.attach().succeeds();
}

#[test]
fn a_link_in_the_place_of_the_log_gets_no_line() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let precious = precious(&node);
    open(&node.path("log"));
    for name in ["flexvolume.log", "flexvolume.log.1"] {
        let _ = fs::remove_file(node.path("log").join(name));
    }
    let log = node.path("log/flexvolume.log");
    let fails = || {
        volume
            .mount(&node.path("no/parent/here"))
            .fails_with("cannot make target directory")
    };
    plant(&log, &precious);
    fails();
    is_kept(&precious);
    fs::remove_file(&log).expect("there");
    fails();
    assert!(node.log().contains("cannot make target directory"));
    assert_eq!(mode(&node.path("log")) & 0o022, 0);
}

#[test]
fn drivers_files_in_an_open_directory_are_not_believed() {
    let node = Node::with_local("v1");
    let drivers = node.path("etc/drivers.d");
    open(&drivers);
    node.unchanged_by(|| {
        let failed = node.call(&["init"]).fails_with("is not trusted");
        assert!(
            failed.message().contains("mode 0777; chmod go-w"),
            "{}",
            failed.text
        );
    });
    fs::set_permissions(&drivers, Permissions::from_mode(0o755)).expect("ours");
    node.call(&["init"]).succeeds();
}

#[test]
fn no_shim_is_installed_where_others_could_exchange_it() {
    let node = Node::with_local("v1");
    let precious = precious(&node);
    for directory in [node.path("plugins/drivebay~local"), node.path("plugins")] {
        let shim = node.path("plugins/drivebay~local/local");
        fs::write(&shim, "old").expect("writable");
        let before = mode(&directory);
        open(&directory);
        let hidden = directory.join(".local.new");
        plant(&hidden, &precious);
        let plugins = node.path("plugins");
        let arguments = [
            "install",
            text(guest("local").as_path()),
            "--plugin-dir",
            text(&plugins),
        ]
        .map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = node.drivebay(&arguments).output().expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("mode 0777; chmod go-w"), "{said}");
        assert!(said.contains(text(&directory)), "{said}");
        is_kept(&precious);
        assert_eq!(
            mode(&precious) & 0o111,
            0,
            "the link's target became a program"
        );
        fs::remove_file(&hidden).expect("there");
        fs::set_permissions(&directory, Permissions::from_mode(before)).expect("ours");
    }
    node.install(&[&guest("local")]);
    node.call(&["init"]).succeeds();
}

#[test]
fn check_names_every_directory_that_is_too_open_and_changes_nothing() {
    let node = Node::with_local("v1");
    let _staged = Volume::new(&node, "v1", &[]).staged();
    let check = || {
        let output = node.drivebay(&["check"]).output().expect("drivebay runs");
        let said = [output.stdout, output.stderr].concat();
        (
            String::from_utf8(said).expect("text"),
            output.status.success(),
        )
    };
    assert!(check().1, "{}", check().0);
    for directory in [
        "state",
        "state/bin",
        "state/components",
        "state/components/sha256",
        "state/compiled",
        "state/journal",
        "state/journal/local",
        "state/journal/local/unfinished",
        "state/jobs",
        "run",
        "run/locks",
        "run/locks/local",
        "run/serve",
        "log",
        "etc/drivers.d",
        "etc",
    ] {
        let path = node.path(directory);
        fs::create_dir_all(&path).expect("writable");
        let before = mode(&path);
        open(&path);
        let (said, ended_well) = check();
        assert!(!ended_well, "{directory}: {said}");
        let words = format!("{}, which has mode 0777; chmod go-w", path.display());
        assert!(said.contains(&words), "{directory}: {said}");
        assert_eq!(mode(&path), 0o777, "{directory}");
        fs::set_permissions(&path, Permissions::from_mode(before)).expect("ours");
    }
    assert!(check().1, "{}", check().0);
}

#[test]
fn check_names_a_key_that_others_could_exchange() {
    let node = Node::with_local("v1");
    let keys = node.path("keys");
    fs::create_dir(&keys).expect("writable");
    for name in ["id", "secret"] {
        fs::write(keys.join(name), "x").expect("writable");
    }
    let key = format!(
        "[grants.signing.key]\nsource = \"file\"\nid-file = {:?}\nsecret-file = {:?}\n",
        keys.join("id"),
        keys.join("secret")
    );
    node.add_driver("local", &(node.local_grants() + &key));
    let check = || node.drivebay(&["check"]).output().expect("drivebay runs");
    assert!(check().status.success());
    open(&keys);
    let output = check();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains(&format!("{}, which has mode 0777", keys.display())),
        "{said}"
    );
}

/// Files that have anything to do with a volume, of what is kept while it is used.
fn kept(node: &Node) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in ["run/locks", "run/staging", "state/journal"] {
        files_beneath(&node.path(directory), &mut found);
    }
    // Of all calls that change nothing.
    found.retain(|path| {
        !path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("readers-"))
    });
    found
}

fn files_beneath(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => files_beneath(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

#[test]
fn when_all_volumes_are_gone_nothing_of_them_is_kept() {
    let node = Node::with_local("v1");
    let nothing: Vec<PathBuf> = Vec::new();
    let run = |arguments: &[&str]| {
        let all = [&["run", "local"], arguments].concat();
        let output = node.drivebay(&all).output().expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str::<serde_json::Value>(&said).expect("an object")
    };
    let id = |volume: serde_json::Value| volume["id"].as_str().expect("an id").to_owned();
    let one = id(run(&["create-volume", "--name", "one", "--size", "1Gi"]));
    let two = id(run(&[
        "create-volume",
        "--name",
        "two",
        "--from-volume",
        &one,
    ]));
    assert_eq!(kept(&node), nothing);
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    volume.mount(&pod).succeeds();
    let is_lock = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "lock");
    assert_eq!(kept(&node).iter().filter(|path| is_lock(path)).count(), 1);
    volume.unmount(&pod).succeeds();
    volume.unmount_device().succeeds();
    volume.detach().succeeds();
    for id in [&one, &two] {
        run(&["delete-volume", id]);
    }
    assert_eq!(kept(&node), nothing);
}

#[test]
fn a_call_that_fails_leaves_no_lock() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "missing", &[]);
    let answer = volume.attach();
    assert_eq!(answer.status(), "Failure", "{}", answer.text);
    assert_eq!(kept(&node), Vec::<PathBuf>::new());
}
