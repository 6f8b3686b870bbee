use std::fs;
use std::path::PathBuf;

use super::super::*;
use super::{Scratch, scratch};

/// What a killed job left of something it made in that directory.
fn leave_partial(scratch: &Scratch, directory: &str) -> PathBuf {
    let partial = scratch.at(directory).join(".new.drivebay-partial");
    fs::create_dir_all(partial.join("sub")).expect("made");
    fs::write(partial.join("sub/file"), "half").expect("written");
    partial
}

#[test]
fn a_directory_that_looks_empty_is_removed() {
    let scratch = scratch();
    let partial = leave_partial(&scratch, "volume");
    fs::write(scratch.at("volume/.17-1.drivebay-partial"), "half").expect("written");
    let remove = || FileOperation::RemoveDirectory {
        path: "volume".into(),
    };
    fs::write(scratch.at("volume/file"), "x").expect("written");
    assert_eq!(scratch.kind(remove()), FaultKind::Precondition);
    assert!(partial.exists(), "a refused removal removed something");
    fs::remove_file(scratch.at("volume/file")).expect("removed");
    assert_eq!(scratch.run(remove()), Ok(Reply::Done));
    assert!(!scratch.at("volume").exists());
}

#[test]
fn a_directory_in_which_a_job_runs_stays_and_the_job_is_named_as_the_reason() {
    let scratch = scratch();
    let partial = leave_partial(&scratch, "volume");
    let job = fs::File::open(&partial).expect("open");
    job.lock().expect("free");
    let remove = || FileOperation::RemoveDirectory {
        path: "volume".into(),
    };
    let fault = scratch.run(remove()).expect_err("a job runs");
    assert_eq!(fault.kind, FaultKind::Busy);
    assert!(
        fault.message.contains("a job in it is still running"),
        "{fault}"
    );
    assert!(partial.join("sub/file").exists());
    drop(job);
    assert_eq!(scratch.run(remove()), Ok(Reply::Done));
}

#[test]
fn what_killed_jobs_left_goes_with_the_next_removal_or_job_in_their_directory() {
    let scratch = scratch();
    fs::create_dir(scratch.at("source")).expect("made");
    let works = [
        FileOperation::Remove { path: "new".into() },
        FileOperation::RemoveDirectory { path: "new".into() },
        FileOperation::Copy {
            source: "source".into(),
            to: "copy".into(),
        },
    ];
    for work in works {
        let partial = leave_partial(&scratch, "");
        scratch.run(work.clone()).expect("done");
        assert!(!partial.exists(), "{work:?}");
    }
}

#[test]
fn what_is_being_made_is_neither_swept_nor_removed() {
    let scratch = scratch();
    let partial = leave_partial(&scratch, "");
    let job = fs::File::open(&partial).expect("open");
    job.lock().expect("free");
    assert_eq!(
        scratch.run(FileOperation::List { path: "".into() }),
        Ok(Reply::Entries(Vec::new()))
    );
    let removal = scratch.run(FileOperation::Remove { path: "new".into() });
    assert_eq!(removal.expect_err("a job runs").kind, FaultKind::Busy);
    assert!(partial.join("sub/file").exists());
}

#[test]
fn looking_removes_nothing() {
    let scratch = scratch();
    let partial = leave_partial(&scratch, "");
    assert_eq!(
        scratch.run(FileOperation::List { path: "".into() }),
        Ok(Reply::Entries(Vec::new()))
    );
    assert!(partial.join("sub/file").exists());
}
