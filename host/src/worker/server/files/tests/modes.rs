//! Which modes a driver gives to files and directories.

use super::*;

#[test]
fn a_driver_gives_set_user_id_and_set_group_id_to_no_file() {
    let scratch = scratch();
    scratch.run(create("file", b"#!/bin/sh")).expect("made");
    nix::unistd::mkfifo(&scratch.at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    for path in ["file", "pipe"] {
        for mode in [0o4755, 0o2755, 0o6755, 0o7777] {
            let fault = scratch.run(set_mode(path, mode)).expect_err("refused");
            assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
            assert!(
                fault.message.contains("set-user-ID and set-group-ID"),
                "{fault}"
            );
        }
        let mode = scratch.at(path).metadata().expect("there").mode();
        assert_eq!(mode & 0o6000, 0, "{path}");
    }
    assert_eq!(scratch.run(set_mode("file", 0o1755)), Ok(Reply::Done));
}

#[test]
fn a_directory_keeps_a_group_and_who_removes_what_by_its_mode() {
    let scratch = scratch();
    scratch.run(make("directory", 0o3775)).expect("made");
    let mode = || scratch.at("directory").metadata().expect("there").mode() & 0o7777;
    assert_eq!(mode(), 0o3775);
    scratch.run(set_mode("directory", 0o2770)).expect("set");
    assert_eq!(mode(), 0o2770);
}

#[test]
fn what_a_driver_writes_does_not_run_as_what_was_there() {
    let scratch = scratch();
    fs::write(scratch.at("program"), "a user's").expect("written");
    let mode = fs::Permissions::from_mode(0o6755);
    fs::set_permissions(scratch.at("program"), mode).expect("set");
    scratch
        .run(write("program", b"a driver's"))
        .expect("written");
    let mode = scratch.at("program").metadata().expect("there").mode();
    assert_eq!(mode & 0o7777, 0o755);
}
