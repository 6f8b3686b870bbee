//! Where a secret may not be: searched for as bytes, because logs and memory need not be text.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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
