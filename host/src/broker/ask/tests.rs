//! The contract and the questions say the same, and each question and answer comes through its encoding as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wit_parser::{FunctionKind, Resolve, TypeDefKind, WorldItem};

use super::*;
use crate::broker::answer::{
    Answer, DeviceContent, Entry, FileStatus, FilesystemStatistics, Response, Told,
};
use crate::broker::encoding::{decode, encode};
use crate::broker::line::Violation;
use crate::error::Condition;

/// One question of each kind.
pub(in crate::broker) fn samples() -> Vec<Ask> {
    let mut samples = mounts();
    samples.extend(files());
    samples.extend(block_devices());
    samples.extend(https());
    samples.extend(signing());
    samples.extend(with_secrets());
    samples.push(SecretsAsk::OpenSecret { name: text() }.into());
    samples.push(SecretsAsk::Name { secret: SECRET }.into());
    samples.push(
        LogAsk::Write {
            level: Level::Warn,
            message: "a\u{2028}\"line\"".into(),
        }
        .into(),
    );
    let handles: [Handle; 6] = [
        TARGET.into(),
        DIRECTORY.into(),
        DEVICE.into(),
        ENDPOINT.into(),
        KEY.into(),
        SECRET.into(),
    ];
    samples.extend(handles.map(Ask::Drop));
    samples
}

const TARGET: TargetHandle = TargetHandle(1);
const DIRECTORY: DirectoryHandle = DirectoryHandle(2);
const DEVICE: DeviceHandle = DeviceHandle(3);
const ENDPOINT: EndpointHandle = EndpointHandle(4);
const KEY: SigningKeyHandle = SigningKeyHandle(u32::MAX);
const SECRET: SecretHandle = SecretHandle(5);

fn text() -> String {
    "a\0\u{feff}ü".to_owned()
}

fn bytes() -> Private<Vec<u8>> {
    Private((0..=u8::MAX).collect())
}

fn options() -> Vec<MountOption> {
    vec![("a".into(), None), ("b".into(), Some(text()))]
}

fn secret_options() -> Vec<SecretOption> {
    vec![(text(), SECRET)]
}

fn source() -> RemoteSource {
    RemoteSource {
        fs_type: "nfs".into(),
        server: text(),
        path: "/a".into(),
    }
}

fn mounts() -> Vec<Ask> {
    let asks = [
        MountsAsk::MountRemote {
            target: TARGET,
            source: source(),
            options: options(),
        },
        MountsAsk::Bind {
            target: TARGET,
            directory: DIRECTORY,
            path: text(),
        },
        MountsAsk::OpenDirectory { name: text() },
        MountsAsk::OpenRemote {
            source: source(),
            options: options(),
        },
    ];
    asks.map(Ask::from).into()
}

fn files() -> Vec<Ask> {
    let (directory, mode) = (DIRECTORY, 0o755);
    let (path, source, to) = (text, text, text);
    let asks = [
        FilesAsk::Mkdir {
            directory,
            path: path(),
            mode,
        },
        FilesAsk::Chmod {
            directory,
            path: path(),
            mode,
        },
        FilesAsk::Stat {
            directory,
            path: path(),
        },
        FilesAsk::Readdir {
            directory,
            path: path(),
        },
        FilesAsk::ReadFile {
            directory,
            path: path(),
        },
        FilesAsk::CreateFile {
            directory,
            path: path(),
            content: bytes(),
        },
        FilesAsk::WriteFile {
            directory,
            path: path(),
            content: bytes(),
        },
        FilesAsk::Rename {
            directory,
            source: source(),
            to: to(),
        },
        FilesAsk::RemoveTree {
            directory,
            path: path(),
        },
        FilesAsk::Rmdir {
            directory,
            path: path(),
        },
        FilesAsk::CopyTree {
            directory,
            source: source(),
            to: to(),
        },
        FilesAsk::ArchiveTree {
            directory,
            source: source(),
            to: to(),
            compression: "gzip".into(),
        },
        FilesAsk::ExtractArchive {
            directory,
            source: source(),
            to: to(),
        },
        FilesAsk::Statfs { directory },
    ];
    asks.map(Ask::from).into()
}

fn block_devices() -> Vec<Ask> {
    let (device, target) = (DEVICE, TARGET);
    let identity = |size_bytes| Identity {
        serial: text(),
        size_bytes,
    };
    let asks = [
        BlockDevicesAsk::SizeBytes { device },
        BlockDevicesAsk::Inspect { device },
        BlockDevicesAsk::EnsureFilesystem {
            device,
            fs_type: "ext4".into(),
            options: vec!["-b".into(), text()],
        },
        BlockDevicesAsk::GrowFilesystem { device },
        BlockDevicesAsk::Mount {
            device,
            target,
            options: options(),
        },
        BlockDevicesAsk::Bind { device, target },
        BlockDevicesAsk::FindDevice {
            identity: identity(None),
        },
        BlockDevicesAsk::AwaitDevice {
            identity: identity(Some(u64::MAX)),
            timeout_ms: u32::MAX,
        },
    ];
    asks.map(Ask::from).into()
}

fn request() -> Request {
    let pairs = || Private(vec![(text(), text())]);
    Request {
        method: "POST".into(),
        path: "/".into(),
        query: pairs(),
        headers: pairs(),
        body: bytes(),
    }
}

fn https() -> Vec<Ask> {
    let endpoint = ENDPOINT;
    let asks = [
        HttpsAsk::Authority { endpoint },
        HttpsAsk::Region { endpoint },
        HttpsAsk::Send {
            endpoint,
            request: request(),
        },
        HttpsAsk::OpenEndpoint { name: text() },
        HttpsAsk::Sleep { milliseconds: 1 },
    ];
    asks.map(Ask::from).into()
}

fn signing() -> Vec<Ask> {
    let signing_key = KEY;
    let asks = [
        SigningAsk::Id { signing_key },
        SigningAsk::SessionToken { signing_key },
        SigningAsk::Sign {
            signing_key,
            algorithm: text(),
            message: bytes(),
        },
        SigningAsk::OpenKey { name: text() },
        SigningAsk::NowSeconds {},
        SigningAsk::Nonce {},
        SigningAsk::Sha256 { message: bytes() },
    ];
    asks.map(Ask::from).into()
}

fn with_secrets() -> Vec<Ask> {
    let mounts = [
        SecretMountsAsk::MountRemote {
            target: TARGET,
            source: source(),
            options: options(),
            secret_options: secret_options(),
        },
        SecretMountsAsk::OpenRemote {
            source: source(),
            options: options(),
            secret_options: secret_options(),
        },
    ];
    let send = SecretRequestsAsk::Send {
        endpoint: ENDPOINT,
        request: request(),
        headers: vec![SecretHeader {
            name: text(),
            prefix: text(),
            secret: SECRET,
        }],
        basic: Some(basic(User::Name(text()))),
    };
    let open = SecretKeysAsk::OpenKey {
        id: text(),
        secret: SECRET,
        session_token: Some(SECRET),
    };
    let mut asks: Vec<Ask> = mounts.map(Ask::from).into();
    asks.extend([send.into(), open.into()]);
    asks
}

fn basic(user: User) -> BasicAuthentication {
    BasicAuthentication {
        user,
        password: SECRET,
    }
}

/// One answer of each kind.
fn answers() -> Vec<Answer> {
    let entry = Entry {
        name: text(),
        kind: "file".into(),
    };
    let told = |condition| {
        Answer::Failed(Told {
            condition,
            message: text(),
        })
    };
    let mut answers = Condition::ALL.map(told).to_vec();
    answers.extend([
        Answer::Done,
        Answer::Directory(DIRECTORY),
        Answer::Status(FileStatus {
            kind: "file".into(),
            mode: 0o644,
            size_bytes: u64::MAX,
            mtime_seconds: 1,
        }),
        Answer::Entries(vec![entry]),
        Answer::Content(bytes()),
        Answer::Statistics(FilesystemStatistics {
            total_bytes: u64::MAX,
            available_bytes: 2,
            total_inodes: 3,
            available_inodes: 4,
        }),
        Answer::Device(DEVICE),
        Answer::Size(u64::MAX),
        Answer::DeviceContent(DeviceContent::Blank),
        Answer::DeviceContent(DeviceContent::Filesystem(text())),
        Answer::DeviceContent(DeviceContent::Other(text())),
        Answer::Endpoint(ENDPOINT),
        Answer::Authority(text()),
        Answer::Region(None),
        Answer::Region(Some(text())),
        Answer::Response(Response {
            status: 503,
            headers: Private(vec![(text(), text())]),
            body: bytes(),
        }),
        Answer::SigningKey(KEY),
        Answer::Secret(SECRET),
        Answer::SecretName(text()),
        Answer::KeyId(text()),
        Answer::SessionToken(Private(None)),
        Answer::SessionToken(Private(Some(text()))),
        Answer::Signature(bytes()),
        Answer::Seconds(u64::MAX),
        Answer::Nonce(bytes()),
        Answer::Hash(bytes()),
    ]);
    answers
}

fn violations() -> Vec<Violation> {
    vec![
        Violation::NoHandle(KEY.into()),
        Violation::TooManyHandles(256),
        Violation::TooLarge { bytes: 2, most: 1 },
        Violation::Ended,
    ]
}

/// Names of an enum's cases, as they are encoded: serde says them of a case that there is not.
fn cases<T: DeserializeOwned + Debug>() -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(json!("?")).expect_err("no case");
    let said = error.to_string();
    // unknown variant `?`, expected one of `a`, `b`
    said.split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The case that it is of, as it is encoded, and what is in it.
fn case_of(value: &Value) -> (String, &Value) {
    match value {
        Value::String(case) => (case.clone(), &Value::Null),
        Value::Object(cases) => {
            let (case, inside) = cases.iter().next().expect("a case");
            (case.clone(), inside)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            panic!("{value} is no case")
        }
    }
}

#[track_caller]
fn comes_through<T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug>(message: &T) {
    let encoded = encode(message).expect("small enough");
    let decoded: T = decode(&encoded).expect("readable");
    assert_eq!(&decoded, message);
}

/// Every case of the enum is among the samples.
#[track_caller]
fn is_complete<T: DeserializeOwned + Serialize + Debug>(samples: &[T]) {
    let encoded = samples
        .iter()
        .map(|sample| serde_json::to_value(sample).expect("JSON"));
    let sampled: BTreeSet<String> = encoded.map(|sample| case_of(&sample).0).collect();
    assert_eq!(sampled, cases::<T>());
}

#[test]
fn questions_answers_and_violations_come_through_their_encoding_as_they_were() {
    samples().iter().for_each(comes_through);
    answers().iter().for_each(comes_through);
    violations().iter().for_each(comes_through);
    comes_through(&basic(User::Secret(SECRET)));
    is_complete(&samples());
    is_complete(&answers());
    is_complete(&violations());
}

#[test]
fn what_is_no_message_is_refused_and_not_repeated() {
    for bytes in [
        &b""[..],
        b"hunter2",
        b"{\"log\":{\"write\":{\"level\":\"hunter2\",\"message\":\"\"}}}",
        b"{\"drop\":{\"target\":-1}}",
        b"{\"drop\":{\"target\":1}} hunter2",
    ] {
        let said = decode::<Ask>(bytes).expect_err("no message").to_string();
        assert_eq!(said, "a message cannot be read");
    }
    let long = vec![b' '; 80 << 20];
    let said = decode::<Ask>(&long).expect_err("too long").to_string();
    assert!(
        said.starts_with("a message of 83886080 bytes is refused"),
        "{said}"
    );
}

/// Each function of what guests import, with its parameters.
type Functions = BTreeMap<(String, String), BTreeSet<String>>;

fn asked() -> Functions {
    let mut asked = Functions::new();
    for sample in samples() {
        let encoded = serde_json::to_value(&sample).expect("JSON");
        let (interface, question) = case_of(&encoded);
        if interface == "drop" {
            continue;
        }
        let (function, parameters) = case_of(question);
        let parameters = parameters.as_object().into_iter().flatten();
        let parameters = parameters.map(|(name, _)| name.clone()).collect();
        let before = asked.insert((interface, function), parameters);
        assert_eq!(before, None, "{sample:?} is asked twice");
    }
    asked
}

fn contract() -> (Functions, BTreeSet<String>) {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_dir(wit).expect("valid WIT");
    let world = resolve
        .select_world(&[package], Some("everything"))
        .expect("a world");
    let (mut functions, mut resources) = (Functions::new(), BTreeSet::new());
    for item in resolve.worlds[world].imports.values() {
        let WorldItem::Interface { id, .. } = item else {
            panic!("the world imports what is no interface: {item:?}");
        };
        let interface = &resolve.interfaces[*id];
        let name = interface.name.clone().expect("a name");
        let is_resource = |id| matches!(resolve.types[id].kind, TypeDefKind::Resource);
        let types = interface.types.iter().filter(|(_, id)| is_resource(**id));
        resources.extend(types.map(|(resource, _)| resource.clone()));
        for function in interface.functions.values() {
            let parameters = function.params.iter().map(|parameter| {
                if let FunctionKind::Method(resource) = &function.kind
                    && parameter.name == "self"
                {
                    let resource = resolve.types[*resource].name.clone();
                    return resource.expect("a name");
                }
                parameter.name.clone()
            });
            let key = (name.clone(), function.item_name().to_owned());
            functions.insert(key, parameters.collect());
        }
    }
    (functions, resources)
}

#[test]
fn the_contracts_imports_and_the_questions_are_the_same() {
    let (functions, resources) = contract();
    assert!(functions.len() > 30, "found {functions:?}");
    assert_eq!(asked(), functions);
    assert_eq!(cases::<Handle>(), resources);
    let by_interface: [(&str, BTreeSet<String>); 8] = [
        ("mounts", cases::<MountsAsk>()),
        ("files", cases::<FilesAsk>()),
        ("block-devices", cases::<BlockDevicesAsk>()),
        ("https", cases::<HttpsAsk>()),
        ("signing", cases::<SigningAsk>()),
        ("secrets", cases::<SecretsAsk>()),
        ("secret-mounts", cases::<SecretMountsAsk>()),
        ("log", cases::<LogAsk>()),
    ];
    for (interface, cases) in by_interface {
        let of_interface = functions.keys().filter(|(of, _)| of == interface);
        let named: BTreeSet<String> = of_interface.map(|(_, name)| name.clone()).collect();
        assert_eq!(cases, named, "{interface}");
    }
}
