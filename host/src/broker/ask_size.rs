//! How large a question is. What a guest says is copied several times on its way, so all of it together has a bound.

use super::ask::{
    Ask, BasicAuthentication, BlockDevicesAsk, FilesAsk, HttpsAsk, LogAsk, MountOption, MountsAsk,
    RemoteSource, Request, SecretHeader, SecretKeysAsk, SecretMountsAsk, SecretOption,
    SecretRequestsAsk, SecretsAsk, SigningAsk, User,
};

/// Of one question, in bytes: twice what a guest's side takes out of its memory at once, as text can be twice as long in
/// UTF-8 as it was there.
pub(super) const MAX_ASK_BYTES: usize = 4 << 20;

impl Ask {
    /// Its texts and lists, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Mounts(ask) => of_mounts(ask),
            Self::Files(ask) => of_files(ask),
            Self::BlockDevices(ask) => of_block_devices(ask),
            Self::Https(ask) => of_https(ask),
            Self::Signing(ask) => of_signing(ask),
            Self::Secrets(SecretsAsk::OpenSecret { name }) => name.len(),
            Self::Secrets(SecretsAsk::Name { .. }) => 0,
            Self::SecretMounts(ask) => of_secret_mounts(ask),
            Self::SecretRequests(ask) => of_secret_requests(ask),
            Self::SecretKeys(SecretKeysAsk::OpenKey { id, .. }) => id.len(),
            Self::Log(LogAsk::Write { message, .. }) => message.len(),
            Self::Drop(_) => 0,
        }
    }
}

fn of_mounts(ask: &MountsAsk) -> usize {
    match ask {
        MountsAsk::MountRemote {
            source, options, ..
        }
        | MountsAsk::OpenRemote { source, options } => of_source(source) + of_options(options),
        MountsAsk::Bind { path, .. } => path.len(),
        MountsAsk::OpenDirectory { name } => name.len(),
    }
}

fn of_secret_mounts(ask: &SecretMountsAsk) -> usize {
    let (SecretMountsAsk::MountRemote {
        source,
        options,
        secret_options,
        ..
    }
    | SecretMountsAsk::OpenRemote {
        source,
        options,
        secret_options,
    }) = ask;
    of_source(source) + of_options(options) + of_secret_options(secret_options)
}

fn of_source(source: &RemoteSource) -> usize {
    source.fs_type.len() + source.server.len() + source.path.len()
}

fn of_options(options: &[MountOption]) -> usize {
    let value = |value: &Option<String>| value.as_ref().map_or(0, String::len);
    let options = options
        .iter()
        .map(|(name, it)| size_of::<MountOption>() + name.len() + value(it));
    options.sum()
}

fn of_secret_options(options: &[SecretOption]) -> usize {
    let options = options
        .iter()
        .map(|(name, _)| size_of::<SecretOption>() + name.len());
    options.sum()
}

fn of_files(ask: &FilesAsk) -> usize {
    match ask {
        FilesAsk::Mkdir { path, .. }
        | FilesAsk::Chmod { path, .. }
        | FilesAsk::Stat { path, .. }
        | FilesAsk::Readdir { path, .. }
        | FilesAsk::ReadFile { path, .. }
        | FilesAsk::RemoveTree { path, .. }
        | FilesAsk::Rmdir { path, .. } => path.len(),
        FilesAsk::CreateFile { path, content, .. } | FilesAsk::WriteFile { path, content, .. } => {
            path.len() + content.0.len()
        }
        FilesAsk::Rename { source, to, .. }
        | FilesAsk::CopyTree { source, to, .. }
        | FilesAsk::ExtractArchive { source, to, .. } => source.len() + to.len(),
        FilesAsk::ArchiveTree {
            source,
            to,
            compression,
            ..
        } => source.len() + to.len() + compression.len(),
        FilesAsk::Statfs { .. } => 0,
    }
}

fn of_block_devices(ask: &BlockDevicesAsk) -> usize {
    match ask {
        BlockDevicesAsk::EnsureFilesystem {
            fs_type, options, ..
        } => {
            let options = options.iter().map(|word| size_of::<String>() + word.len());
            fs_type.len() + options.sum::<usize>()
        }
        BlockDevicesAsk::Mount { options, .. } => of_options(options),
        BlockDevicesAsk::FindDevice { identity }
        | BlockDevicesAsk::AwaitDevice { identity, .. } => identity.serial.len(),
        BlockDevicesAsk::SizeBytes { .. }
        | BlockDevicesAsk::Inspect { .. }
        | BlockDevicesAsk::GrowFilesystem { .. }
        | BlockDevicesAsk::Bind { .. } => 0,
    }
}

fn of_https(ask: &HttpsAsk) -> usize {
    match ask {
        HttpsAsk::Send { request, .. } => of_request(request),
        HttpsAsk::OpenEndpoint { name } => name.len(),
        HttpsAsk::Authority { .. } | HttpsAsk::Region { .. } | HttpsAsk::Sleep { .. } => 0,
    }
}

fn of_secret_requests(ask: &SecretRequestsAsk) -> usize {
    let SecretRequestsAsk::Send {
        request,
        headers,
        basic,
        ..
    } = ask;
    of_request(request) + of_secret_headers(headers) + of_basic(basic.as_ref())
}

fn of_request(request: &Request) -> usize {
    let pairs = request.query.0.iter().chain(&request.headers.0);
    let pairs = pairs.map(|(name, value)| size_of::<(String, String)>() + name.len() + value.len());
    request.method.len() + request.path.len() + pairs.sum::<usize>() + request.body.0.len()
}

fn of_secret_headers(headers: &[SecretHeader]) -> usize {
    let headers = headers
        .iter()
        .map(|it| size_of::<SecretHeader>() + it.name.len() + it.prefix.len());
    headers.sum()
}

fn of_basic(basic: Option<&BasicAuthentication>) -> usize {
    match basic.map(|basic| &basic.user) {
        Some(User::Name(name)) => name.len(),
        Some(User::Secret(_)) | None => 0,
    }
}

fn of_signing(ask: &SigningAsk) -> usize {
    match ask {
        SigningAsk::Sign {
            algorithm, message, ..
        } => algorithm.len() + message.0.len(),
        SigningAsk::OpenKey { name } => name.len(),
        SigningAsk::Sha256 { message } => message.0.len(),
        SigningAsk::Id { .. }
        | SigningAsk::SessionToken { .. }
        | SigningAsk::NowSeconds {}
        | SigningAsk::Nonce {} => 0,
    }
}
