use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::config::load_each_driver;

/// A pod's configuration, and the node's.
struct Copying {
    _root: tempfile::TempDir,
    paths: Paths,
    to: PathBuf,
}

impl Copying {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::beneath(root.path());
        fs::create_dir_all(paths.drivers()).expect("writable");
        let to = root.path().join("node/etc/drivebay");
        Self {
            _root: root,
            paths,
            to,
        }
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.paths.config.join(name);
        fs::create_dir_all(file.parent().expect("one")).expect("writable");
        fs::write(file, text).expect("writable");
    }

    /// A driver that names a CA and a key.
    fn driver(&self, name: &str) {
        let config = self.paths.config.display();
        let text = format!(
            "component = \"x\"\n[grants.https.api]\norigin = \"https://example.com\"\nmethods = [\"GET\"]\npaths = [\"/\"]\nca = \"{config}/ca/{name}.pem\"\n[grants.signing.key]\nsource = \"file\"\nid-file = \"{config}/keys/id\"\nsecret-file = \"{config}/keys/secret\"\n"
        );
        self.write(&format!("drivers.d/{name}.toml"), &text);
        self.write(&format!("ca/{name}.pem"), "certificates");
        self.write("keys/id", "id");
        self.write("keys/secret", "secret");
    }

    fn update_with(&self, keys: KeyFiles) -> Copied {
        let drivers = load_each_driver(&self.paths).expect("readable");
        let copy = NodeCopy::new(&self.paths, self.to.clone(), keys);
        copy.update(&drivers).expect("writable")
    }

    fn update(&self) -> Copied {
        self.update_with(KeyFiles::Left)
    }

    fn copied(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.to.join(name)).ok()
    }

    fn mode(&self, name: &str) -> u32 {
        let found = fs::metadata(self.to.join(name)).expect("there");
        found.mode() & 0o7777
    }
}

fn names(paths: &[PathBuf]) -> Vec<String> {
    let shown = paths.iter().map(|path| path.display().to_string());
    shown.collect()
}

#[test]
fn drivers_files_come_after_what_they_name_and_stay_the_same() {
    let node = Copying::new();
    node.driver("a");
    let copied = node.update();
    assert_eq!(names(&copied.written), ["ca/a.pem", "drivers.d/a.toml"]);
    assert_eq!(node.copied("ca/a.pem").as_deref(), Some("certificates"));
    assert_eq!(
        node.copied("drivers.d/a.toml"),
        fs::read_to_string(node.paths.drivers().join("a.toml")).ok()
    );
    assert_eq!(node.mode("drivers.d/a.toml"), 0o644);
    let again = node.update();
    assert_eq!((again.written, again.removed), (Vec::new(), Vec::new()));
    node.write("ca/a.pem", "other certificates");
    assert_eq!(names(&node.update().written), ["ca/a.pem"]);
    assert_eq!(
        node.copied("ca/a.pem").as_deref(),
        Some("other certificates")
    );
}

#[test]
fn what_a_file_names_beside_itself_comes_along_by_the_links_of_a_mounted_config_map() {
    let node = Copying::new();
    let text = "component = \"x\"\n[grants.https.api]\norigin = \"https://example.com\"\nmethods = [\"GET\"]\npaths = [\"/\"]\nca = \"ca.pem\"\n";
    node.write("drivers.d/..1/a.toml", text);
    node.write("drivers.d/..1/ca.pem", "certificates");
    let drivers = node.paths.drivers();
    symlink("..1", drivers.join("..data")).expect("free");
    for name in ["a.toml", "ca.pem"] {
        symlink(format!("..data/{name}"), drivers.join(name)).expect("free");
    }
    let copied = node.update();
    assert_eq!(
        names(&copied.written),
        ["drivers.d/ca.pem", "drivers.d/a.toml"]
    );
    assert_eq!((copied.notes, copied.problems), (Vec::new(), Vec::new()));
    assert_eq!(
        node.copied("drivers.d/ca.pem").as_deref(),
        Some("certificates")
    );
    // The copy names its own.
    let there = Paths {
        config: node.to.clone(),
        ..node.paths.clone()
    };
    let of_copy = load_each_driver(&there).expect("readable").remove(0).1;
    let named = of_copy.expect("right").grants.https["api"].ca.clone();
    assert_eq!(named, Some(node.to.join("drivers.d/ca.pem")));
    fs::remove_file(drivers.join("a.toml")).expect("there");
    let removed = node.update().removed;
    assert_eq!(names(&removed), ["drivers.d/a.toml", "drivers.d/ca.pem"]);
}

#[test]
fn nothing_is_copied_that_lies_elsewhere_is_too_large_or_somebody_elses() {
    let node = Copying::new();
    node.driver("a");
    node.driver("b");
    let ca = node.paths.config.join("ca/a.pem");
    let secret = node.paths.config.parent().expect("one").join("secret");
    fs::write(&secret, "secret").expect("writable");
    let put: [(&dyn Fn(), &str); 4] = [
        (
            &|| symlink(&secret, &ca).expect("free"),
            "leads out of the directory",
        ),
        (
            &|| fs::write(&ca, vec![b'x'; (1 << 20) + 1]).expect("writable"),
            "larger than the 1048576 bytes",
        ),
        (
            &|| {
                fs::write(&ca, "theirs").expect("writable");
                std::os::unix::fs::chown(&ca, Some(65_534), None).expect("root");
            },
            "belongs to user 65534",
        ),
        (&|| fs::create_dir(&ca).expect("free"), "not a regular file"),
    ];
    for (put, reason) in put {
        fs::remove_file(&ca).expect("there");
        put();
        let copied = node.update();
        let told = copied.problems.join("\n");
        assert!(
            told.starts_with("driver a: ") && told.contains(reason),
            "{told}"
        );
        assert!(node.copied("ca/a.pem").is_none(), "{reason}");
        assert!(node.copied("drivers.d/a.toml").is_none(), "{reason}");
        assert!(node.copied("drivers.d/b.toml").is_some(), "{reason}");
    }
}

#[test]
fn keys_are_copied_where_that_is_asked_for_and_nowhere_else() {
    let node = Copying::new();
    node.driver("a");
    let told = node.update().notes;
    assert!(node.copied("keys/secret").is_none());
    assert!(
        told.iter()
            .any(|it| it.contains("keys/secret holds a key and is not copied")),
        "{told:?}"
    );
    let copied = node.update_with(KeyFiles::Copied);
    assert_eq!((copied.notes, copied.problems), (Vec::new(), Vec::new()));
    assert_eq!(node.copied("keys/secret").as_deref(), Some("secret"));
    assert_eq!(node.mode("keys/secret"), 0o600);
    // Who no longer asks for them wants them gone.
    assert_eq!(names(&node.update().removed), ["keys/id", "keys/secret"]);
    assert!(node.copied("keys/secret").is_none());
}

#[test]
fn a_driver_that_is_gone_takes_its_files_along_and_nothing_of_anybody_elses() {
    let node = Copying::new();
    node.driver("a");
    node.driver("b");
    node.update();
    fs::write(node.to.join("drivers.d/own.toml"), "theirs").expect("writable");
    fs::remove_file(node.paths.drivers().join("a.toml")).expect("there");
    let removed = node.update().removed;
    assert_eq!(names(&removed), ["drivers.d/a.toml", "ca/a.pem"]);
    assert_eq!(node.copied("drivers.d/own.toml").as_deref(), Some("theirs"));
    assert!(node.copied("drivers.d/b.toml").is_some());
    assert!(node.copied("ca/b.pem").is_some());
}

#[test]
fn what_the_operator_put_or_changed_there_is_neither_replaced_nor_removed() {
    let node = Copying::new();
    fs::create_dir_all(node.to.join("drivers.d")).expect("writable");
    fs::write(node.to.join("drivers.d/a.toml"), "theirs").expect("writable");
    symlink("/etc/passwd", node.to.join("drivers.d/b.toml")).expect("free");
    for name in ["a", "b", "c"] {
        node.driver(name);
    }
    let told = node.update().problems.join("\n");
    for kept in [
        "a.toml is not as `drivebay install` wrote it",
        "b.toml is not as",
    ] {
        assert!(told.contains(kept), "{told}");
    }
    assert_eq!(node.copied("drivers.d/a.toml").as_deref(), Some("theirs"));
    fs::write(node.to.join("drivers.d/c.toml"), "edited").expect("ours");
    fs::remove_file(node.paths.drivers().join("c.toml")).expect("there");
    let copied = node.update();
    assert_eq!(names(&copied.removed), ["ca/c.pem"]);
    assert!(copied.problems.join("\n").contains("c.toml is not as"));
    assert_eq!(node.copied("drivers.d/c.toml").as_deref(), Some("edited"));
}

#[test]
fn a_wrong_file_leaves_the_copy_of_it_and_of_all_that_it_may_name() {
    let node = Copying::new();
    node.driver("a");
    node.driver("b");
    node.update();
    let before = node.copied("drivers.d/a.toml");
    node.write("drivers.d/a.toml", "component = 7");
    fs::remove_file(node.paths.drivers().join("b.toml")).expect("there");
    let copied = node.update();
    assert_eq!(names(&copied.removed), ["drivers.d/b.toml"]);
    assert!(copied.problems[0].starts_with("driver a: "), "{copied:?}");
    assert_eq!(node.copied("drivers.d/a.toml"), before);
    assert!(node.copied("ca/a.pem").is_some() && node.copied("ca/b.pem").is_some());
    // As soon as all is right again, what nothing names goes.
    node.driver("a");
    assert_eq!(names(&node.update().removed), ["ca/b.pem"]);
}

#[test]
fn after_a_crash_amid_a_replacement_the_file_is_known_as_ours_still() {
    let node = Copying::new();
    node.driver("a");
    node.update();
    // As it is noted before the rename, and after it.
    let mut written = Written::read(&node.to).expect("readable");
    let place = Path::new("ca/a.pem");
    written.add(place, &sha256_hex("other certificates"));
    written.keep(&node.to).expect("writable");
    for content in ["certificates", "other certificates"] {
        fs::write(node.to.join(place), content).expect("writable");
        node.write("ca/a.pem", &format!("newer than {content}"));
        written.keep(&node.to).expect("writable");
        assert_eq!(names(&node.update().written), ["ca/a.pem"], "{content}");
    }
}

#[test]
fn a_directory_that_others_may_write_gets_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let node = Copying::new();
    node.driver("a");
    fs::create_dir_all(&node.to).expect("writable");
    fs::set_permissions(&node.to, fs::Permissions::from_mode(0o777)).expect("ours");
    let drivers = load_each_driver(&node.paths).expect("readable");
    let copy = NodeCopy::new(&node.paths, node.to.clone(), KeyFiles::Left);
    let error = copy.update(&drivers).expect_err("too open").to_string();
    assert!(error.contains("chmod go-w"), "{error}");
    assert!(node.copied("drivers.d/a.toml").is_none());
}

#[test]
fn only_what_lies_beneath_the_directory_by_its_name_does() {
    let directory = Path::new("/etc/drivebay");
    for (file, place) in [
        ("/etc/drivebay/ca.pem", Some("ca.pem")),
        ("/etc/drivebay/keys/a/id", Some("keys/a/id")),
        ("/etc/drivebay", None),
        ("/etc/drivebay/../shadow", None),
        ("/etc/ssl/ca.pem", None),
    ] {
        assert_eq!(
            beneath(directory, Path::new(file)),
            place.map(PathBuf::from),
            "{file}"
        );
    }
}
