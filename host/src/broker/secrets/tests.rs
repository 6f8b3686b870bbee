use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::broker::answer::Response;
use crate::broker::ask::{
    BasicAuthentication, HttpsAsk, MountOption, RemoteSource, Request, SecretHeader, SecretKeysAsk,
    SecretMountsAsk, SecretRequestsAsk, SigningAsk, User,
};
use crate::broker::fake_worker::{FakeWorker, ask, endpoint, refused};
use crate::broker::handle::{SecretHandle, SigningKeyHandle, TargetHandle};
use crate::broker::{Broker as _, Private, Purpose, Target, Told};
use crate::error::Condition;
use crate::grant::{BasicPart, Grants, Method, MountsGrant, SecretGrant, SigningUse};
use crate::volume::{Access, Secret, Secrets};

const VALUE: &str = "hunter2 hunter2";

/// A secret `password` for each use, and `token`, which is for none of those that tests have it used for.
fn grants() -> Grants {
    let password = SecretGrant {
        name: "password".into(),
        mount_options: vec!["password".into()],
        headers: vec!["authorization".into()],
        basic_authentication: BasicPart::ALL.to_vec(),
        endpoints: vec!["api".into()],
        signing: vec![SigningUse::HmacSha256],
    };
    let token = SecretGrant {
        name: "token".into(),
        signing: vec![SigningUse::SessionToken],
        ..SecretGrant::default()
    };
    let mut api = endpoint("api", "https://192.0.2.1", Method::Get);
    api.addresses.ranges = vec!["192.0.2.1".parse().expect("a range")];
    Grants {
        mounts: Some(MountsGrant {
            filesystems: vec!["cifs".into()],
            sources: vec!["192.0.2.1:/share/**".parse().expect("a pattern")],
            ..MountsGrant::default()
        }),
        https: [("api".to_owned(), api)].into(),
        secrets: BTreeMap::from([
            ("password".to_owned(), password),
            ("token".to_owned(), token),
        ]),
        ..Grants::default()
    }
}

/// A call with those grants that brought both secrets.
struct Call {
    broker: WorkerBroker,
    worker: FakeWorker,
    _run: tempfile::TempDir,
}

impl Call {
    fn new() -> Self {
        Self::of(FakeWorker::default())
    }

    fn of(worker: FakeWorker) -> Self {
        let pair = |name: &str, value: &str| {
            let value = Secret::new(value.as_bytes().to_vec());
            (name.to_owned(), value)
        };
        let brought = vec![pair("password", VALUE), pair("token", "a-token")];
        Self::bringing(worker, Secrets::bounded(brought).expect("two"))
    }

    fn bringing(worker: FakeWorker, secrets: Secrets) -> Self {
        let run = tempfile::tempdir().expect("a directory");
        let broker = worker.broker(grants(), run.path()).with_secrets(secrets);
        Self {
            broker,
            worker,
            _run: run,
        }
    }

    fn open(&mut self, name: &str) -> Result<Answer, Told> {
        let name = name.to_owned();
        ask(&mut self.broker, SecretsAsk::OpenSecret { name })
    }

    #[track_caller]
    fn secret(&mut self, name: &str) -> SecretHandle {
        let Ok(Answer::Secret(secret)) = self.open(name) else {
            panic!("{name} is neither granted nor brought");
        };
        secret
    }

    fn name(&mut self, secret: SecretHandle) -> Result<Answer, Told> {
        ask(&mut self.broker, SecretsAsk::Name { secret })
    }

    fn target(&mut self) -> TargetHandle {
        self.broker.lend(Target {
            path: PathBuf::from("/mnt/target"),
            access: Access::ReadWrite,
            mounted: None,
            purpose: Purpose::Mount,
        })
    }

    fn mount(
        &mut self,
        options: Vec<MountOption>,
        secrets: &[(&str, &str)],
    ) -> Result<Answer, Told> {
        let secret_options = secrets
            .iter()
            .map(|(option, secret)| ((*option).to_owned(), self.secret(secret)))
            .collect();
        let mount = SecretMountsAsk::MountRemote {
            target: self.target(),
            source: share(),
            options,
            secret_options,
        };
        ask(&mut self.broker, mount)
    }

    fn send(
        &mut self,
        headers: &[(&str, &str, &str)],
        basic: Option<(User, &str)>,
    ) -> Result<Response, Told> {
        let header = |(name, prefix, secret): &(&str, &str, &str)| SecretHeader {
            name: (*name).to_owned(),
            prefix: (*prefix).to_owned(),
            secret: self.secret(secret),
        };
        let headers: Vec<_> = headers.iter().map(header).collect();
        let basic = basic.map(|(user, password)| BasicAuthentication {
            user,
            password: self.secret(password),
        });
        let open = HttpsAsk::OpenEndpoint { name: "api".into() };
        let Ok(Answer::Endpoint(endpoint)) = ask(&mut self.broker, open) else {
            panic!("the endpoint is granted");
        };
        let request = Request {
            method: "GET".into(),
            path: "/".into(),
            query: Private(Vec::new()),
            headers: Private(vec![("x-own".into(), "b".into())]),
            body: Private(Vec::new()),
        };
        let send = SecretRequestsAsk::Send {
            endpoint,
            request,
            headers,
            basic,
        };
        let Answer::Response(response) = ask(&mut self.broker, send)? else {
            panic!("another answer");
        };
        Ok(response)
    }

    fn key(&mut self, secret: &str, token: &str) -> Result<SigningKeyHandle, Told> {
        let open = SecretKeysAsk::OpenKey {
            id: "AK1".into(),
            secret: self.secret(secret),
            session_token: Some(self.secret(token)),
        };
        let Answer::SigningKey(key) = ask(&mut self.broker, open)? else {
            panic!("another answer");
        };
        Ok(key)
    }

    fn sign(&mut self, signing_key: SigningKeyHandle, algorithm: &str) -> Result<Answer, Told> {
        let sign = SigningAsk::Sign {
            signing_key,
            algorithm: algorithm.into(),
            message: Private(b"message".to_vec()),
        };
        ask(&mut self.broker, sign)
    }
}

fn share() -> RemoteSource {
    RemoteSource {
        fs_type: "cifs".into(),
        server: "192.0.2.1".into(),
        path: "/share/a".into(),
    }
}

#[track_caller]
fn denied<T: std::fmt::Debug>(answer: Result<T, Told>) -> String {
    let said = refused(answer, Condition::Denied);
    assert!(!said.contains("hunter2"), "{said}");
    said
}

#[test]
fn a_secret_is_opened_by_a_granted_name_that_the_call_brought() {
    let mut call = Call::new();
    call.secret("password");
    assert_eq!(
        denied(call.open("other")),
        "secret \"other\" is not granted (grants.secrets has [\"password\", \"token\"])"
    );
    let mut bare = Call::bringing(FakeWorker::default(), Secrets::default());
    let said = refused(bare.open("password"), Condition::NotFound);
    assert!(
        said.starts_with("this call brought no secret \"password\""),
        "{said}"
    );
}

#[test]
fn a_secret_says_by_which_name_it_was_opened() {
    let mut call = Call::new();
    let secret = call.secret("password");
    let name = "password".to_owned();
    assert_eq!(call.name(secret), Ok(Answer::SecretName(name)));
}

#[test]
fn a_handle_that_no_secret_was_opened_as_ends_the_call() {
    let mut call = Call::new();
    let secret = SecretHandle(call.secret("password").0 + 1);
    let violated = call.broker.ask(SecretsAsk::Name { secret }.into());
    assert!(violated.is_err(), "{violated:?}");
}

#[test]
fn a_mount_has_the_secret_as_the_value_of_a_granted_option() {
    let mut call = Call::new();
    call.mount(Vec::new(), &[("password", "password")])
        .expect("mounted");
    let mounted = format!("MOUNT cifs //192.0.2.1/share/a\npassword={VALUE}");
    assert_eq!(call.worker.asked(), std::slice::from_ref(&mounted));
    let open = SecretMountsAsk::OpenRemote {
        source: share(),
        options: Vec::new(),
        secret_options: vec![("password".to_owned(), call.secret("password"))],
    };
    ask(&mut call.broker, open).expect("opened");
    assert_eq!(call.worker.asked(), [mounted.clone(), mounted]);
}

#[test]
fn an_option_that_a_secret_is_not_granted_for_is_denied_before_anybody_is_asked() {
    let mut call = Call::new();
    for (option, secret, said) in [
        (
            "username",
            "password",
            "secret \"password\" as mount option \"username\" is not granted (grants.secrets.password.mount-options = [\"password\"])",
        ),
        (
            "password",
            "token",
            "secret \"token\" as mount option \"password\" is not granted (grants.secrets.token.mount-options = [])",
        ),
    ] {
        assert_eq!(denied(call.mount(Vec::new(), &[(option, secret)])), said);
    }
    let own = ("vers".to_owned(), Some("3.0".to_owned()));
    denied(call.mount(vec![own], &[("password", "password")]));
    assert_eq!(call.worker.asked(), Vec::<String>::new());
}

#[test]
fn a_request_has_the_secret_in_a_granted_header_and_nowhere_else() {
    let mut call = Call::of(FakeWorker::default().answers(200, "fine"));
    let answer = call.send(&[("authorization", "Bearer ", "password")], None);
    assert_eq!(answer.expect("sent").body.0, b"fine");
    let sent = call.worker.asked().remove(0);
    let line = format!("authorization: Bearer {VALUE}");
    assert!(sent.lines().any(|it| it == line), "{sent}");
    assert_eq!(sent.matches("hunter2 hunter2").count(), 1, "{sent}");
}

#[test]
fn basic_authentication_takes_a_name_or_a_secret_for_the_user() {
    let mut call = Call::of(FakeWorker::default().answers(200, "").answers(200, ""));
    let named = (User::Name("ann".into()), "password");
    call.send(&[], Some(named)).expect("sent");
    let secret = User::Secret(call.secret("password"));
    call.send(&[], Some((secret, "password"))).expect("sent");
    let [first, second]: [String; 2] = call.worker.asked().try_into().expect("two");
    // ann:hunter2 hunter2, and the secret for both.
    for (sent, encoded) in [
        (first, "YW5uOmh1bnRlcjIgaHVudGVyMg=="),
        (second, "aHVudGVyMiBodW50ZXIyOmh1bnRlcjIgaHVudGVyMg=="),
    ] {
        let line = format!("authorization: Basic {encoded}");
        assert!(sent.lines().any(|it| it == line), "{sent}");
    }
}

#[test]
fn a_header_that_a_secret_is_not_granted_for_is_denied_and_nothing_is_sent() {
    let mut call = Call::new();
    denied(call.send(&[("x-token", "", "password")], None));
    denied(call.send(&[("authorization", "", "token")], None));
    denied(call.send(&[], Some((User::Name("ann".into()), "token"))));
    for twice in [
        call.send(&[("authorization", "", "password"); 2], None),
        call.send(
            &[("authorization", "", "password")],
            Some((User::Name("ann".into()), "password")),
        ),
    ] {
        refused(twice, Condition::InvalidArgument);
    }
    assert_eq!(call.worker.asked(), Vec::<String>::new());
}

#[test]
fn a_server_that_repeats_what_it_was_sent_tells_the_guest_nothing() {
    let echo = format!("you are Basic YW5uOmh1bnRlcjIgaHVudGVyMg==, {VALUE}");
    let mut call = Call::of(FakeWorker::default().answers(401, &echo));
    let named = (User::Name("ann".into()), "password");
    let answer = call.send(&[], Some(named)).expect("an answer");
    let body = String::from_utf8(answer.body.0).expect("text");
    assert_eq!(body.len(), echo.len());
    assert!(
        !body.contains("hunter2") && !body.contains("YW5u"),
        "{body}"
    );
    assert!(body.starts_with("you are Basic ****"), "{body}");
}

#[test]
fn a_key_of_the_call_signs_as_it_was_granted_and_tells_its_token_where_that_was() {
    let mut call = Call::new();
    let signing_key = call.key("password", "token").expect("granted");
    let id = ask(&mut call.broker, SigningAsk::Id { signing_key });
    assert_eq!(id.expect("known"), Answer::KeyId("AK1".into()));
    let told = ask(&mut call.broker, SigningAsk::SessionToken { signing_key });
    let token = Private(Some("a-token".to_owned()));
    assert_eq!(told.expect("granted"), Answer::SessionToken(token));
    let Ok(Answer::Signature(signed)) = call.sign(signing_key, "hmac-sha256") else {
        panic!("it is granted");
    };
    assert_eq!(signed.0.len(), 32);
    assert_eq!(
        denied(call.sign(signing_key, "hmac-sha1")),
        "secret \"password\" as a key for hmac-sha1 is not granted (grants.secrets.password.signing = [\"hmac-sha256\"])"
    );
    denied(call.key("token", "password"));
}

#[test]
fn a_guest_that_repeats_what_it_was_told_tells_nobody() {
    let call = Call::new();
    let said = call
        .broker
        .without_secrets("the server refuses a-token".into());
    assert_eq!(said, "the server refuses *******");
}

#[test]
fn an_error_that_repeats_a_secret_is_told_without_it() {
    let mut call = Call::new();
    let error = crate::error::DriverError::internal(format!("the kernel said {VALUE:?}"));
    let told = call.broker.tell(&error);
    assert_eq!(told.condition, Condition::Internal);
    assert_eq!(told.message, "the kernel said \"***************\"");
}
