use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;

/// The directory goes with the first value.
fn endpoint() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("csi.sock");
    (directory, path)
}

fn names_beside(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory_of(path)).expect("readable");
    let name = |entry: io::Result<DirEntry>| entry.expect("readable").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn is_called(listener: &UnixListener) -> bool {
    listener.set_nonblocking(true).expect("a socket");
    listener.accept().is_ok()
}

#[test]
fn a_dead_ones_socket_is_replaced_nothing_lies_beside_it_and_only_root_may_connect() {
    let (_directory, path) = endpoint();
    drop(UnixListener::bind(&path).expect("the first"));
    let (_name, listener, predecessor) = SocketName::take_over(&path).expect("the second");
    assert_eq!(predecessor, Predecessor::Nobody);
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(names_beside(&path), ["csi.sock"]);
    UnixStream::connect(&path).expect("it listens");
    assert!(is_called(&listener));
}

#[test]
fn a_living_one_keeps_its_callers_and_the_next_one_gets_those_that_come() {
    let (_directory, path) = endpoint();
    let (old, old_listener, _) = SocketName::take_over(&path).expect("the first");
    let _waiting = UnixStream::connect(&path).expect("the first listens");
    let (_new, new_listener, predecessor) = SocketName::take_over(&path).expect("the second");
    assert_eq!(predecessor, Predecessor::Alive);
    // The look whether somebody listens was a caller too, who went away.
    assert!(is_called(&old_listener) && is_called(&old_listener) && !is_called(&old_listener));
    assert!(!is_called(&new_listener));
    let _coming = UnixStream::connect(&path).expect("the second listens");
    assert!(is_called(&new_listener) && !is_called(&old_listener));
    old.give_up().expect("not its own any more");
    UnixStream::connect(&path).expect("still there");
}

#[test]
fn whoever_ends_takes_only_its_own_name_away() {
    let (_directory, path) = endpoint();
    let (name, listener, _) = SocketName::take_over(&path).expect("free");
    name.give_up().expect("its own");
    assert!(!path.exists());
    name.give_up().expect("nothing to do");
    fs::write(&path, "precious").expect("writable");
    name.give_up().expect("not its own");
    assert_eq!(fs::read(&path).expect("still there"), b"precious");
    drop(listener);
}

#[test]
fn what_is_not_a_socket_is_refused_and_stays() {
    let (_directory, path) = endpoint();
    fs::write(&path, "precious").expect("writable");
    let error = SocketName::take_over(&path).expect_err("a file");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(fs::read(&path).expect("still there"), b"precious");
    assert_eq!(names_beside(&path), ["csi.sock"]);
}

#[test]
fn what_a_process_left_that_was_killed_before_its_rename_goes_with_the_next_start() {
    let (directory, path) = endpoint();
    let left = directory.path().join(".drivebay-0badcafe.sock");
    drop(UnixListener::bind(&left).expect("free"));
    let others = directory.path().join("other.sock");
    drop(UnixListener::bind(&others).expect("free"));
    let _taken = SocketName::take_over(&path).expect("free");
    assert_eq!(names_beside(&path), ["csi.sock", "other.sock"]);
}

#[test]
fn what_one_has_that_is_about_to_rename_is_left_alone() {
    let (directory, path) = endpoint();
    let at_work = lock_directory_of(&path).expect("free");
    let aside = directory.path().join(".drivebay-0badcafe.sock");
    let _listener = UnixListener::bind(&aside).expect("free");
    let error = SocketName::take_over(&path).expect_err("locked");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(aside.exists());
    drop(at_work);
    SocketName::take_over(&path).expect("free");
}

#[test]
fn the_name_is_taken_back_from_one_that_went_and_not_from_one_that_stays() {
    let (_directory, path) = endpoint();
    let (mut old, _old_listener, _) = SocketName::take_over(&path).expect("free");
    assert!(old.take_back().expect("looked at").is_none());
    let (new, _new_listener, _) = SocketName::take_over(&path).expect("taken over");
    assert!(old.take_back().expect("looked at").is_none());
    new.give_up().expect("its own");
    let listener = old.take_back().expect("looked at").expect("deserted");
    UnixStream::connect(&path).expect("it listens again");
    assert!(is_called(&listener));
    let (killed, killed_listener, _) = SocketName::take_over(&path).expect("taken over");
    drop(killed_listener);
    let back = old.take_back().expect("looked at");
    assert!(back.is_some() && UnixStream::connect(&path).is_ok());
    drop(killed);
    assert!(path.exists());
}

#[test]
fn a_name_that_fills_an_address_can_be_taken_over() {
    let (directory, _) = endpoint();
    let room = 107 - "/csi.sock".len() - directory.path().as_os_str().len() - 1;
    let long = directory.path().join("d".repeat(room));
    fs::create_dir(&long).expect("writable");
    let path = long.join("csi.sock");
    assert_eq!(path.as_os_str().len(), 107);
    let _first = SocketName::take_over(&path).expect("it fits");
    let _second = SocketName::take_over(&path).expect("it fits");
    UnixStream::connect(&path).expect("it listens");
    assert_eq!(names_beside(&path), ["csi.sock"]);
}

#[test]
fn nobody_is_refused_while_several_take_it_over_and_end() {
    let (_directory, path) = endpoint();
    let (mut latest, listener, _) = SocketName::take_over(&path).expect("free");
    // Whoever was replaced goes on accepting: somebody may have found its socket just before.
    listener.set_nonblocking(true).expect("a socket");
    let listeners = Mutex::new(vec![listener]);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let caller = || {
            let mut refused = 0;
            while !is_over.load(Ordering::Relaxed) {
                refused += usize::from(UnixStream::connect(&path).is_err());
            }
            refused
        };
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for listener in listeners.lock().expect("no panic").iter() {
                    // Callers come without end.
                    let _accepted = (0..64).take_while(|_| listener.accept().is_ok()).count();
                }
                // So that the lock is had by whoever adds one.
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let callers: Vec<_> = (0..2).map(|_| scope.spawn(caller)).collect();
        for _ in 0..100 {
            let (next, listener, _) = SocketName::take_over(&path).expect("alive");
            latest.give_up().expect("not its own");
            latest = next;
            listener.set_nonblocking(true).expect("a socket");
            listeners.lock().expect("no panic").push(listener);
        }
        is_over.store(true, Ordering::Relaxed);
        for caller in callers {
            assert_eq!(caller.join().expect("no panic"), 0);
        }
    });
    assert_eq!(names_beside(&path), ["csi.sock"]);
}

#[test]
fn a_name_is_made_anew_from_its_own_and_from_nobody_and_not_from_another() {
    let (_directory, path) = endpoint();
    let (mut name, first, _) = SocketName::take_over(&path).expect("free");
    let inode = || fs::symlink_metadata(&path).expect("never missing").ino();
    let before = inode();
    let second = name.make_anew().expect("free").expect("its own");
    assert_ne!(inode(), before);
    assert_eq!(name.holder().expect("looked"), NameHolder::Own);
    drop(UnixStream::connect(&path).expect("listened at"));
    assert!(is_called(&second) && !is_called(&first));
    fs::remove_file(&path).expect("there");
    assert_eq!(name.holder().expect("looked"), NameHolder::Nobody);
    name.make_anew().expect("free").expect("nobody's");
    let (_next, _listener, _) = SocketName::take_over(&path).expect("alive");
    assert_eq!(name.holder().expect("looked"), NameHolder::Another);
    assert!(name.make_anew().expect("looked").is_none());
    assert_eq!(names_beside(&path), ["csi.sock"]);
}
