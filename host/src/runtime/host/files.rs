//! `files`: work beneath a directory that the guest holds.

use wasmtime::component::Resource;

use super::Answered;
use crate::bindings::drivebay::driver::files::{
    Compression, Directory, Entry, FileStatus, FilesystemStatistics, Host, HostDirectory,
};
use crate::broker::{DirectoryHandle, FilesAsk, Private};
use crate::runtime::state::State;

impl Host for State {}

fn handle(directory: &Resource<Directory>) -> DirectoryHandle {
    DirectoryHandle(directory.rep())
}

impl HostDirectory for State {
    fn mkdir(&mut self, it: Resource<Directory>, path: String, mode: u32) -> Answered<()> {
        let directory = handle(&it);
        self.ask_to(FilesAsk::Mkdir {
            directory,
            path,
            mode,
        })
    }

    fn chmod(&mut self, it: Resource<Directory>, path: String, mode: u32) -> Answered<()> {
        let directory = handle(&it);
        self.ask_to(FilesAsk::Chmod {
            directory,
            path,
            mode,
        })
    }

    fn stat(&mut self, it: Resource<Directory>, path: String) -> Answered<FileStatus> {
        let directory = handle(&it);
        let found = self.ask(FilesAsk::Stat { directory, path }, super::read!(Status))?;
        Ok(found.map(|found| FileStatus {
            kind: found.kind,
            mode: found.mode,
            size_bytes: found.size_bytes,
            mtime_seconds: found.mtime_seconds,
        }))
    }

    fn readdir(&mut self, it: Resource<Directory>, path: String) -> Answered<Vec<Entry>> {
        let directory = handle(&it);
        let ask = FilesAsk::Readdir { directory, path };
        let entries = self.ask(ask, super::read!(Entries))?;
        Ok(entries.map(|entries| {
            let entries = entries.into_iter().map(|entry| Entry {
                name: entry.name,
                kind: entry.kind,
            });
            entries.collect()
        }))
    }

    fn read_file(&mut self, it: Resource<Directory>, path: String) -> Answered<Vec<u8>> {
        let directory = handle(&it);
        let ask = FilesAsk::ReadFile { directory, path };
        let content = self.ask(ask, super::read!(Content))?;
        Ok(content.map(|content| content.0))
    }

    fn create_file(
        &mut self,
        it: Resource<Directory>,
        path: String,
        content: Vec<u8>,
    ) -> Answered<()> {
        self.ask_to(FilesAsk::CreateFile {
            directory: handle(&it),
            path,
            content: Private(content),
        })
    }

    fn write_file(
        &mut self,
        it: Resource<Directory>,
        path: String,
        content: Vec<u8>,
    ) -> Answered<()> {
        self.ask_to(FilesAsk::WriteFile {
            directory: handle(&it),
            path,
            content: Private(content),
        })
    }

    fn rename(&mut self, it: Resource<Directory>, source: String, to: String) -> Answered<()> {
        let directory = handle(&it);
        self.ask_to(FilesAsk::Rename {
            directory,
            source,
            to,
        })
    }

    fn remove_tree(&mut self, it: Resource<Directory>, path: String) -> Answered<()> {
        let directory = handle(&it);
        self.ask_to(FilesAsk::RemoveTree { directory, path })
    }

    fn rmdir(&mut self, it: Resource<Directory>, path: String) -> Answered<()> {
        let directory = handle(&it);
        self.ask_to(FilesAsk::Rmdir { directory, path })
    }

    fn copy_tree(&mut self, it: Resource<Directory>, source: String, to: String) -> Answered<()> {
        let directory = handle(&it);
        self.ask_to(FilesAsk::CopyTree {
            directory,
            source,
            to,
        })
    }

    fn archive_tree(
        &mut self,
        it: Resource<Directory>,
        source: String,
        to: String,
        compression: Compression,
    ) -> Answered<u64> {
        let ask = FilesAsk::ArchiveTree {
            directory: handle(&it),
            source,
            to,
            compression,
        };
        self.ask(ask, super::read!(Size))
    }

    fn extract_archive(
        &mut self,
        it: Resource<Directory>,
        source: String,
        to: String,
    ) -> Answered<()> {
        let directory = handle(&it);
        self.ask_to(FilesAsk::ExtractArchive {
            directory,
            source,
            to,
        })
    }

    fn statfs(&mut self, it: Resource<Directory>) -> Answered<FilesystemStatistics> {
        let directory = handle(&it);
        let usage = self.ask(FilesAsk::Statfs { directory }, super::read!(Statistics))?;
        Ok(usage.map(|usage| FilesystemStatistics {
            total_bytes: usage.total_bytes,
            available_bytes: usage.available_bytes,
            total_inodes: usage.total_inodes,
            available_inodes: usage.available_inodes,
        }))
    }

    fn drop(&mut self, it: Resource<Directory>) -> wasmtime::Result<()> {
        self.give_back(handle(&it))
    }
}
