//! `mounts`: targets, remote sources, granted directories.

use wasmtime::component::Resource;

use super::Answered;
use crate::bindings::drivebay::driver::mounts::{
    Directory, Host, HostTarget, MountOption, RemoteSource, Target,
};
use crate::broker::{self, Ask, DirectoryHandle, MountsAsk, TargetHandle};
use crate::runtime::state::State;

impl Host for State {
    fn open_directory(&mut self, name: String) -> Answered<Resource<Directory>> {
        self.open_directory_by(MountsAsk::OpenDirectory { name })
    }

    fn open_remote(
        &mut self,
        source: RemoteSource,
        options: Vec<MountOption>,
    ) -> Answered<Resource<Directory>> {
        let source = plain(source);
        self.open_directory_by(MountsAsk::OpenRemote { source, options })
    }
}

impl State {
    pub(super) fn open_directory_by(
        &mut self,
        ask: impl Into<Ask>,
    ) -> Answered<Resource<Directory>> {
        let directory = self.ask(ask, super::read!(Directory))?;
        Ok(directory.map(|directory| Resource::new_own(directory.0)))
    }
}

impl HostTarget for State {
    fn mount_remote(
        &mut self,
        target: Resource<Target>,
        source: RemoteSource,
        options: Vec<MountOption>,
    ) -> Answered<()> {
        self.ask_to(MountsAsk::MountRemote {
            target: TargetHandle(target.rep()),
            source: plain(source),
            options,
        })
    }

    fn bind(
        &mut self,
        target: Resource<Target>,
        directory: Resource<Directory>,
        path: String,
    ) -> Answered<()> {
        self.ask_to(MountsAsk::Bind {
            target: TargetHandle(target.rep()),
            directory: DirectoryHandle(directory.rep()),
            path,
        })
    }

    fn drop(&mut self, target: Resource<Target>) -> wasmtime::Result<()> {
        self.give_back(TargetHandle(target.rep()))
    }
}

pub(super) fn plain(source: RemoteSource) -> broker::RemoteSource {
    broker::RemoteSource {
        fs_type: source.fs_type,
        server: source.server,
        path: source.path,
    }
}
