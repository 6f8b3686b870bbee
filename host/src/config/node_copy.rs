//! Drivers' files for the FlexVolume shim, which reads those of the node and not those of a pod: copied with the files
//! that they name, and kept as they are in the pod.
//!
//! What lies beneath the pod's configuration directory is copied to the same place beneath the node's, so that a file that
//! is named by its path beside the driver's file is found beside the copy. A file appears by a rename, and after those
//! that it names. `.installed` there says what was written, by path and digest, before it is: what
//! has another content is the operator's own, and is neither replaced nor removed.

mod installed_list;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

use super::named_files::{Holds, NamedFile};
use super::{DriverConfig, DriverFile, Paths};
use crate::digest::sha256_hex;
use crate::sys;
use crate::volume::DriverName;
use installed_list::Written;

/// Beneath either directory.
const DRIVERS: &str = "drivers.d";

/// Of a file that is no key: bundles of all of a platform's certificates have a quarter of that.
const MAX_BYTES: u64 = 1 << 20;

/// Whether files that hold keys are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFiles {
    /// They are for whoever runs in the pod.
    Left,
    /// The shim needs them as well.
    Copied,
}

/// From where to where.
#[derive(Debug)]
pub struct NodeCopy {
    from: PathBuf,
    to: PathBuf,
    keys: KeyFiles,
}

/// What was done, by paths of the copy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Made or replaced.
    pub written: Vec<PathBuf>,
    /// Taken away, because nothing names them any more.
    pub removed: Vec<PathBuf>,
    /// What is not copied on purpose: a sentence each.
    pub notes: Vec<String>,
    /// What could not be copied: a sentence each.
    pub problems: Vec<String>,
}

/// A file as it should be.
struct Wanted {
    content: Zeroizing<Vec<u8>>,
    holds: Holds,
}

/// By path beneath the directory.
type Files = BTreeMap<PathBuf, Wanted>;

impl NodeCopy {
    /// Of that configuration, to the directory that the node's shim sees as its own.
    pub fn new(paths: &Paths, to: PathBuf, keys: KeyFiles) -> Self {
        Self {
            from: paths.config.clone(),
            to,
            keys,
        }
    }

    /// Makes the copy what the drivers' files are now. A driver whose file is wrong is left as it was there.
    ///
    /// # Errors
    /// From the file system; in words where others may write in the directory.
    pub fn update(&self, drivers: &[(DriverName, DriverFile)]) -> io::Result<Copied> {
        make_directory(&self.to)?;
        let mut copied = Copied::default();
        let (mut named, mut files) = (Files::new(), Files::new());
        let mut left = Vec::new();
        for (name, driver) in drivers {
            let added = match driver {
                Ok(driver) => self.add_named(driver, &mut named, &mut copied),
                Err(error) => Err(error.to_string()),
            };
            let path = Path::new(DRIVERS).join(format!("{name}.toml"));
            match (added, driver) {
                (Ok(()), Ok(driver)) => {
                    let content = driver.text.clone().into_bytes().into();
                    let holds = Holds::Public;
                    files.insert(path, Wanted { content, holds });
                }
                (added, _) => {
                    let reason = added.err().unwrap_or_default();
                    copied.problems.push(format!("driver {name}: {reason}"));
                    left.push(path);
                }
            }
        }
        self.write(&named, &files, &left, &mut copied)?;
        Ok(copied)
    }

    /// The files that one driver's file names, as far as they are for the copy.
    fn add_named(
        &self,
        driver: &DriverConfig,
        files: &mut Files,
        copied: &mut Copied,
    ) -> Result<(), String> {
        let mut found = Files::new();
        for NamedFile { path, holds } in driver.named_files() {
            let shown = path.display();
            let Some(place) = beneath(&self.from, path) else {
                copied.notes.push(format!(
                    "driver {}: {shown} is not copied, because it does not lie beneath {}; the node has to have it",
                    driver.name,
                    self.from.display()
                ));
                continue;
            };
            if holds == Holds::Secret && self.keys == KeyFiles::Left {
                copied.notes.push(format!(
                    "driver {}: {shown} holds a key and is not copied; ask for it by --with-keys, or put it on the node",
                    driver.name
                ));
                continue;
            }
            let content = self.read(&place, holds);
            let content = content.map_err(|error| format!("{shown}: {error}"))?;
            found.insert(place, Wanted { content, holds });
        }
        files.append(&mut found);
        Ok(())
    }

    /// Links stay within the directory, which one of drivers' files may be by a link of its own.
    fn read(&self, place: &Path, holds: Holds) -> Result<Zeroizing<Vec<u8>>, sys::TrustError> {
        let drivers = self.from.join(DRIVERS);
        let (directory, place) = match place.strip_prefix(DRIVERS) {
            Ok(beside) => (&drivers, beside),
            Err(_) => (&self.from, place),
        };
        match holds {
            Holds::Public => {
                sys::read_trusted_beneath(directory, place, MAX_BYTES).map(Zeroizing::new)
            }
            Holds::Secret => sys::read_key_beneath(directory, place),
        }
    }

    fn write(
        &self,
        named: &Files,
        drivers: &Files,
        left: &[PathBuf],
        copied: &mut Copied,
    ) -> io::Result<()> {
        let mut written = Written::read(&self.to)?;
        // What names others comes after them.
        let changed = self.changed(named.iter().chain(drivers), &mut written, copied)?;
        let is_wanted = |place: &Path| {
            named.contains_key(place)
                || drivers.contains_key(place)
                || left.iter().any(|it| it == place)
                // Which files a wrong one names nobody knows.
                || (!left.is_empty() && !is_drivers_file(place))
        };
        let gone = written.places(|place| !is_wanted(place));
        if changed.is_empty() && gone.is_empty() {
            return Ok(());
        }
        written.keep(&self.to)?;
        for (place, wanted) in changed {
            self.put(place, wanted)?;
            written.settle(place, &sha256_hex(&wanted.content));
            copied.written.push(place.clone());
        }
        self.remove(gone, &mut written, copied)?;
        written.keep(&self.to)
    }

    /// Those that are to be written, noted as ours.
    fn changed<'a>(
        &self,
        files: impl Iterator<Item = (&'a PathBuf, &'a Wanted)>,
        written: &mut Written,
        copied: &mut Copied,
    ) -> io::Result<Vec<(&'a PathBuf, &'a Wanted)>> {
        let mut changed = Vec::new();
        for (place, wanted) in files {
            let digest = sha256_hex(&wanted.content);
            match self.found(place, written)? {
                Found::Ours(present) | Found::Theirs(present) if present == digest => {}
                Found::Nothing | Found::Ours(_) => {
                    written.add(place, &digest);
                    changed.push((place, wanted));
                }
                Found::Theirs(_) | Found::Else => copied.problems.push(self.foreign(place)),
            }
        }
        Ok(changed)
    }

    fn remove(
        &self,
        gone: Vec<PathBuf>,
        written: &mut Written,
        copied: &mut Copied,
    ) -> io::Result<()> {
        // What names others goes before them.
        let (drivers, named): (Vec<_>, Vec<_>) =
            gone.into_iter().partition(|place| is_drivers_file(place));
        for place in drivers.into_iter().chain(named) {
            match self.found(&place, written)? {
                Found::Ours(_) => {
                    sys::remove_durably(&self.to.join(&place))?;
                    copied.removed.push(place.clone());
                }
                Found::Nothing => {}
                Found::Theirs(_) | Found::Else => copied.problems.push(self.foreign(&place)),
            }
            written.forget(&place);
        }
        Ok(())
    }

    fn put(&self, place: &Path, wanted: &Wanted) -> io::Result<()> {
        let path = self.to.join(place);
        let directory = path.parent().unwrap_or(Path::new("/"));
        make_directory(directory)?;
        sys::remove_leftovers(directory, &path);
        match wanted.holds {
            Holds::Public => sys::write_readable_durably(&path, &wanted.content),
            Holds::Secret => sys::write_durably(&path, &wanted.content),
        }
    }

    fn found(&self, place: &Path, written: &Written) -> io::Result<Found> {
        let path = self.to.join(place);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(error),
            Ok(found) if !found.is_file() => Ok(Found::Else),
            Ok(_) => {
                let digest = sha256_hex(fs::read(&path)?);
                Ok(match written.has(place, &digest) {
                    true => Found::Ours(digest),
                    false => Found::Theirs(digest),
                })
            }
        }
    }

    fn foreign(&self, place: &Path) -> String {
        format!(
            "{} is not as `drivebay install` wrote it, and stays; the shim goes by it until it is removed there",
            self.to.join(place).display()
        )
    }
}

/// What lies where a file is to be.
enum Found {
    Nothing,
    /// A file as we wrote it, by its digest.
    Ours(String),
    /// Another file, by its digest.
    Theirs(String),
    /// A link, a directory.
    Else,
}

/// Any other is one that such a file names.
fn is_drivers_file(place: &Path) -> bool {
    let is_toml = place.extension().is_some_and(|it| it == "toml");
    is_toml && place.parent() == Some(Path::new(DRIVERS))
}

/// Where a file lies beneath a directory, if it does: by names alone, and never by `..`.
fn beneath(directory: &Path, file: &Path) -> Option<PathBuf> {
    let place = file.strip_prefix(directory).ok()?;
    let is_plain = |part| matches!(part, Component::Normal(_));
    let has_name = place.file_name().is_some();
    (has_name && place.components().all(is_plain)).then(|| place.to_owned())
}

/// For everyone to look into, and nobody else's to write.
fn make_directory(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)?;
    sys::check_directory(directory).map_err(|error| match error {
        sys::TrustError::Io(error) => error,
        sys::TrustError::Untrusted(reason) => io::Error::other(reason),
    })
}

#[cfg(test)]
mod tests;
