//! Archives that want more than a job may take.

use super::*;

/// A tar file of directories with these paths, which are of any length.
fn archive_of_directories(at: &Path, paths: impl IntoIterator<Item = String>) {
    let mut archive = Builder::new(BufWriter::new(fs::File::create(at).expect("made")));
    for path in paths {
        archive
            .append_pax_extensions([("path", path.as_bytes())])
            .expect("written");
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        header.set_cksum();
        archive.append(&header, io::empty()).expect("written");
    }
    archive
        .into_inner()
        .expect("written")
        .flush()
        .expect("written");
}

fn extract_within(limits: JobLimits, scratch: &tempfile::TempDir, dir: &Dir) -> Fault {
    let bounds = Bounds::of_a_job(limits, dir, Endings::none_yet()).expect("cloned");
    let fault = extract::extract_archive(dir, "archive", "out", &records(scratch), &bounds)
        .expect_err("refused");
    assert_eq!(fault.kind, FaultKind::Exhausted, "{fault}");
    let left: Vec<_> = dir
        .entries()
        .expect("read")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(left, ["archive"], "something of it stayed");
    fault
}

#[test]
fn directories_deeper_than_allowed_are_refused_before_they_take_memory() {
    let (scratch, dir) = scratch();
    let deep = "a/".repeat(2_000_000);
    archive_of_directories(&scratch.path().join("archive"), [deep]);
    let fault = extract_within(JobLimits::default(), &scratch, &dir);
    assert!(
        fault.message.contains("(limits.jobs.depth = 4096)"),
        "{fault}"
    );
    assert!(fault.message.len() < 1000, "{} bytes", fault.message.len());
}

#[test]
fn directories_that_memory_has_no_room_for_are_refused() {
    let (scratch, dir) = scratch();
    let name = "a".repeat(250);
    let deep = |count: usize| format!("{}{count}", format!("{name}/").repeat(40));
    archive_of_directories(&scratch.path().join("archive"), (0..200).map(deep));
    let limits = JobLimits {
        memory_bytes: 1 << 20,
        ..JobLimits::default()
    };
    let fault = extract_within(limits, &scratch, &dir);
    assert!(
        fault.message.contains("(limits.jobs.memory = \"1MiB\")"),
        "{fault}"
    );
}

#[test]
fn an_archive_with_more_entries_or_bytes_than_allowed_is_refused_and_nothing_of_it_stays() {
    let (scratch, dir) = scratch();
    let at = |path: &str| scratch.path().join(path);
    fs::create_dir(at("source")).expect("made");
    for number in 0..9 {
        fs::write(at("source").join(number.to_string()), vec![1; 100_000]).expect("written");
    }
    archive_tree(
        &dir,
        "source",
        "archive",
        Compression::Gzip,
        &records(&scratch),
    )
    .expect("archived");
    fs::remove_dir_all(at("source")).expect("removed");
    let entries = JobLimits {
        entries: 9,
        ..JobLimits::default()
    };
    let fault = extract_within(entries, &scratch, &dir);
    assert!(
        fault.message.contains("(limits.jobs.entries = 9)"),
        "{fault}"
    );
    let size = JobLimits {
        size_bytes: 512 << 10,
        ..JobLimits::default()
    };
    let fault = extract_within(size, &scratch, &dir);
    assert!(
        fault.message.contains("(limits.jobs.size = \"512KiB\")"),
        "{fault}"
    );
}

#[test]
fn an_archive_larger_than_allowed_is_not_made() {
    let (scratch, dir) = scratch();
    fs::create_dir(scratch.path().join("source")).expect("made");
    fs::write(scratch.path().join("source/file"), vec![1; 3 << 20]).expect("written");
    let limits = JobLimits {
        size_bytes: 1 << 20,
        ..JobLimits::default()
    };
    let bounds = Bounds::of_a_job(limits, &dir, Endings::none_yet()).expect("cloned");
    let records = records(&scratch);
    let none = Compression::None;
    let fault = super::super::archive_tree(&dir, "source", "archive", none, &records, &bounds)
        .expect_err("refused");
    assert!(
        fault.message.contains("(limits.jobs.size = \"1MiB\")"),
        "{fault}"
    );
    assert_eq!(fault.kind, FaultKind::Exhausted);
    assert_eq!(fs::read_dir(scratch.path()).expect("read").count(), 1);
}
