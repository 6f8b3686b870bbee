//! `files`: work beneath a directory that the guest holds, carried out by a worker.

use wasmtime::component::Resource;

use crate::bindings::drivebay::driver::files as wit;
use crate::bindings::drivebay::driver::types;
use crate::capability::CallContext;
use crate::capability::handle::Directory;
use crate::capability::known_value::known_value;
use crate::error::{DriverError, GuestText};
use crate::grant::{Misread, misread};
use crate::worker::{Compression, EntryKind, FileOperation, Reply, Request, Withheld, WithheldFor};

/// A list of as many names as a worker tells, 1 MiB of them, on its way to the guest: six times as long where every
/// character has to be escaped.
const LIST_BYTES: usize = 8 << 20;

/// As the contract names them.
const COMPRESSIONS: [(&str, Compression); 2] =
    [("none", Compression::None), ("gzip", Compression::Gzip)];

/// Whether an operation changes anything.
enum Effect {
    Looks,
    Changes(&'static str),
}

type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

impl CallContext {
    fn work<T>(
        &mut self,
        directory: &Resource<Directory>,
        effect: Effect,
        operation: FileOperation,
        read: impl FnOnce(Reply) -> Option<T>,
    ) -> Answer<T> {
        let directory = self.table.get(directory)?.origin.clone();
        let allowed = match (&effect, self.only_compares()) {
            (Effect::Changes(name), true) => Err(DriverError::failed_precondition(format!(
                "cannot {name}: this call only asks what is mounted"
            ))),
            (Effect::Looks | Effect::Changes(_), _) => self.allows(effect),
        };
        let done = allowed
            .and_then(|()| sendable(&operation))
            .and_then(|()| check_names(&operation));
        let done = done.and_then(|()| {
            self.ask(Request::Files {
                directory,
                operation,
            })
        });
        let done = done.and_then(|reply| {
            read(reply)
                .ok_or_else(|| DriverError::internal("the worker gave an answer of another kind"))
        });
        Ok(done.map_err(|error| self.tell(&error)))
    }

    fn change(
        &mut self,
        directory: &Resource<Directory>,
        name: &'static str,
        operation: FileOperation,
    ) -> Answer<()> {
        self.work(directory, Effect::Changes(name), operation, |reply| {
            (reply == Reply::Done).then_some(())
        })
    }

    fn allows(&self, effect: Effect) -> Result<(), DriverError> {
        let Some(grant) = self.grants.files else {
            return Err(DriverError::denied("files are not granted to this driver"));
        };
        match effect {
            Effect::Looks => Ok(()),
            Effect::Changes(name) => grant.allows_change(name).map_err(DriverError::from),
        }
    }
}

/// What a guest says is copied several times on its way to a worker, so it is bounded before: a path by what the
/// kernel takes of one (`PATH_MAX`), content by the contract.
fn sendable(operation: &FileOperation) -> Result<(), DriverError> {
    const MAX_PATH: usize = 4096;
    const MAX_CONTENT: usize = 64 * 1024;
    if operation.paths().iter().any(|path| path.len() > MAX_PATH) {
        let message = format!("a path is refused: it is longer than {MAX_PATH} bytes");
        return Err(DriverError::invalid_argument(message));
    }
    match operation.content().len() > MAX_CONTENT {
        true => Err(DriverError::exhausted(format!(
            "cannot write {:?}: larger than {MAX_CONTENT} bytes",
            operation.paths()[0]
        ))),
        false => Ok(()),
    }
}

impl wit::Host for CallContext {}

impl wit::HostDirectory for CallContext {
    fn mkdir(&mut self, directory: Resource<Directory>, path: String, mode: u32) -> Answer<()> {
        self.change(
            &directory,
            "mkdir",
            FileOperation::MakeDirectory { path, mode },
        )
    }

    fn chmod(&mut self, directory: Resource<Directory>, path: String, mode: u32) -> Answer<()> {
        self.change(&directory, "chmod", FileOperation::SetMode { path, mode })
    }

    fn stat(&mut self, directory: Resource<Directory>, path: String) -> Answer<wit::FileStatus> {
        self.work(
            &directory,
            Effect::Looks,
            FileOperation::Look { path },
            |reply| {
                let Reply::Properties(found) = reply else {
                    return None;
                };
                Some(wit::FileStatus {
                    kind: kind(found.kind),
                    mode: found.mode,
                    size_bytes: found.size_bytes,
                    mtime_seconds: found.modified_at_seconds,
                })
            },
        )
    }

    fn readdir(&mut self, directory: Resource<Directory>, path: String) -> Answer<Vec<wit::Entry>> {
        if let Err(error) = self.take_buffer(LIST_BYTES) {
            return Ok(Err(self.tell(&error)));
        }
        self.work(
            &directory,
            Effect::Looks,
            FileOperation::List { path },
            |reply| {
                let Reply::Entries(entries) = reply else {
                    return None;
                };
                Some(entries.into_iter().map(entry).collect())
            },
        )
    }

    fn read_file(&mut self, directory: Resource<Directory>, path: String) -> Answer<Vec<u8>> {
        self.work(
            &directory,
            Effect::Looks,
            FileOperation::Read { path },
            |reply| {
                let Reply::Content(content) = reply else {
                    return None;
                };
                Some(content)
            },
        )
    }

    fn create_file(
        &mut self,
        directory: Resource<Directory>,
        path: String,
        content: Vec<u8>,
    ) -> Answer<()> {
        self.change(
            &directory,
            "create-file",
            FileOperation::Create { path, content },
        )
    }

    fn write_file(
        &mut self,
        directory: Resource<Directory>,
        path: String,
        content: Vec<u8>,
    ) -> Answer<()> {
        self.change(
            &directory,
            "write-file",
            FileOperation::Write { path, content },
        )
    }

    fn rename(&mut self, directory: Resource<Directory>, source: String, to: String) -> Answer<()> {
        self.change(&directory, "rename", FileOperation::Rename { source, to })
    }

    fn remove_tree(&mut self, directory: Resource<Directory>, path: String) -> Answer<()> {
        self.change(&directory, "remove-tree", FileOperation::Remove { path })
    }

    fn rmdir(&mut self, directory: Resource<Directory>, path: String) -> Answer<()> {
        self.change(&directory, "rmdir", FileOperation::RemoveDirectory { path })
    }

    fn copy_tree(
        &mut self,
        directory: Resource<Directory>,
        source: String,
        to: String,
    ) -> Answer<()> {
        self.change(&directory, "copy-tree", FileOperation::Copy { source, to })
    }

    fn archive_tree(
        &mut self,
        directory: Resource<Directory>,
        source: String,
        to: String,
        compression: wit::Compression,
    ) -> Answer<u64> {
        let compression = match known_value("compression", &compression, &COMPRESSIONS) {
            Ok(compression) => compression,
            Err(unknown) => return Ok(Err(self.tell(&unknown))),
        };
        let operation = FileOperation::Archive {
            source,
            to,
            compression,
        };
        self.work(
            &directory,
            Effect::Changes("archive-tree"),
            operation,
            |reply| {
                let Reply::Size(bytes) = reply else {
                    return None;
                };
                Some(bytes)
            },
        )
    }

    fn extract_archive(
        &mut self,
        directory: Resource<Directory>,
        source: String,
        to: String,
    ) -> Answer<()> {
        let (archive, log) = (GuestText::sentence(&source), self.log.clone());
        self.work(
            &directory,
            Effect::Changes("extract-archive"),
            FileOperation::Extract { source, to },
            |reply| {
                // The result of a job of a version that withheld nothing.
                if matches!(reply, Reply::Done) {
                    return Some(());
                }
                let Reply::Extracted(withheld) = reply else {
                    return None;
                };
                if withheld.is_any() {
                    log.spend(|| log_withheld(&archive, withheld));
                }
                Some(())
            },
        )
    }

    fn statfs(&mut self, directory: Resource<Directory>) -> Answer<wit::FilesystemStatistics> {
        self.work(&directory, Effect::Looks, FileOperation::Usage, |reply| {
            let Reply::Usage(usage) = reply else {
                return None;
            };
            Some(wit::FilesystemStatistics {
                total_bytes: usage.total_bytes,
                available_bytes: usage.available_bytes,
                total_inodes: usage.total_inodes,
                available_inodes: usage.available_inodes,
            })
        })
    }

    fn drop(&mut self, directory: Resource<Directory>) -> wasmtime::Result<()> {
        self.table.delete(directory)?;
        Ok(())
    }
}

/// What is missing in a restored tree is for the operator to know: the restore itself has succeeded.
fn log_withheld(archive: &GuestText, withheld: Withheld) {
    let why = match withheld.reason {
        WithheldFor::Provenance => {
            "archive-tree of this driver did not make it on this node, or it was changed since: who may write an archive could give them to anything"
        }
        WithheldFor::Number => "there were more than are remembered",
    };
    let Withheld {
        set_id,
        capabilities,
        devices,
        ..
    } = withheld;
    tracing::warn!(
        archive = archive.as_str(),
        "what was extracted lacks set-user-ID or set-group-ID of {set_id} files, capabilities of {capabilities}, and {devices} device nodes: {why}"
    );
}

/// Paths of an operation that a server or a filesystem could read as leading up.
fn check_names(operation: &FileOperation) -> Result<(), DriverError> {
    operation.paths().into_iter().try_for_each(check_path)
}

pub(super) fn check_path(path: &str) -> Result<(), DriverError> {
    match misread(path) {
        Some(Misread::Dots) => Err(DriverError::denied(format!(
            "path {path:?} is refused: it {}",
            Misread::Dots
        ))),
        Some(Misread::Slash(_)) | None => Ok(()),
    }
}

fn entry(entry: crate::worker::Entry) -> wit::Entry {
    wit::Entry {
        name: entry.name,
        kind: kind(entry.kind),
    }
}

fn kind(kind: EntryKind) -> wit::EntryKind {
    match kind {
        EntryKind::Directory => "directory",
        EntryKind::File => "file",
        EntryKind::Symlink => "symlink",
        EntryKind::Other => "other",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::fake_worker::FakeWorker;
    use crate::error::Condition;
    use crate::grant::{FilesGrant, Grants};
    use crate::worker::DirectoryOrigin;

    #[test]
    fn what_is_too_large_is_refused_before_it_goes_anywhere() {
        let write = |path: usize, content: usize| FileOperation::Write {
            path: "a".repeat(path),
            content: vec![0; content],
        };
        assert!(sendable(&write(4096, 64 * 1024)).is_ok());
        let condition = |operation| sendable(&operation).expect_err("too large").condition();
        assert_eq!(condition(write(4097, 0)), Condition::InvalidArgument);
        assert_eq!(condition(write(1, 64 * 1024 + 1)), Condition::Exhausted);
        let copy = FileOperation::Copy {
            source: "a".into(),
            to: "a/".repeat(4096),
        };
        assert_eq!(condition(copy), Condition::InvalidArgument);
    }

    #[test]
    fn a_compression_that_is_not_known_is_refused_with_those_that_are() {
        let known = |said| known_value("compression", said, &COMPRESSIONS);
        assert_eq!(known("gzip").expect("known"), Compression::Gzip);
        assert_eq!(known("none").expect("known"), Compression::None);
        let grants = Grants {
            files: Some(FilesGrant::ReadWrite),
            ..Grants::default()
        };
        let mut context = FakeWorker::default().context(grants, "".as_ref());
        let origin = DirectoryOrigin::Local("/srv/pool".into());
        let directory = context.table.push(Directory { origin }).expect("room");
        let (source, to) = ("a".to_owned(), "b".to_owned());
        let packed =
            wit::HostDirectory::archive_tree(&mut context, directory, source, to, "zstd".into());
        let Err(types::Error::Unsupported(said)) = packed.expect("no trap") else {
            panic!("not refused");
        };
        assert_eq!(
            said,
            r#"compression "zstd" is not known to this host, which knows "none", "gzip""#
        );
    }

    #[test]
    fn a_path_is_bounded_before_it_is_quoted() {
        let grants = Grants {
            files: Some(FilesGrant::ReadWrite),
            ..Grants::default()
        };
        let mut context = FakeWorker::default().context(grants, "".as_ref());
        let origin = DirectoryOrigin::Local("/srv/pool".into());
        let directory = context.table.push(Directory { origin }).expect("room");
        let removed = wit::HostDirectory::remove_tree(&mut context, directory, "../".repeat(4096));
        let Err(types::Error::InvalidArgument(said)) = removed.expect("no trap") else {
            panic!("not refused for its length");
        };
        assert_eq!(said, "a path is refused: it is longer than 4096 bytes");
    }
}
