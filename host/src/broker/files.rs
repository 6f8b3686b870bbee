//! `files`: work beneath a directory that the guest holds, carried out by a worker.

use super::answer::{Answer, Entry, FileStatus, FilesystemStatistics};
use super::ask::FilesAsk;
use super::error::BrokerError;
use super::handle::DirectoryHandle;
use super::known_value::known_value;
use super::private::Private;
use super::worker_broker::WorkerBroker;
use crate::error::{DriverError, GuestText};
use crate::grant::{Misread, misread};
use crate::worker::{
    self, Compression, EntryKind, FileOperation, Reply, Request, Withheld, WithheldFor,
};

/// A list of as many names as a worker tells, 1 MiB of them, on its way to the guest: six times as long where every
/// character has to be escaped.
const LIST_BYTES: usize = 8 << 20;

/// As the contract names them.
const COMPRESSIONS: [(&str, Compression); 2] =
    [("none", Compression::None), ("gzip", Compression::Gzip)];

/// Whether an operation changes anything.
#[derive(Clone, Copy)]
enum Effect {
    Looks,
    Changes(&'static str),
}

impl WorkerBroker {
    pub(super) fn files(&mut self, ask: FilesAsk) -> Result<Answer, BrokerError> {
        match ask {
            FilesAsk::Mkdir {
                directory,
                path,
                mode,
            } => self.change(
                directory,
                "mkdir",
                FileOperation::MakeDirectory { path, mode },
            ),
            FilesAsk::Chmod {
                directory,
                path,
                mode,
            } => self.change(directory, "chmod", FileOperation::SetMode { path, mode }),
            FilesAsk::Stat { directory, path } => {
                self.look(directory, FileOperation::Look { path }, status)
            }
            FilesAsk::Readdir { directory, path } => {
                self.take_buffer(LIST_BYTES)?;
                self.look(directory, FileOperation::List { path }, entries)
            }
            FilesAsk::ReadFile { directory, path } => {
                self.look(directory, FileOperation::Read { path }, content)
            }
            FilesAsk::CreateFile {
                directory,
                path,
                content: Private(content),
            } => self.change(
                directory,
                "create-file",
                FileOperation::Create { path, content },
            ),
            FilesAsk::WriteFile {
                directory,
                path,
                content: Private(content),
            } => self.change(
                directory,
                "write-file",
                FileOperation::Write { path, content },
            ),
            FilesAsk::Rename {
                directory,
                source,
                to,
            } => self.change(directory, "rename", FileOperation::Rename { source, to }),
            FilesAsk::RemoveTree { directory, path } => {
                self.change(directory, "remove-tree", FileOperation::Remove { path })
            }
            FilesAsk::Rmdir { directory, path } => {
                self.change(directory, "rmdir", FileOperation::RemoveDirectory { path })
            }
            FilesAsk::CopyTree {
                directory,
                source,
                to,
            } => self.change(directory, "copy-tree", FileOperation::Copy { source, to }),
            FilesAsk::ArchiveTree {
                directory,
                source,
                to,
                compression,
            } => {
                let compression = known_value("compression", &compression, &COMPRESSIONS)?;
                let operation = FileOperation::Archive {
                    source,
                    to,
                    compression,
                };
                self.work(directory, Effect::Changes("archive-tree"), operation, size)
            }
            FilesAsk::ExtractArchive {
                directory,
                source,
                to,
            } => self.extract(directory, source, to),
            FilesAsk::Statfs { directory } => {
                self.look(directory, FileOperation::Usage, statistics)
            }
        }
    }

    fn work<T>(
        &mut self,
        directory: DirectoryHandle,
        effect: Effect,
        operation: FileOperation,
        read: impl FnOnce(Reply) -> Option<T>,
    ) -> Result<T, BrokerError> {
        let directory = self.held.directory(directory)?.clone();
        if let (Effect::Changes(name), true) = (effect, self.only_compares()) {
            return Err(DriverError::failed_precondition(format!(
                "cannot {name}: this call only asks what is mounted"
            ))
            .into());
        }
        self.allows(effect)?;
        sendable(&operation)?;
        check_names(&operation)?;
        let reply = self.ask_worker(Request::Files {
            directory,
            operation,
        })?;
        let answer = read(reply);
        answer.ok_or_else(|| {
            DriverError::internal("the worker gave an answer of another kind").into()
        })
    }

    fn look(
        &mut self,
        directory: DirectoryHandle,
        operation: FileOperation,
        read: impl FnOnce(Reply) -> Option<Answer>,
    ) -> Result<Answer, BrokerError> {
        self.work(directory, Effect::Looks, operation, read)
    }

    fn change(
        &mut self,
        directory: DirectoryHandle,
        name: &'static str,
        operation: FileOperation,
    ) -> Result<Answer, BrokerError> {
        self.work(directory, Effect::Changes(name), operation, |reply| {
            (reply == Reply::Done).then_some(Answer::Done)
        })
    }

    fn extract(
        &mut self,
        directory: DirectoryHandle,
        source: String,
        to: String,
    ) -> Result<Answer, BrokerError> {
        let archive = GuestText::sentence(&source);
        let (effect, operation) = (
            Effect::Changes("extract-archive"),
            FileOperation::Extract { source, to },
        );
        let withheld = self.work(directory, effect, operation, |reply| {
            // The result of a job of a version that withheld nothing.
            if matches!(reply, Reply::Done) {
                return Some(None);
            }
            let Reply::Extracted(withheld) = reply else {
                return None;
            };
            Some(Some(withheld))
        })?;
        if let Some(withheld) = withheld.filter(Withheld::is_any) {
            self.log.spend(|| log_withheld(&archive, withheld));
        }
        Ok(Answer::Done)
    }

    fn allows(&self, effect: Effect) -> Result<(), BrokerError> {
        let Some(grant) = self.grants.files else {
            return Err(DriverError::denied("files are not granted to this driver").into());
        };
        match effect {
            Effect::Looks => Ok(()),
            Effect::Changes(name) => Ok(grant.allows_change(name)?),
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

fn status(reply: Reply) -> Option<Answer> {
    let Reply::Properties(found) = reply else {
        return None;
    };
    Some(Answer::Status(FileStatus {
        kind: kind(found.kind),
        mode: found.mode,
        size_bytes: found.size_bytes,
        mtime_seconds: found.modified_at_seconds,
    }))
}

fn entries(reply: Reply) -> Option<Answer> {
    let Reply::Entries(entries) = reply else {
        return None;
    };
    Some(Answer::Entries(entries.into_iter().map(entry).collect()))
}

fn content(reply: Reply) -> Option<Answer> {
    let Reply::Content(content) = reply else {
        return None;
    };
    Some(Answer::Content(Private(content)))
}

fn size(reply: Reply) -> Option<Answer> {
    let Reply::Size(bytes) = reply else {
        return None;
    };
    Some(Answer::Size(bytes))
}

fn statistics(reply: Reply) -> Option<Answer> {
    let Reply::Usage(usage) = reply else {
        return None;
    };
    Some(Answer::Statistics(FilesystemStatistics {
        total_bytes: usage.total_bytes,
        available_bytes: usage.available_bytes,
        total_inodes: usage.total_inodes,
        available_inodes: usage.available_inodes,
    }))
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

fn entry(entry: worker::Entry) -> Entry {
    Entry {
        name: entry.name,
        kind: kind(entry.kind),
    }
}

fn kind(kind: EntryKind) -> String {
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
    use crate::broker::fake_worker::{FakeWorker, ask, refused};
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
        let compression = "zstd".to_owned();
        let question = |directory| FilesAsk::ArchiveTree {
            directory,
            source: "a".to_owned(),
            to: "b".to_owned(),
            compression,
        };
        assert_eq!(
            told(question, Condition::Unsupported),
            r#"compression "zstd" is not known to this host, which knows "none", "gzip""#
        );
    }

    #[test]
    fn a_path_is_bounded_before_it_is_quoted() {
        let path = "../".repeat(4096);
        let question = |directory| FilesAsk::RemoveTree { directory, path };
        let said = told(question, Condition::InvalidArgument);
        assert_eq!(said, "a path is refused: it is longer than 4096 bytes");
    }

    /// Who may change everything asks that about a directory.
    fn told(question: impl FnOnce(DirectoryHandle) -> FilesAsk, condition: Condition) -> String {
        let grants = Grants {
            files: Some(FilesGrant::ReadWrite),
            ..Grants::default()
        };
        let mut broker = FakeWorker::default().broker(grants, "".as_ref());
        let origin = DirectoryOrigin::Local("/srv/pool".into());
        let directory = broker.held.insert_directory(origin).expect("room");
        refused(ask(&mut broker, question(directory)), condition)
    }
}
