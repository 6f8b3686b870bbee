//! `mounts`: targets, remote sources, granted directories.

use wasmtime::component::Resource;

use super::Answered;
use crate::bindings::drivebay::driver::mounts::{
    Directory, Host, HostTarget, MountOption, RemoteSource, Secret, Target,
};
use crate::broker::{self, DirectoryHandle, MountsAsk, SecretHandle, SecretOption, TargetHandle};
use crate::runtime::state::State;

impl Host for State {
    fn open_directory(&mut self, name: String) -> Answered<Resource<Directory>> {
        self.open(MountsAsk::OpenDirectory { name })
    }

    fn open_remote(
        &mut self,
        source: RemoteSource,
        options: Vec<MountOption>,
    ) -> Answered<Resource<Directory>> {
        let source = plain(source);
        self.open(MountsAsk::OpenRemote { source, options })
    }

    fn open_remote_with_secrets(
        &mut self,
        source: RemoteSource,
        options: Vec<MountOption>,
        secret_options: Vec<(String, Resource<Secret>)>,
    ) -> Answered<Resource<Directory>> {
        self.open(MountsAsk::OpenRemoteWithSecrets {
            source: plain(source),
            options,
            secret_options: numbers(secret_options),
        })
    }
}

impl State {
    fn open(&mut self, ask: MountsAsk) -> Answered<Resource<Directory>> {
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

    fn mount_remote_with_secrets(
        &mut self,
        target: Resource<Target>,
        source: RemoteSource,
        options: Vec<MountOption>,
        secret_options: Vec<(String, Resource<Secret>)>,
    ) -> Answered<()> {
        self.ask_to(MountsAsk::MountRemoteWithSecrets {
            target: TargetHandle(target.rep()),
            source: plain(source),
            options,
            secret_options: numbers(secret_options),
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

fn numbers(options: Vec<(String, Resource<Secret>)>) -> Vec<SecretOption> {
    let options = options.into_iter();
    options
        .map(|(name, secret)| (name, SecretHandle(secret.rep())))
        .collect()
}

fn plain(source: RemoteSource) -> broker::RemoteSource {
    broker::RemoteSource {
        fs_type: source.fs_type,
        server: source.server,
        path: source.path,
    }
}
