//! Reading one directory that components are delivered in.
//!
//! It may be a ConfigMap that kubelet mounted: a dated directory, and `..data`, a link that is exchanged for the next
//! one's. `..data` is opened once, and everything is read beneath that descriptor, never by the visible names, which
//! lead to one directory now and to another a moment later. A directory of the node or an image has no `..data` and is
//! read itself.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::components::MAX_COMPONENT_BYTES;
use super::decompress::Compression;
use super::entry_name::{EntryName, signature_of};
use super::source_contents::{Candidate, SourceContents, SourceFile, SourceProblem};
use crate::digest::hex;
use crate::sys::OpenDirectory;

/// Of everything that lies there. A node has a handful of drivers.
const MAX_ENTRIES: usize = 256;

/// Of all components in a source, as they lie there: each look reads all of them.
const MAX_SOURCE_BYTES: u64 = 512 << 20;

/// A bundle with its certificates and its proof from a log has some ten KiB.
const MAX_SIGNATURE_BYTES: u64 = 64 << 10;

/// How often reading begins again because the source was exchanged meanwhile.
const ATTEMPTS: u32 = 8;

/// kubelet needs a few milliseconds from one directory to the next.
const PAUSE: Duration = Duration::from_millis(5);

/// A directory that components are delivered in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDirectory {
    path: PathBuf,
}

/// Why a file does not count.
enum Unusable {
    /// It went away since its name was read, as all do where kubelet cleans up behind a swap.
    Gone,
    Because(String),
}

impl SourceDirectory {
    /// Of that path. Nothing is looked at yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What lies there now, all of one moment where the source is exchanged as a whole. A directory that is missing
    /// offers nothing; it may come, or come back.
    pub fn read(&self) -> SourceContents {
        for attempt in 0..ATTEMPTS {
            std::thread::sleep(PAUSE * attempt);
            match self.read_settled() {
                Ok(Some(contents)) => return contents,
                Ok(None) => {}
                // `..data` leads nowhere, or its directory went away just now.
                Err(error) if is_gone(&error) && OpenDirectory::open(&self.path).is_ok() => {}
                Err(error) if is_gone(&error) => {
                    let reason = "there is no such directory; it is read as soon as there is one";
                    return self.nothing(reason);
                }
                Err(error) => return self.nothing(&format!("cannot be read: {error}")),
            }
        }
        self.nothing("changes faster than it can be read; it is read again with its next change")
    }

    /// None where it was exchanged meanwhile.
    fn read_settled(&self) -> io::Result<Option<SourceContents>> {
        let directory = Arc::new(self.open()?);
        let identity = directory.identity()?;
        let names = directory.names(MAX_ENTRIES)?;
        if names.len() > MAX_ENTRIES {
            let reason = format!(
                "has more than {MAX_ENTRIES} entries, which no source needs; nothing in it counts until there are fewer"
            );
            return Ok(Some(self.nothing(&reason)));
        }
        let mut look = Look::at(&self.path, directory);
        let is_whole = look.examine_all(&names).is_ok();
        // Of a directory that is being removed, names are missing without an error.
        let is_same = self.open()?.identity()? == identity;
        Ok((is_whole && is_same).then_some(look.contents))
    }

    /// The directory whose files belong together.
    fn open(&self) -> io::Result<OpenDirectory> {
        let data = OsStr::new("..data");
        let top = OpenDirectory::open(&self.path)?;
        match top.open_directory(data) {
            Err(error) if is_gone(&error) && !top.contains(data) => Ok(top),
            opened => opened,
        }
    }

    fn nothing(&self, reason: &str) -> SourceContents {
        let reason = format!("{} {reason}", self.path.display());
        SourceContents {
            source: self.path.clone(),
            candidates: Vec::new(),
            problems: vec![SourceProblem::of(None, reason)],
        }
    }
}

/// Through the files of one directory.
struct Look {
    directory: Arc<OpenDirectory>,
    contents: SourceContents,
    /// Bytes that may still be read.
    left: u64,
}

impl Look {
    fn at(path: &Path, directory: Arc<OpenDirectory>) -> Self {
        let contents = SourceContents {
            source: path.to_owned(),
            candidates: Vec::new(),
            problems: Vec::new(),
        };
        Self {
            directory,
            contents,
            left: MAX_SOURCE_BYTES,
        }
    }

    /// An error if one of them went away meanwhile.
    fn examine_all(&mut self, names: &[OsString]) -> Result<(), Unusable> {
        let mut components: BTreeMap<&str, Vec<(&OsStr, Compression)>> = BTreeMap::new();
        for entry in names {
            match EntryName::of(entry) {
                EntryName::Component { name, compression } => {
                    components
                        .entry(name)
                        .or_default()
                        .push((entry, compression));
                }
                EntryName::Unusable => self.complain(
                    None,
                    format!(
                        "{:?} is no name of a component; letters, digits, `-`, `_` and `.` make one",
                        self.contents.source.join(entry)
                    ),
                ),
                // Looked for by the name of its component.
                EntryName::Signature { .. } | EntryName::Other => {}
            }
        }
        for (name, mut files) in components {
            files.sort_unstable_by_key(|(entry, _)| *entry);
            match files[..] {
                [(entry, compression)] => self.examine_component(name, entry, compression)?,
                [(one, _), (other, _), ..] => {
                    let path = |entry| self.contents.source.join(entry);
                    let problem = SourceProblem::both_mean(name, &path(one), &path(other));
                    self.contents.problems.push(problem);
                }
                [] => {}
            }
        }
        Ok(())
    }

    fn examine_component(
        &mut self,
        name: &str,
        entry: &OsStr,
        compression: Compression,
    ) -> Result<(), Unusable> {
        let signature = OsString::from(signature_of(name));
        let has_signature = self.directory.contains(&signature);
        let files = self
            .examine(entry, MAX_COMPONENT_BYTES)
            .and_then(|file| match has_signature {
                true => Ok((file, Some(self.examine(&signature, MAX_SIGNATURE_BYTES)?))),
                false => Ok((file, None)),
            });
        match files {
            Ok((file, signature)) => self.contents.candidates.push(Candidate {
                name: name.to_owned(),
                source: self.contents.source.clone(),
                file,
                compression,
                signature,
                directory: Arc::clone(&self.directory),
            }),
            Err(Unusable::Because(reason)) => self.complain(Some(name), reason),
            Err(Unusable::Gone) => return Err(Unusable::Gone),
        }
        Ok(())
    }

    /// Its size and digest, or why it does not count.
    fn examine(&mut self, entry: &OsStr, bound: u64) -> Result<SourceFile, Unusable> {
        let path = self.contents.source.join(entry);
        let because = |reason: &str| Unusable::Because(format!("{} {reason}", path.display()));
        let unreadable = |error: io::Error| because(&format!("cannot be read: {error}"));
        let file = match self.directory.open_file(entry) {
            Err(error) if is_gone(&error) && self.directory.contains(entry) => {
                return Err(because("is a link that leads nowhere"));
            }
            Err(error) if is_gone(&error) => return Err(Unusable::Gone),
            opened => opened.map_err(unreadable)?,
        };
        let before = file.metadata().map_err(unreadable)?;
        if before.len() > bound {
            let size = before.len();
            return Err(because(&format!(
                "has {size} bytes, and {bound} are the most"
            )));
        }
        self.left = self.left.checked_sub(before.len()).ok_or_else(|| {
            because(&format!(
                "is left out: the components in that directory have more than {MAX_SOURCE_BYTES} bytes together"
            ))
        })?;
        let (size, sha256) = digest((&file).take(bound + 1)).map_err(unreadable)?;
        let after = file.metadata().map_err(unreadable)?;
        // Whoever copies it writes it in pieces.
        if size != after.len() || last_change(&before) != last_change(&after) {
            return Err(because(
                "is being written; it is read again when that has ended",
            ));
        }
        Ok(SourceFile { path, size, sha256 })
    }

    fn complain(&mut self, component: Option<&str>, reason: String) {
        let problem = SourceProblem::of(component, reason);
        self.contents.problems.push(problem);
    }
}

fn digest(mut file: impl Read) -> io::Result<(u64, String)> {
    let (mut digest, mut chunk, mut size) = (Sha256::new(), vec![0; 64 << 10], 0);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((size, hex(&digest.finalize()))),
            count => {
                digest.update(&chunk[..count]);
                size += count as u64;
            }
        }
    }
}

fn last_change(file: &Metadata) -> (i64, i64, u64) {
    (file.ctime(), file.ctime_nsec(), file.len())
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::source_contents::{SourceError, join};
    use super::*;

    /// As kubelet writes a ConfigMap: a dated directory, `..data` renamed over the old one, visible links, and then the
    /// old directory goes.
    fn write_config_map(mount: &Path, version: u32, files: &[(&str, &str)]) {
        let dated = format!("..2026_11_29.{version}");
        fs::create_dir(mount.join(&dated)).expect("made");
        for (name, content) in files {
            fs::write(mount.join(&dated).join(name), content).expect("written");
        }
        let old = fs::read_link(mount.join("..data")).ok();
        symlink(&dated, mount.join("..data_tmp")).expect("linked");
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).expect("swapped");
        for (name, _) in files {
            let _ = symlink(format!("..data/{name}"), mount.join(name));
        }
        if let Some(old) = old {
            fs::remove_dir_all(mount.join(old)).expect("removed");
        }
    }

    fn problems(contents: &SourceContents) -> Vec<&str> {
        contents
            .problems
            .iter()
            .map(|problem| problem.reason.as_str())
            .collect()
    }

    fn only_problem(contents: &SourceContents) -> &str {
        assert!(contents.candidates.is_empty(), "{contents:?}");
        let [problem] = problems(contents)[..] else {
            panic!("one problem, not {contents:?}");
        };
        problem
    }

    #[test]
    fn a_directory_offers_its_components_with_their_signatures() {
        let root = tempfile::tempdir().expect("a directory");
        for (name, content) in [
            ("nfs.wasm", "one"),
            ("nfs.wasm.sig", "signed"),
            ("disk.wasm.zst", "two"),
            ("README.md", "x"),
            (".hidden.wasm", "x"),
            ("stray.wasm.sig", "x"),
        ] {
            fs::write(root.path().join(name), content).expect("written");
        }
        let contents = SourceDirectory::new(root.path()).read();
        assert!(contents.problems.is_empty(), "{contents:?}");
        let [disk, nfs] = &contents.candidates[..] else {
            panic!("two, not {contents:?}");
        };
        assert_eq!(
            (disk.name.as_str(), disk.compression),
            ("disk", Compression::Zstd)
        );
        assert_eq!(disk.read_signature().expect("none"), None);
        assert_eq!(nfs.file.path, root.path().join("nfs.wasm"));
        assert_eq!(
            (nfs.file.size, nfs.read().expect("there")),
            (3, b"one".to_vec())
        );
        assert_eq!(nfs.file.sha256, crate::digest::sha256_hex("one"));
        assert_eq!(
            nfs.read_signature().expect("there").as_deref(),
            Some(&b"signed"[..])
        );
    }

    #[test]
    fn a_candidate_gives_the_bytes_that_were_found_or_none() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("nfs.wasm");
        fs::write(&file, "one").expect("written");
        let source = SourceDirectory::new(root.path());
        let read = |source: &SourceDirectory| source.read().candidates.remove(0);
        let found = read(&source);
        fs::write(&file, "two").expect("written");
        assert!(matches!(found.read(), Err(SourceError::Changed { .. })));
        assert!(!found.is_same_content(&read(&source)));
        fs::write(&file, "one, and more").expect("written");
        assert!(matches!(found.read(), Err(SourceError::Changed { .. })));
        fs::remove_file(&file).expect("removed");
        assert!(matches!(found.read(), Err(SourceError::Changed { .. })));
    }

    #[test]
    fn a_config_map_is_read_beneath_its_data_and_not_by_visible_names() {
        let mount = tempfile::tempdir().expect("a directory");
        write_config_map(
            mount.path(),
            1,
            &[("nfs.wasm", "one"), ("nfs.wasm.sig", "1")],
        );
        // A visible name that no longer belongs to it, as after a crash of kubelet.
        symlink("..data/gone.wasm", mount.path().join("gone.wasm")).expect("linked");
        let source = SourceDirectory::new(mount.path());
        let before = source.read();
        assert!(before.problems.is_empty(), "{before:?}");
        assert_eq!(before.candidates.len(), 1);
        write_config_map(
            mount.path(),
            2,
            &[("nfs.wasm", "two"), ("nfs.wasm.sig", "2")],
        );
        // The old directory is gone, and its bytes are not exchanged for the new ones.
        let error = before.candidates[0].read().expect_err("gone");
        assert!(matches!(error, SourceError::Changed { .. }), "{error}");
        let after = source.read();
        assert_eq!(after.candidates[0].read().expect("there"), b"two");
        assert!(!after.candidates[0].is_same_content(&before.candidates[0]));
    }

    #[test]
    fn what_was_swapped_within_a_read_is_never_a_mixture() {
        let mount = tempfile::tempdir().expect("a directory");
        let path = mount.path().to_owned();
        write_config_map(
            &path,
            0,
            &[("a.wasm", "0"), ("b.wasm", "0"), ("c.wasm", "0")],
        );
        let is_over = AtomicBool::new(false);
        let (mut whole, mut versions) = (0, BTreeSet::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for version in 1..300 {
                    let text = version.to_string();
                    let files = ["a.wasm", "b.wasm", "c.wasm"].map(|name| (name, text.as_str()));
                    write_config_map(&path, version, &files);
                }
                is_over.store(true, Ordering::Release);
            });
            let source = SourceDirectory::new(&path);
            while !is_over.load(Ordering::Acquire) || whole == 0 {
                let contents = source.read();
                if let [problem] = problems(&contents)[..] {
                    assert!(problem.contains("changes faster"), "{problem}");
                    continue;
                }
                let found: Vec<_> = contents
                    .candidates
                    .iter()
                    .map(|candidate| candidate.file.sha256.clone())
                    .collect();
                assert_eq!(found.len(), 3, "{contents:?}");
                assert!(
                    found.iter().all(|digest| *digest == found[0]),
                    "{contents:?}"
                );
                versions.insert(found[0].clone());
                whole += 1;
            }
        });
        assert!(whole > 0 && !versions.is_empty());
    }

    #[test]
    fn a_missing_source_offers_nothing_and_may_come_back() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("not-yet");
        let source = SourceDirectory::new(&path);
        let contents = source.read();
        assert!(only_problem(&contents).contains("no such directory"));
        fs::create_dir(&path).expect("made");
        fs::write(path.join("nfs.wasm"), "one").expect("written");
        assert_eq!(source.read().candidates.len(), 1);
        fs::write(root.path().join("file"), "").expect("written");
        let contents = SourceDirectory::new(root.path().join("file")).read();
        assert!(only_problem(&contents).contains("cannot be read: Not a directory"));
    }

    #[test]
    fn two_spellings_of_one_name_are_refused_and_both_are_named() {
        let root = tempfile::tempdir().expect("a directory");
        for name in ["nfs.wasm", "nfs.wasm.gz", "other.wasm"] {
            fs::write(root.path().join(name), "x").expect("written");
        }
        let contents = SourceDirectory::new(root.path()).read();
        let [problem] = problems(&contents)[..] else {
            panic!("one problem, not {contents:?}");
        };
        assert!(
            problem.contains("/nfs.wasm and ") && problem.contains("/nfs.wasm.gz are both"),
            "{problem}"
        );
        assert_eq!(contents.candidates.len(), 1);
        assert_eq!(contents.candidates[0].name, "other");
    }

    #[test]
    fn one_name_in_two_sources_counts_in_neither_also_where_one_is_unreadable() {
        let root = tempfile::tempdir().expect("a directory");
        let [one, two] = ["one", "two"].map(|name| root.path().join(name));
        for (source, file) in [
            (&one, "nfs.wasm"),
            (&two, "nfs.wasm.zst"),
            (&two, "disk.wasm"),
        ] {
            fs::create_dir_all(source).expect("made");
            fs::write(source.join(file), "x").expect("written");
        }
        fs::create_dir(one.join("disk.wasm")).expect("made");
        fs::write(two.join("only.wasm"), "x").expect("written");
        let read = |path: &PathBuf| SourceDirectory::new(path).read();
        let offer = join(vec![read(&one), read(&two)]);
        assert_eq!(offer.candidates.keys().collect::<Vec<_>>(), ["only"]);
        let both = |name: &str| {
            let is_of = |problem: &&SourceProblem| {
                problem.component.as_deref() == Some(name)
                    && problem.reason.contains(one.to_str().expect("text"))
                    && problem.reason.contains(two.to_str().expect("text"))
            };
            offer.problems.iter().filter(is_of).count()
        };
        assert_eq!(
            (both("nfs"), both("disk"), both("only")),
            (1, 1, 0),
            "{offer:?}"
        );
        let thrice = join(vec![read(&two), read(&two), read(&two)]);
        assert!(thrice.candidates.is_empty(), "{thrice:?}");
    }

    #[test]
    fn what_cannot_be_read_is_told_and_does_not_stop_the_others() {
        let root = tempfile::tempdir().expect("a directory");
        let path = |name: &str| root.path().join(name);
        fs::write(path("good.wasm"), "x").expect("written");
        fs::write(path("inside"), "y").expect("written");
        symlink("inside", path("linked.wasm")).expect("linked");
        symlink("/etc/passwd", path("out.wasm")).expect("linked");
        symlink("../up", path("up.wasm.gz")).expect("linked");
        symlink("nowhere", path("dangling.wasm")).expect("linked");
        fs::create_dir(path("directory.wasm")).expect("made");
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&path("pipe.wasm"), mode).expect("made");
        let large = fs::File::create(path("large.wasm.zst")).expect("made");
        large.set_len((64 << 20) + 1).expect("sparse");
        fs::write(path("signed.wasm"), "x").expect("written");
        fs::write(path("signed.wasm.sig"), vec![b'x'; 70_000]).expect("written");
        fs::write(path("two words.wasm"), "x").expect("written");
        let contents = SourceDirectory::new(root.path()).read();
        let names: Vec<_> = contents
            .candidates
            .iter()
            .map(|found| &found.name)
            .collect();
        assert_eq!(names, ["good", "linked"], "{contents:?}");
        for (file, reason) in [
            ("out.wasm", "leads out of the directory"),
            ("up.wasm.gz", "leads out of the directory"),
            ("dangling.wasm", "leads nowhere"),
            ("directory.wasm", "not a regular file"),
            ("pipe.wasm", "not a regular file"),
            (
                "large.wasm.zst",
                "has 67108865 bytes, and 67108864 are the most",
            ),
            ("signed.wasm.sig", "has 70000 bytes"),
            ("two words.wasm", "is no name of a component"),
        ] {
            let told = problems(&contents);
            let is_told = |problem: &&&str| problem.contains(file) && problem.contains(reason);
            assert_eq!(told.iter().filter(is_told).count(), 1, "{file}: {told:?}");
        }
        assert_eq!(contents.problems.len(), 8, "{contents:?}");
    }

    #[test]
    fn a_source_has_bounds_for_what_lies_in_it() {
        let root = tempfile::tempdir().expect("a directory");
        for name in ["a.wasm", "b.wasm", "c.wasm"] {
            fs::write(root.path().join(name), "1234").expect("written");
        }
        let directory = OpenDirectory::open(root.path()).expect("there");
        let mut look = Look::at(root.path(), Arc::new(directory));
        look.left = 9;
        let names = ["a.wasm", "b.wasm", "c.wasm"].map(OsString::from);
        assert!(look.examine_all(&names).is_ok());
        assert_eq!(look.contents.candidates.len(), 2);
        assert!(problems(&look.contents)[0].contains("/c.wasm is left out"));
        for number in 0..260 {
            fs::write(root.path().join(format!("{number}.txt")), "").expect("written");
        }
        let contents = SourceDirectory::new(root.path()).read();
        assert!(only_problem(&contents).contains("more than 256 entries"));
    }
}
