//! The API server, asked as its administrator through `kubectl proxy`: one request, one answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// An address that speaks HTTP.
#[derive(Debug, Clone)]
pub struct Api(String);

impl Api {
    /// Of whoever answers there, `HOST:PORT`.
    pub fn at(address: &str) -> Self {
        Self(address.to_owned())
    }

    /// Whether anybody answers.
    pub fn answers(&self) -> bool {
        self.ask("GET", "/readyz", "")
            .is_some_and(|(code, _)| code == 200)
    }

    /// The object of that path, where there is one.
    pub fn find(&self, path: &str) -> Option<Value> {
        match self.ask("GET", path, "")? {
            (200, body) => serde_json::from_str(&body).ok(),
            _ => None,
        }
    }

    /// The objects of a list.
    pub fn list(&self, path: &str) -> Vec<Value> {
        let found = self.find(path).expect("a list");
        found["items"].as_array().cloned().unwrap_or_default()
    }

    /// What was told of an object of that namespace, as `REASON: text`.
    pub fn events_of(&self, namespace: &str, name: &str) -> Vec<String> {
        let events = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        let events = self.list(&events).into_iter();
        let its = events.filter(|event| event["regarding"]["name"] == name);
        its.map(|event| {
            let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("reason"), text("note"))
        })
        .collect()
    }

    /// A new object in a list; as the API server has it.
    #[track_caller]
    pub fn create(&self, path: &str, object: &Value) -> Value {
        self.expect("POST", path, &object.to_string())
    }

    /// Whether such an object is not taken.
    pub fn refuses(&self, path: &str, object: &Value) -> bool {
        let answer = self.ask("POST", path, &object.to_string());
        answer.is_some_and(|(code, _)| (400..500).contains(&code))
    }

    /// Whether that is forbidden to whoever asks.
    pub fn forbids(&self, method: &str, path: &str, body: &Value) -> bool {
        let answer = self.ask(method, path, &body.to_string());
        answer.is_some_and(|(code, _)| code == 403)
    }

    /// A merge patch.
    #[track_caller]
    pub fn patch(&self, path: &str, patch: &Value) {
        self.expect("PATCH", path, &patch.to_string());
    }

    /// Something that is there.
    #[track_caller]
    pub fn delete(&self, path: &str) {
        self.expect("DELETE", path, "");
    }

    /// What happens to the objects of a list, as it happens: `type` and `object` of each.
    #[track_caller]
    pub fn watch(&self, path: &str) -> impl Iterator<Item = Value> + Send + use<> {
        let stream = self.send("GET", &format!("{path}?watch=1"), "");
        let lines = BufReader::new(stream.expect("it answers")).lines();
        let lines = lines
            .map_while(Result::ok)
            .skip_while(|line| !line.is_empty());
        lines.filter_map(|line| serde_json::from_str(&line).ok())
    }

    #[track_caller]
    fn expect(&self, method: &str, path: &str, body: &str) -> Value {
        let (code, said) = self.ask(method, path, body).expect("it answers");
        assert!((200..300).contains(&code), "{method} {path}: {code} {said}");
        serde_json::from_str(&said).expect("JSON")
    }

    /// By HTTP/1.0, whose answers end with their connection.
    fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = self.send(method, path, body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, said) = answer.split_once("\r\n\r\n")?;
        let code = head.split(' ').nth(1)?.parse().ok()?;
        Some((code, said.to_owned()))
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(&self.0).ok()?;
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: localhost\r\naccept: application/json\r\ncontent-type: {kind}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
        Some(stream)
    }
}
