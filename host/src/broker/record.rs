//! A broker that notes what crosses the line, and has another one answer.

use super::answer::Answer;
use super::ask::Ask;
use super::line::{Broker, CallReport, Violation};

/// Notes each question with its answer, in an order in which they can be read. What is private shows nothing of itself.
#[derive(Debug)]
pub(super) struct RecordingBroker<B> {
    answering: B,
    record: Vec<String>,
}

impl<B: Broker> RecordingBroker<B> {
    pub(super) fn over(answering: B) -> Self {
        Self {
            answering,
            record: Vec::new(),
        }
    }

    pub(super) fn record(&self) -> &[String] {
        &self.record
    }
}

impl<B: Broker> Broker for RecordingBroker<B> {
    fn ask(&mut self, ask: Ask) -> Result<Answer, Violation> {
        let asked = format!("{ask:?}");
        let answer = self.answering.ask(ask);
        self.record.push(match &answer {
            Ok(answer) => format!("{asked} -> {answer:?}"),
            Err(violation) => format!("{asked} -> {violation}"),
        });
        answer
    }

    fn without_secrets(&self, said: String) -> String {
        self.answering.without_secrets(said)
    }

    fn end(&mut self) -> CallReport {
        self.answering.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::ask::{HttpsAsk, LogAsk, Request, SigningAsk};
    use crate::broker::fake_worker::FakeWorker;
    use crate::broker::{Level, Private};
    use crate::grant::{AddressGrant, Capability, FileSource, Grants, HttpsGrant};
    use crate::grant::{KeySource, Method, SigningGrant};

    const SECRET: &str = "hunter2";

    fn endpoint() -> HttpsGrant {
        HttpsGrant {
            name: "api".into(),
            origin: "http://192.0.2.1".parse().expect("an origin"),
            region: None,
            methods: vec![Method::Post],
            paths: vec!["/".parse().expect("a pattern")],
            addresses: AddressGrant {
                capability: Capability::Https,
                key: "grants.https.api.addresses".into(),
                ranges: vec!["192.0.2.1".parse().expect("a range")],
            },
            ca: None,
            rate: 9,
            timeout: std::time::Duration::from_secs(15),
            max_response_bytes: 1 << 20,
        }
    }

    fn key(directory: &std::path::Path) -> SigningGrant {
        let file = |name: &str, content: &str| {
            let path = directory.join(name);
            std::fs::write(&path, content).expect("written");
            path
        };
        SigningGrant {
            name: "key".into(),
            source: KeySource::File(FileSource {
                id: file("id", "LTAI4"),
                secret: file("secret", SECRET),
                session_token: Some(file("token", SECRET)),
            }),
        }
    }

    #[test]
    fn all_that_crosses_the_line_is_noted_and_nothing_private_is_shown() {
        let run = tempfile::tempdir().expect("a directory");
        let grants = Grants {
            https: [("api".to_owned(), endpoint())].into(),
            signing: [("key".to_owned(), key(run.path()))].into(),
            ..Grants::default()
        };
        let worker = FakeWorker::default().answers(200, SECRET);
        let mut broker = RecordingBroker::over(worker.broker(grants, run.path()));
        let open = SigningAsk::OpenKey { name: "key".into() };
        let Ok(Answer::SigningKey(signing_key)) = broker.ask(open.into()) else {
            panic!("no key");
        };
        let open = HttpsAsk::OpenEndpoint { name: "api".into() };
        let Ok(Answer::Endpoint(endpoint)) = broker.ask(open.into()) else {
            panic!("no endpoint");
        };
        let pairs = || Private(vec![("x-token".to_owned(), SECRET.to_owned())]);
        let request = Request {
            method: "POST".into(),
            path: "/".into(),
            query: pairs(),
            headers: pairs(),
            body: Private(SECRET.into()),
        };
        let message = || Private(SECRET.as_bytes().to_vec());
        let algorithm = "hmac-sha256".to_owned();
        let line = LogAsk::Write {
            level: Level::Info,
            message: "signed".into(),
        };
        let token = SigningAsk::SessionToken { signing_key };
        let signed = SigningAsk::Sign {
            signing_key,
            algorithm,
            message: message(),
        };
        let sent = HttpsAsk::Send { endpoint, request };
        for ask in [token.into(), signed.into(), sent.into(), line.into()] {
            assert!(broker.ask(ask).is_ok());
        }
        assert!(broker.ask(Ask::Drop(signing_key.into())).is_ok());
        assert!(broker.ask(Ask::Drop(signing_key.into())).is_err());
        let (key, end) = (signing_key.0, endpoint.0);
        let expected = [
            format!(r#"Signing(OpenKey {{ name: "key" }}) -> SigningKey(SigningKeyHandle({key}))"#),
            format!(r#"Https(OpenEndpoint {{ name: "api" }}) -> Endpoint(EndpointHandle({end}))"#),
            format!(
                "Signing(SessionToken {{ signing_key: SigningKeyHandle({key}) }}) -> SessionToken(***)"
            ),
            format!(
                r#"Signing(Sign {{ signing_key: SigningKeyHandle({key}), algorithm: "hmac-sha256", message: *** }}) -> Signature(***)"#
            ),
            format!(
                r#"Https(Send {{ endpoint: EndpointHandle({end}), request: Request {{ method: "POST", path: "/", query: ***, headers: ***, body: *** }} }}) -> Response(Response {{ status: 200, headers: ***, body: *** }})"#
            ),
            r#"Log(Write { level: Info, message: "signed" }) -> Done"#.to_owned(),
            format!("Drop(SigningKey(SigningKeyHandle({key}))) -> Done"),
            format!("Drop(SigningKey(SigningKeyHandle({key}))) -> it has no signing-key {key}"),
        ];
        assert_eq!(broker.record(), expected);
        assert!(!broker.record().concat().contains(SECRET));
    }
}
