//! Where a secret may not be: searched for as bytes, because logs and memory need not be text.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use nix::unistd::Pid;

/// Whether the word is anywhere in there.
pub fn holds(bytes: &[u8], word: &str) -> bool {
    bytes
        .windows(word.len())
        .any(|window| window == word.as_bytes())
}

/// None of the words is in any file beneath the directory; logs, journal and configuration are among them.
/// Executables are not looked at: they were there before.
#[track_caller]
pub fn untold_beneath(directory: &Path, words: &[&str]) {
    for entry in fs::read_dir(directory).expect("readable").flatten() {
        let kind = entry.file_type().expect("known");
        if kind.is_dir() {
            untold_beneath(&entry.path(), words);
        } else if kind.is_file() && !is_executable(&entry) {
            let content = fs::read(entry.path()).expect("readable");
            let told = words.iter().any(|word| holds(&content, word));
            assert!(!told, "{} tells", entry.path().display());
        }
    }
}

fn is_executable(file: &fs::DirEntry) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// None of the words is where everybody can look at a process: its arguments, its variables, its mounts.
#[track_caller]
pub fn untold_by(process: Pid, words: &[&str]) {
    for file in ["cmdline", "environ", "mountinfo"] {
        // One that has ended has nothing to tell.
        let content = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
        let told = words.iter().find(|word| holds(&content, word));
        assert_eq!(told, None, "{file} of process {process} tells");
    }
}

/// Which of the words are anywhere in the memory of a process.
pub fn memory_holds<'a>(process: Pid, words: &[&'a str]) -> Vec<&'a str> {
    let Ok(maps) = fs::read_to_string(format!("/proc/{process}/maps")) else {
        return Vec::new();
    };
    let memory = File::open(format!("/proc/{process}/mem")).expect("root");
    let mut found: Vec<&str> = Vec::new();
    for range in maps.lines().filter_map(readable_range) {
        let content = content(&memory, range);
        found.extend(words.iter().filter(|word| holds(&content, word)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Where a line of proc(5)'s `maps` says that something can be read. What is reserved cannot, nor what is the kernel's.
fn readable_range(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let is_readable = fields.next()?.starts_with('r') && !line.contains("[v");
    let number = |text| u64::from_str_radix(text, 16).ok();
    is_readable.then_some((number(from)?, number(to)?))
}

/// As far as the kernel lets it be read.
fn content(memory: &File, (from, to): (u64, u64)) -> Vec<u8> {
    const STEP: usize = 1 << 20;
    let mut all = Vec::new();
    let mut chunk = vec![0; STEP];
    let mut at = from;
    while at < to {
        let left = usize::try_from(to - at).unwrap_or(STEP).min(STEP);
        match memory.read_at(&mut chunk[..left], at) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                all.extend_from_slice(&chunk[..count]);
                at += count as u64;
            }
        }
    }
    all
}

/// Processes that a process has started, and theirs.
pub fn descendants(process: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("mounted").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let parents: Vec<(i32, i32)> = ids.filter_map(|id| Some((id, parent(id)?))).collect();
    let mut all = vec![process.as_raw()];
    let mut next = 0;
    while next < all.len() {
        let children = parents.iter().filter(|(_, parent)| *parent == all[next]);
        all.extend(children.map(|(id, _)| *id).collect::<Vec<_>>());
        next += 1;
    }
    all.into_iter().skip(1).map(Pid::from_raw).collect()
}

fn parent(process: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // A program's name can have blanks and brackets in it.
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}
