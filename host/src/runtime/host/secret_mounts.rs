//! `secret-mounts`: remote sources, with options whose values are secrets.

use wasmtime::component::Resource;

use super::Answered;
use super::mounts::plain;
use crate::bindings::drivebay::driver::secret_mounts::{
    Directory, Host, MountOption, RemoteSource, SecretOption, Target,
};
use crate::broker::{self, SecretHandle, SecretMountsAsk, TargetHandle};
use crate::runtime::state::State;

impl Host for State {
    fn mount_remote(
        &mut self,
        target: Resource<Target>,
        source: RemoteSource,
        options: Vec<MountOption>,
        secret_options: Vec<SecretOption>,
    ) -> Answered<()> {
        self.ask_to(SecretMountsAsk::MountRemote {
            target: TargetHandle(target.rep()),
            source: plain(source),
            options,
            secret_options: numbers(secret_options),
        })
    }

    fn open_remote(
        &mut self,
        source: RemoteSource,
        options: Vec<MountOption>,
        secret_options: Vec<SecretOption>,
    ) -> Answered<Resource<Directory>> {
        self.open_directory_by(SecretMountsAsk::OpenRemote {
            source: plain(source),
            options,
            secret_options: numbers(secret_options),
        })
    }
}

fn numbers(options: Vec<SecretOption>) -> Vec<broker::SecretOption> {
    let options = options.into_iter();
    options
        .map(|(name, secret)| (name, SecretHandle(secret.rep())))
        .collect()
}
