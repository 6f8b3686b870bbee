//! What a component is granted where nobody has granted it anything yet: what it asks for, at the moment it does. Policy
//! itself knows no such thing; the driver's own grants grow here, in the memory of one call.

use std::time::Duration;

use super::state::Model;
use crate::broker::ask::{
    Ask, BlockDevicesAsk, HttpsAsk, MountOption, MountsAsk, RemoteSource, SecretKeysAsk,
    SecretMountsAsk, SecretRequestsAsk, SecretsAsk, SigningAsk, User,
};
use crate::broker::handle::SecretHandle;
use crate::broker::worker_broker::WorkerBroker;
use crate::error::is_harmful;
use crate::grant::{
    AddressGrant, BasicPart, Capability, FILESYSTEMS, FileSource, FilesGrant, GrantedOption,
    GrantedOptions, Grants, HttpsGrant, KeySource, Method, MountsGrant, SecretGrant, SigningGrant,
    SigningUse, SourcePattern, WordPattern,
};

/// What grants say where they say nothing else: `rate`, `timeout`, `max-response` of a driver's file.
const RATE: u32 = 600;
const TIMEOUT: Duration = Duration::from_secs(15);
const MAX_RESPONSE: usize = 1 << 20;

/// Of a directory that is granted, in bytes.
const LONGEST_NAME: usize = 80;

/// What an endpoint is told to be in.
const REGION: &str = "region-1";

pub(super) fn grant(broker: &mut WorkerBroker, model: &Model, ask: &Ask) {
    match ask {
        Ask::Mounts(ask) => mounts(broker, model, ask),
        Ask::Files(_) => broker.grants.files = Some(FilesGrant::ReadWrite),
        Ask::BlockDevices(ask) => block_devices(&mut broker.grants, ask),
        Ask::Https(ask) => https(broker, ask),
        Ask::Signing(ask) => signing(broker, ask),
        Ask::Secrets(SecretsAsk::OpenSecret { name }) => {
            secret(&mut broker.grants, name);
        }
        Ask::SecretMounts(ask) => secret_mounts(broker, ask),
        Ask::SecretRequests(ask) => secret_requests(broker, ask),
        Ask::SecretKeys(ask) => secret_keys(broker, ask),
        Ask::Secrets(SecretsAsk::Name { .. }) | Ask::Log(_) | Ask::Drop(_) => {}
    }
}

fn mounts(broker: &mut WorkerBroker, model: &Model, ask: &MountsAsk) {
    let grant = broker.grants.mounts.get_or_insert_default();
    match ask {
        MountsAsk::MountRemote {
            source, options, ..
        }
        | MountsAsk::OpenRemote { source, options } => remote(grant, source, options),
        MountsAsk::OpenDirectory { name } if is_nameable(name) => {
            let path = model.directory(name);
            grant.directories.insert(name.clone(), path);
        }
        // A name that no operator would write down is granted by none.
        MountsAsk::OpenDirectory { .. } | MountsAsk::Bind { .. } => {}
    }
}

fn secret_mounts(broker: &mut WorkerBroker, ask: &SecretMountsAsk) {
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
    let grant = broker.grants.mounts.get_or_insert_default();
    remote(grant, source, options);
    for (option, handle) in secret_options {
        if let Some(grant) = secret_of(broker, *handle) {
            add(&mut grant.mount_options, option.clone());
        }
    }
}

/// Short enough to be a directory's name, percent-encoded.
fn is_nameable(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(is_harmful)
}

fn remote(grant: &mut MountsGrant, source: &RemoteSource, options: &[MountOption]) {
    if !grant.filesystems.contains(&source.fs_type) {
        grant.filesystems.push(source.fs_type.clone());
    }
    if grant.sources.is_empty() {
        grant.sources.extend("*:/**".parse::<SourcePattern>());
    }
    for (name, _) in options {
        option(&mut grant.options, name);
    }
}

/// With any value. What cannot be an option is none, and the broker says so.
fn option(granted: &mut GrantedOptions, name: &str) {
    let is_known = granted
        .iter()
        .any(|it| it.name() == name && it.value().is_none());
    let option = name.parse::<GrantedOption>().ok().filter(|_| !is_known);
    *granted = granted.iter().cloned().chain(option).collect();
}

/// Devices have names of the model's, which any grant fits.
fn block_devices(grants: &mut Grants, ask: &BlockDevicesAsk) {
    let grant = grants.block_devices.get_or_insert_default();
    grant.filesystems = FILESYSTEMS.map(str::to_owned).to_vec();
    match ask {
        BlockDevicesAsk::EnsureFilesystem { options, .. } => {
            for word in options
                .iter()
                .filter_map(|word| word.parse::<WordPattern>().ok())
            {
                add(&mut grant.format_options, word);
            }
        }
        BlockDevicesAsk::Mount { options, .. } => {
            for (name, _) in options {
                option(&mut grant.mount_options, name);
            }
        }
        BlockDevicesAsk::SizeBytes { .. }
        | BlockDevicesAsk::Inspect { .. }
        | BlockDevicesAsk::GrowFilesystem { .. }
        | BlockDevicesAsk::Bind { .. }
        | BlockDevicesAsk::FindDevice { .. }
        | BlockDevicesAsk::AwaitDevice { .. } => {}
    }
}

fn https(broker: &mut WorkerBroker, ask: &HttpsAsk) {
    match ask {
        HttpsAsk::OpenEndpoint { name } => {
            if let Some(grant) = endpoint(name) {
                broker.grants.https.insert(name.clone(), grant);
            }
        }
        HttpsAsk::Authority { .. }
        | HttpsAsk::Region { .. }
        | HttpsAsk::Send { .. }
        | HttpsAsk::Sleep { .. } => {}
    }
}

fn secret_requests(broker: &mut WorkerBroker, ask: &SecretRequestsAsk) {
    let SecretRequestsAsk::Send {
        endpoint,
        headers,
        basic,
        ..
    } = ask;
    let Ok(endpoint) = broker.held.endpoint(*endpoint).cloned() else {
        return;
    };
    for header in headers {
        if let Some(grant) = secret_of(broker, header.secret) {
            add(&mut grant.headers, header.name.clone());
            add(&mut grant.endpoints, endpoint.clone());
        }
    }
    let user = basic.as_ref().and_then(|basic| match basic.user {
        User::Name(_) => None,
        User::Secret(secret) => Some(secret),
    });
    let password = basic.as_ref().map(|basic| basic.password);
    for handle in user.into_iter().chain(password) {
        if let Some(grant) = secret_of(broker, handle) {
            grant.basic_authentication = BasicPart::ALL.to_vec();
            add(&mut grant.endpoints, endpoint.clone());
        }
    }
}

/// None where there is no origin that could have that name in it.
fn endpoint(name: &str) -> Option<HttpsGrant> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = match !name.is_empty() && name.chars().all(is_plain) {
        true => name,
        false => "endpoint",
    };
    Some(HttpsGrant {
        name: name.to_owned(),
        origin: format!("https://{label}.invalid").parse().ok()?,
        region: Some(REGION.to_owned()),
        methods: Method::ALL.to_vec(),
        paths: vec!["/**".parse().ok()?],
        addresses: AddressGrant {
            capability: Capability::Https,
            key: format!("grants.https.{name}.addresses"),
            ranges: Vec::new(),
        },
        ca: None,
        rate: RATE,
        timeout: TIMEOUT,
        max_response_bytes: MAX_RESPONSE,
    })
}

fn signing(broker: &mut WorkerBroker, ask: &SigningAsk) {
    match ask {
        SigningAsk::OpenKey { name } => {
            let grant = SigningGrant {
                name: name.clone(),
                // Nobody reads them: the key is made up.
                source: KeySource::File(FileSource {
                    id: "/dev/null".into(),
                    secret: "/dev/null".into(),
                    session_token: None,
                }),
            };
            broker.grants.signing.insert(name.clone(), grant);
        }
        SigningAsk::Id { .. }
        | SigningAsk::SessionToken { .. }
        | SigningAsk::Sign { .. }
        | SigningAsk::NowSeconds {}
        | SigningAsk::Nonce {}
        | SigningAsk::Sha256 { .. } => {}
    }
}

fn secret_keys(broker: &mut WorkerBroker, ask: &SecretKeysAsk) {
    let SecretKeysAsk::OpenKey {
        secret,
        session_token,
        ..
    } = ask;
    for handle in [Some(*secret), *session_token].into_iter().flatten() {
        if let Some(grant) = secret_of(broker, handle) {
            grant.signing = SigningUse::ALL.to_vec();
        }
    }
}

fn secret<'a>(grants: &'a mut Grants, name: &str) -> &'a mut SecretGrant {
    let grant = grants.secrets.entry(name.to_owned()).or_default();
    name.clone_into(&mut grant.name);
    grant
}

/// None for a handle that stands for nothing, of which the broker has a word to say.
fn secret_of(broker: &mut WorkerBroker, handle: SecretHandle) -> Option<&mut SecretGrant> {
    let name = broker.held.secret(handle).ok()?.clone();
    Some(secret(&mut broker.grants, &name))
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
