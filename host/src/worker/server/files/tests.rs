use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Barrier;

use super::*;

mod hostile_pods;
mod leftovers;
mod modes;

struct Scratch {
    outer: tempfile::TempDir,
    dir: Dir,
}

/// A granted directory with something beside it that must stay out of reach.
fn scratch() -> Scratch {
    let outer = tempfile::tempdir().expect("a directory");
    fs::create_dir(outer.path().join("granted")).expect("made");
    fs::create_dir(outer.path().join("outside")).expect("made");
    fs::write(outer.path().join("outside/secret"), "secret").expect("written");
    let dir = open_local(&outer.path().join("granted")).expect("open");
    Scratch { outer, dir }
}

impl Scratch {
    fn at(&self, path: &str) -> PathBuf {
        self.outer.path().join("granted").join(path)
    }

    fn run(&self, operation: FileOperation) -> Result<Reply, Fault> {
        let notes = self.outer.path().join("notes");
        carry_out(&self.dir, operation, &notes, &Bounds::of_a_call())
    }

    fn kind(&self, operation: FileOperation) -> FaultKind {
        self.run(operation).expect_err("refused").kind
    }

    /// Nothing unfinished, and nothing changed outside.
    fn assert_clean(&self) {
        let left: Vec<_> = fs::read_dir(self.at(""))
            .expect("read")
            .map(|entry| entry.expect("entry").file_name())
            .collect();
        assert!(
            !left.iter().any(|name| is_partial(name.as_encoded_bytes())),
            "{left:?}"
        );
        assert_eq!(
            fs::read(self.outer.path().join("outside/secret")).expect("read"),
            b"secret"
        );
        assert_eq!(
            fs::read_dir(self.outer.path().join("outside"))
                .expect("read")
                .count(),
            1
        );
    }
}

fn make(path: &str, mode: u32) -> FileOperation {
    FileOperation::MakeDirectory {
        path: path.into(),
        mode,
    }
}

fn create(path: &str, content: &[u8]) -> FileOperation {
    FileOperation::Create {
        path: path.into(),
        content: content.into(),
    }
}

fn write(path: &str, content: &[u8]) -> FileOperation {
    FileOperation::Write {
        path: path.into(),
        content: content.into(),
    }
}

fn read(path: &str) -> FileOperation {
    FileOperation::Read { path: path.into() }
}

fn list(path: &str) -> FileOperation {
    FileOperation::List { path: path.into() }
}

fn set_mode(path: &str, mode: u32) -> FileOperation {
    FileOperation::SetMode {
        path: path.into(),
        mode,
    }
}

fn rename(source: &str, to: &str) -> FileOperation {
    FileOperation::Rename {
        source: source.into(),
        to: to.into(),
    }
}

fn remove(path: &str) -> FileOperation {
    FileOperation::Remove { path: path.into() }
}

/// Every operation that takes a path, each with the given one.
fn all_with(path: &str) -> Vec<FileOperation> {
    let (source, to) = (path.to_owned(), path.to_owned());
    vec![
        make(path, 0o755),
        set_mode(path, 0o777),
        list(path),
        read(path),
        create(path, b"x"),
        write(path, b"x"),
        rename(path, "elsewhere"),
        rename("file", path),
        remove(path),
        FileOperation::RemoveDirectory { path: path.into() },
        FileOperation::Look { path: path.into() },
        FileOperation::Copy {
            source: source.clone(),
            to: "elsewhere".into(),
        },
        FileOperation::Copy {
            source: "file".into(),
            to: to.clone(),
        },
        FileOperation::Archive {
            source: source.clone(),
            to: "elsewhere".into(),
            compression: crate::worker::Compression::None,
        },
        FileOperation::Archive {
            source: "sub".into(),
            to: to.clone(),
            compression: crate::worker::Compression::Gzip,
        },
        FileOperation::Extract {
            source,
            to: "elsewhere".into(),
        },
        FileOperation::Extract {
            source: "file".into(),
            to,
        },
    ]
}

#[test]
fn no_operation_leads_out_by_dots_or_an_absolute_path() {
    let scratch = scratch();
    let absolute = scratch.outer.path().join("outside/secret");
    fs::write(scratch.at("file"), "x").expect("written");
    fs::create_dir(scratch.at("sub")).expect("made");
    for path in [
        "../outside/secret",
        "sub/../../outside/secret",
        absolute.to_str().expect("text"),
    ] {
        for operation in all_with(path) {
            let text = format!("{operation:?}");
            assert_eq!(scratch.kind(operation), FaultKind::Denied, "{text}");
        }
    }
    scratch.assert_clean();
}

#[test]
fn no_operation_leads_out_through_a_symlink() {
    let scratch = scratch();
    fs::write(scratch.at("file"), "x").expect("written");
    fs::create_dir(scratch.at("sub")).expect("made");
    symlink("../outside", scratch.at("relative")).expect("linked");
    symlink(scratch.outer.path().join("outside"), scratch.at("absolute")).expect("linked");
    for path in [
        "relative/secret",
        "absolute/secret",
        "relative/new",
        "absolute/new",
    ] {
        for operation in all_with(path) {
            let text = format!("{operation:?}");
            assert_eq!(scratch.kind(operation), FaultKind::Denied, "{text}");
        }
    }
    for link in ["relative", "absolute"] {
        assert_eq!(scratch.kind(list(link)), FaultKind::Denied);
        assert_eq!(
            open_beneath(&scratch.dir, link).expect_err("refused").kind,
            FaultKind::Denied
        );
        assert_eq!(
            scratch.kind(make(&format!("{link}/new"), 0o755)),
            FaultKind::Denied
        );
    }
    scratch.assert_clean();
}

#[test]
fn directories_are_made_with_their_parents_and_the_mode_asked_for() {
    let scratch = scratch();
    assert_eq!(scratch.run(make("a/b/c", 0o1777)), Ok(Reply::Done));
    let mode = |path| scratch.at(path).metadata().expect("stat").mode() & 0o7777;
    assert_eq!(
        (mode("a"), mode("a/b"), mode("a/b/c")),
        (0o755, 0o755, 0o1777)
    );
    assert_eq!(scratch.run(make("a/b/c", 0o700)), Ok(Reply::Done));
    assert_eq!(mode("a/b/c"), 0o1777, "what is there keeps its mode");
    assert_eq!(scratch.run(make("", 0o700)), Ok(Reply::Done));
}

#[test]
fn a_directory_where_a_file_is_already_exists() {
    let scratch = scratch();
    fs::write(scratch.at("file"), "x").expect("written");
    symlink("nowhere", scratch.at("dangling")).expect("linked");
    for path in ["file", "file/below", "dangling"] {
        assert_eq!(scratch.kind(make(path, 0o755)), FaultKind::Exists, "{path}");
    }
    assert_eq!(scratch.kind(make("a", 0o100_755)), FaultKind::Invalid);
}

#[test]
fn set_group_id_of_the_parent_is_inherited() {
    let scratch = scratch();
    fs::set_permissions(scratch.at(""), fs::Permissions::from_mode(0o2755)).expect("set");
    scratch.run(make("a", 0o775)).expect("made");
    assert_eq!(
        scratch.at("a").metadata().expect("stat").mode() & 0o7777,
        0o2775
    );
}

#[test]
fn modes_are_set_on_the_directory_itself_on_files_and_on_pipes() {
    let scratch = scratch();
    fs::write(scratch.at("file"), "x").expect("written");
    nix::unistd::mkfifo(&scratch.at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    for path in ["", "file", "pipe"] {
        assert_eq!(
            scratch.run(set_mode(path, 0o711)),
            Ok(Reply::Done),
            "{path:?}"
        );
        assert_eq!(
            scratch.at(path).metadata().expect("stat").mode() & 0o7777,
            0o711
        );
    }
    assert_eq!(
        scratch.kind(set_mode("missing", 0o700)),
        FaultKind::NotFound
    );
    assert_eq!(scratch.kind(set_mode("file", 0o10_000)), FaultKind::Invalid);
}

#[test]
fn the_mode_of_what_a_symlink_points_to_is_not_set() {
    let scratch = scratch();
    fs::write(scratch.at("file"), "x").expect("written");
    fs::set_permissions(scratch.at("file"), fs::Permissions::from_mode(0o600)).expect("set");
    symlink("file", scratch.at("link")).expect("linked");
    assert_eq!(scratch.kind(set_mode("link", 0o777)), FaultKind::Invalid);
    assert_eq!(
        scratch.at("file").metadata().expect("stat").mode() & 0o7777,
        0o600
    );
}

#[test]
fn entries_are_listed_with_their_kinds_and_without_unfinished_work() {
    let scratch = scratch();
    fs::write(scratch.at("file"), "x").expect("written");
    fs::create_dir(scratch.at("directory")).expect("made");
    fs::create_dir(scratch.at(".x.drivebay-partial")).expect("made");
    symlink("nowhere", scratch.at("link")).expect("linked");
    nix::unistd::mkfifo(&scratch.at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    let Ok(Reply::Entries(mut entries)) = scratch.run(list("")) else {
        panic!("not listed")
    };
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.kind))
        .collect();
    let kinds = [
        EntryKind::Directory,
        EntryKind::File,
        EntryKind::Symlink,
        EntryKind::Other,
    ];
    assert_eq!(
        found,
        ["directory", "file", "link", "pipe"]
            .into_iter()
            .zip(kinds)
            .collect::<Vec<_>>()
    );
    assert_eq!(scratch.kind(list("missing")), FaultKind::NotFound);
    assert_eq!(scratch.kind(list("file")), FaultKind::Invalid);
}

#[test]
fn ten_thousand_entries_are_listed_and_one_more_is_exhausted() {
    let scratch = scratch();
    for number in 0..MAX_ENTRIES {
        fs::write(scratch.at(&number.to_string()), "").expect("written");
    }
    assert!(
        matches!(scratch.run(list("")), Ok(Reply::Entries(entries)) if entries.len() == MAX_ENTRIES)
    );
    fs::write(scratch.at("more"), "").expect("written");
    assert_eq!(scratch.kind(list("")), FaultKind::Exhausted);
}

#[test]
fn small_files_are_read_and_others_are_not() {
    let scratch = scratch();
    fs::write(scratch.at("largest"), vec![7; 65_536]).expect("written");
    fs::write(scratch.at("larger"), vec![7; 65_537]).expect("written");
    nix::unistd::mkfifo(&scratch.at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    fs::create_dir(scratch.at("directory")).expect("made");
    assert_eq!(
        scratch.run(read("largest")),
        Ok(Reply::Content(vec![7; 65_536]))
    );
    assert_eq!(scratch.kind(read("larger")), FaultKind::Exhausted);
    assert_eq!(scratch.kind(read("missing")), FaultKind::NotFound);
    assert_eq!(scratch.kind(read("pipe")), FaultKind::Invalid);
    assert_eq!(scratch.kind(read("directory")), FaultKind::Invalid);
    assert_eq!(scratch.kind(read("")), FaultKind::Denied);
}

#[test]
fn a_file_is_created_once() {
    let scratch = scratch();
    assert_eq!(scratch.run(create("file", b"first")), Ok(Reply::Done));
    assert_eq!(scratch.kind(create("file", b"second")), FaultKind::Exists);
    assert_eq!(fs::read(scratch.at("file")).expect("read"), b"first");
    assert_eq!(
        scratch.kind(create("missing/file", b"")),
        FaultKind::NotFound
    );
    assert_eq!(
        scratch.kind(create("large", &vec![0; 65_537])),
        FaultKind::Exhausted
    );
    symlink("nowhere", scratch.at("dangling")).expect("linked");
    assert_eq!(scratch.kind(create("dangling", b"x")), FaultKind::Exists);
    scratch.assert_clean();
}

#[test]
fn of_racing_writers_one_creates_the_file() {
    let scratch = scratch();
    let start = Barrier::new(8);
    let writers: Vec<String> = (0..8).map(|number| format!("writer {number}")).collect();
    let results: Vec<_> = std::thread::scope(|scope| {
        let race = |text: &String| {
            start.wait();
            scratch.run(create("file", text.as_bytes()))
        };
        let threads: Vec<_> = writers
            .iter()
            .map(|text| scope.spawn(move || race(text)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("ended"))
            .collect()
    });
    let winners: Vec<_> = results
        .iter()
        .zip(&writers)
        .filter(|(result, _)| result.is_ok())
        .map(|(_, text)| text)
        .collect();
    assert_eq!(winners.len(), 1);
    assert!(
        results
            .iter()
            .filter_map(|result| result.as_ref().err())
            .all(|fault| fault.kind == FaultKind::Exists)
    );
    assert_eq!(
        fs::read_to_string(scratch.at("file")).expect("read"),
        *winners[0]
    );
    scratch.assert_clean();
}

#[test]
fn a_written_file_replaces_the_old_one_and_keeps_its_mode() {
    let scratch = scratch();
    assert_eq!(scratch.run(write("file", b"first")), Ok(Reply::Done));
    scratch.run(set_mode("file", 0o640)).expect("set");
    assert_eq!(scratch.run(write("file", b"second")), Ok(Reply::Done));
    assert_eq!(fs::read(scratch.at("file")).expect("read"), b"second");
    assert_eq!(
        scratch.at("file").metadata().expect("stat").mode() & 0o7777,
        0o640
    );
    scratch.assert_clean();
}

#[test]
fn writing_replaces_a_symlink_instead_of_following_it() {
    let scratch = scratch();
    symlink("../outside/secret", scratch.at("link")).expect("linked");
    assert_eq!(scratch.run(write("link", b"mine")), Ok(Reply::Done));
    assert!(
        scratch
            .at("link")
            .symlink_metadata()
            .expect("stat")
            .is_file()
    );
    fs::create_dir(scratch.at("directory")).expect("made");
    assert!(scratch.run(write("directory", b"x")).is_err());
    scratch.assert_clean();
}

#[test]
fn a_rename_moves_and_never_replaces() {
    let scratch = scratch();
    fs::create_dir_all(scratch.at("tree/sub")).expect("made");
    fs::create_dir(scratch.at("empty")).expect("made");
    fs::write(scratch.at("file"), "x").expect("written");
    assert_eq!(scratch.kind(rename("tree", "empty")), FaultKind::Exists);
    assert_eq!(scratch.kind(rename("file", "tree")), FaultKind::Exists);
    assert_eq!(scratch.kind(rename("missing", "new")), FaultKind::NotFound);
    assert_eq!(
        scratch.kind(rename("tree", "tree/sub/self")),
        FaultKind::Invalid
    );
    assert_eq!(scratch.kind(rename("", "new")), FaultKind::Denied);
    assert_eq!(scratch.run(rename("tree", "empty/tree")), Ok(Reply::Done));
    assert!(scratch.at("empty/tree/sub").is_dir() && !scratch.at("tree").exists());
}

#[test]
fn a_tree_is_removed_missing_is_success_and_the_directory_itself_is_denied() {
    let scratch = scratch();
    fs::create_dir_all(scratch.at("tree/a/b")).expect("made");
    fs::write(scratch.at("tree/a/file"), "x").expect("written");
    symlink("../../outside", scratch.at("tree/link")).expect("linked");
    for path in ["tree", "tree", "tree/a", "missing/below"] {
        assert_eq!(scratch.run(remove(path)), Ok(Reply::Done), "{path}");
    }
    assert!(!scratch.at("tree").exists());
    for path in ["", "//", "."] {
        assert!(matches!(
            scratch.kind(remove(path)),
            FaultKind::Denied | FaultKind::Invalid
        ));
    }
    assert_eq!(scratch.kind(remove("")), FaultKind::Denied);
    scratch.assert_clean();
}

#[test]
fn an_entry_is_looked_at_and_no_symlink_followed() {
    let scratch = scratch();
    fs::write(scratch.at("file"), "12345").expect("written");
    fs::set_permissions(scratch.at("file"), fs::Permissions::from_mode(0o640)).expect("set");
    symlink("file", scratch.at("link")).expect("made");
    symlink("../outside", scratch.at("out")).expect("made");
    let look = |path: &str| match scratch.run(FileOperation::Look { path: path.into() }) {
        Ok(Reply::Properties(found)) => Ok(found),
        Ok(other) => panic!("{other:?}"),
        Err(fault) => Err(fault.kind),
    };
    let file = look("file").expect("there");
    assert_eq!(
        (file.kind, file.mode, file.size_bytes),
        (EntryKind::File, 0o640, 5)
    );
    let modified = fs::metadata(scratch.at("file")).expect("there").mtime();
    assert_eq!(Ok(file.modified_at_seconds), u64::try_from(modified));
    assert_eq!(look("").expect("itself").kind, EntryKind::Directory);
    for link in ["link", "out"] {
        assert_eq!(look(link).expect("there").kind, EntryKind::Symlink);
    }
    assert_eq!(look("missing"), Err(FaultKind::NotFound));
    assert_eq!(look("missing/below"), Err(FaultKind::NotFound));
    for out in ["../outside", "out/secret", "/etc"] {
        assert_eq!(look(out), Err(FaultKind::Denied), "{out}");
    }
    scratch.assert_clean();
}

#[test]
fn only_an_empty_directory_is_removed_as_one() {
    let scratch = scratch();
    fs::create_dir_all(scratch.at("full/empty")).expect("made");
    fs::write(scratch.at("file"), "x").expect("written");
    symlink("full", scratch.at("link")).expect("made");
    let remove = |path: &str| FileOperation::RemoveDirectory { path: path.into() };
    for kept in ["full", "file", "link"] {
        assert_eq!(
            scratch.kind(remove(kept)),
            FaultKind::Precondition,
            "{kept}"
        );
    }
    for path in ["full/empty", "full/empty", "full", "missing/below"] {
        assert_eq!(scratch.run(remove(path)), Ok(Reply::Done), "{path}");
    }
    assert!(!scratch.at("full").exists());
    for out in ["", "../outside", "/tmp"] {
        assert_eq!(scratch.kind(remove(out)), FaultKind::Denied, "{out:?}");
    }
    scratch.assert_clean();
}

#[test]
fn usage_is_that_of_the_file_system() {
    let scratch = scratch();
    let Ok(Reply::Usage(usage)) = scratch.run(FileOperation::Usage) else {
        panic!("no usage")
    };
    assert!(usage.total_bytes >= usage.available_bytes && usage.available_bytes > 0);
}

#[test]
fn a_granted_directory_must_be_a_directory() {
    let scratch = scratch();
    fs::write(scratch.at("file"), "x").expect("written");
    assert_eq!(
        open_local(&scratch.at("file")).expect_err("refused").kind,
        FaultKind::Invalid
    );
    assert_eq!(
        open_local(&scratch.at("missing"))
            .expect_err("refused")
            .kind,
        FaultKind::NotFound
    );
    assert!(open_beneath(&scratch.dir, "").is_ok());
}
