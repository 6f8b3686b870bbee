//! What servers answer in a dry run: lines of JSON, each a request and its response.
//!
//! Of a request a line says as much as tells it from others. The first that fits and was not used yet answers; where all
//! that fit were used, the last of them answers again: whoever waits for something asks more than once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::worker::{Body, Credentials, HttpsMessage, HttpsResponse};

/// Parts of the names of headers and parameters that are new in each request, are nobody's business, or say nothing of what
/// is asked.
const PASSING: [&str; 9] = [
    "auth",
    "sign",
    "token",
    "nonce",
    "date",
    "timestamp",
    "sha256",
    "secret",
    "password",
];

/// Of a value in a proposal, in characters.
const LONGEST: usize = 120;

/// Of one dry run.
#[derive(Debug, Default)]
pub(super) struct HttpTape {
    lines: Mutex<Vec<Line>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    request: Matcher,
    response: Response,
    #[serde(skip)]
    is_used: bool,
}

/// What is not said fits.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Matcher {
    endpoint: Option<String>,
    method: Option<String>,
    path: Option<String>,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    /// Of a form in the body.
    form: BTreeMap<String, String>,
    /// Of an object in the body.
    json: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Response {
    status: u16,
    headers: BTreeMap<String, String>,
    /// A text is the body as it is; anything else is its JSON.
    body: Value,
    body_base64: Option<String>,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            status: 200,
            headers: BTreeMap::new(),
            body: Value::Null,
            body_base64: None,
        }
    }
}

/// Why a tape cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the tape is wrong: {reason}")]
pub(crate) struct HttpTapeError {
    line: usize,
    reason: String,
}

impl HttpTape {
    /// Empty lines, and those that begin with `#`, are for people.
    pub(super) fn parse(text: &str) -> Result<Self, HttpTapeError> {
        let numbered = text.lines().enumerate();
        let written = numbered.filter(|(_, line)| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        let lines = written.map(|(at, line)| {
            let wrong = |reason: String| HttpTapeError {
                line: at + 1,
                reason,
            };
            let line: Line =
                serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            line.response.bytes().map_err(wrong)?;
            Ok(line)
        });
        Ok(Self {
            lines: Mutex::new(lines.collect::<Result<_, _>>()?),
        })
    }

    /// None where no line fits.
    pub(super) fn answer(&self, message: &HttpsMessage) -> Option<HttpsResponse> {
        let request = Request::of(message);
        let mut lines = self.lines();
        let fitting = |line: &&mut Line| line.request.fits(&request);
        let mut last = None;
        for line in lines.iter_mut().filter(fitting) {
            let is_used = std::mem::replace(&mut line.is_used, true);
            last = Some(&line.response);
            if !is_used {
                break;
            }
        }
        last.map(Response::in_transit)
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line that would have answered, for whoever writes the tape: what tells the request from others, and an empty answer.
pub(super) fn proposal(message: &HttpsMessage) -> String {
    let request = Request::of(message);
    let told = |pairs: &[(String, String)], is_told: &dyn Fn(&str) -> bool| {
        let pairs = pairs
            .iter()
            .filter(|(name, _)| is_told(name) && !is_passing(name));
        let pairs: Map<String, Value> = pairs
            .map(|(name, value)| (name.clone(), cut(value).into()))
            .collect();
        pairs
    };
    // Who brought a secret may have put it into any header.
    let has_secrets = message.credentials == Credentials::OfCall;
    let of_application = |name: &str| name.starts_with("x-") && !has_secrets;
    let mut matcher = Map::new();
    matcher.insert("endpoint".into(), request.endpoint.into());
    matcher.insert("method".into(), request.method.into());
    matcher.insert("path".into(), request.path.as_str().into());
    for (key, pairs) in [
        ("query", told(&request.query, &|_| true)),
        ("headers", told(request.headers, &of_application)),
        ("form", told(&request.form, &|_| true)),
    ] {
        if !pairs.is_empty() {
            matcher.insert(key.into(), pairs.into());
        }
    }
    if let Some(object) = request.json.as_ref().filter(|object| !object.is_empty()) {
        let object = object.iter().filter(|(name, _)| !is_passing(name));
        let object: Map<String, Value> = object.map(|(n, v)| (n.clone(), v.clone())).collect();
        matcher.insert("json".into(), object.into());
    }
    json!({ "request": matcher, "response": { "status": 200, "body": {} } }).to_string()
}

fn is_passing(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PASSING.iter().any(|part| name.contains(part))
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// A request, read as a line of a tape names its parts.
struct Request<'a> {
    endpoint: &'a str,
    method: &'a str,
    path: String,
    query: Vec<(String, String)>,
    headers: &'a [(String, String)],
    form: Vec<(String, String)>,
    json: Option<Map<String, Value>>,
}

impl<'a> Request<'a> {
    fn of(message: &'a HttpsMessage) -> Self {
        let (path, query) = match message.target.split_once('?') {
            Some((path, query)) => (path, query),
            None => (message.target.as_str(), ""),
        };
        let body = message.body.as_bytes();
        let mut types = message
            .headers
            .iter()
            .filter(|(name, _)| name == "content-type");
        let content_type = types.next().map_or("", |(_, value)| value.as_str());
        let is_form = content_type.starts_with("application/x-www-form-urlencoded");
        let form = std::str::from_utf8(body).ok().filter(|_| is_form);
        Self {
            endpoint: message
                .sender
                .strip_prefix("endpoint ")
                .unwrap_or(&message.sender),
            method: &message.method,
            path: decoded(path),
            query: pairs(query),
            headers: &message.headers,
            form: form.map(pairs).unwrap_or_default(),
            json: serde_json::from_slice(body).ok(),
        }
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let words = text.split('&').filter(|word| !word.is_empty());
    let pair = |word: &str| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        (
            decoded(&name.replace('+', " ")),
            decoded(&value.replace('+', " ")),
        )
    };
    words.map(pair).collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl Matcher {
    fn fits(&self, request: &Request<'_>) -> bool {
        let is = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|it| it == is);
        let has = |wanted: &BTreeMap<String, String>, pairs: &[(String, String)]| {
            wanted.iter().all(|(name, value)| {
                let mut own = pairs.iter();
                own.any(|(key, it)| key == name && (it == value || value == ANYTHING))
            })
        };
        let holds = |(name, value): (&String, &Value)| {
            let own = request.json.as_ref().and_then(|object| object.get(name));
            own.is_some_and(|own| own == value)
        };
        is(&self.endpoint, request.endpoint)
            && is(&self.method, request.method)
            && is(&self.path, &request.path)
            && has(&self.query, &request.query)
            && has(&self.headers, request.headers)
            && has(&self.form, &request.form)
            && self.json.iter().all(holds)
    }
}

/// A value on the tape that stands for any, of what has to be there.
const ANYTHING: &str = "*";

impl Response {
    fn bytes(&self) -> Result<Vec<u8>, String> {
        match (&self.body_base64, &self.body) {
            (None, Value::Null) => Ok(Vec::new()),
            (None, Value::String(text)) => Ok(text.clone().into_bytes()),
            (None, body) => Ok(body.to_string().into_bytes()),
            (Some(text), Value::Null) => {
                let bytes = STANDARD.decode(text);
                bytes.map_err(|_| "body-base64 is not base64".to_owned())
            }
            (Some(_), _) => Err("it has body and body-base64".to_owned()),
        }
    }

    /// Checked when the tape was read.
    fn in_transit(&self) -> HttpsResponse {
        let headers = self.headers.iter();
        HttpsResponse {
            status: self.status,
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
                .collect(),
            body: Body::new(self.bytes().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sent(target: &str, headers: &[(&str, &str)], body: &str) -> HttpsMessage {
        let headers = headers.iter();
        HttpsMessage {
            sender: "endpoint api".into(),
            method: "POST".into(),
            origin: "https://api.invalid".into(),
            target: target.into(),
            addresses: Vec::new(),
            port: 443,
            headers: headers
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            body: Body::new(body.as_bytes().to_vec()),
            credentials: Credentials::OfDriver,
            ca: None,
            timeout: Duration::from_secs(1),
            max_response_bytes: 1,
        }
    }

    fn answered(tape: &HttpTape, message: &HttpsMessage) -> Option<String> {
        let answer = tape.answer(message)?;
        Some(String::from_utf8(answer.body.as_bytes().to_vec()).expect("text"))
    }

    #[test]
    fn lines_answer_in_their_order_and_the_last_one_again() {
        let tape = HttpTape::parse(concat!(
            "# first it is being made\n\n",
            r#"{"request":{"path":"/disks"},"response":{"body":"creating"}}"#,
            "\n",
            r#"{"request":{"path":"/other"},"response":{"status":404}}"#,
            "\n",
            r#"{"request":{"path":"/disks"},"response":{"body":{"state":"ready"}}}"#,
        ));
        let tape = tape.expect("a tape");
        let disks = || answered(&tape, &sent("/disks", &[], ""));
        let ready = r#"{"state":"ready"}"#;
        assert_eq!(
            [disks(), disks(), disks()],
            ["creating", ready, ready].map(|it| Some(it.to_owned()))
        );
        assert_eq!(answered(&tape, &sent("/none", &[], "")), None);
        assert_eq!(
            tape.answer(&sent("/other", &[], ""))
                .expect("a line")
                .status,
            404
        );
    }

    #[test]
    fn a_line_says_of_a_request_what_tells_it_from_others() {
        for (matcher, fits) in [
            (r#"{}"#, true),
            (r#"{"endpoint":"api","method":"POST","path":"/a b"}"#, true),
            (r#"{"endpoint":"other"}"#, false),
            (r#"{"method":"GET"}"#, false),
            (r#"{"query":{"q":"1&2"}}"#, true),
            (r#"{"query":{"q":"*"}}"#, true),
            (r#"{"query":{"r":"*"}}"#, false),
            (r#"{"headers":{"x-action":"Make"}}"#, true),
            (r#"{"headers":{"x-action":"Break"}}"#, false),
            (r#"{"json":{"size":5}}"#, true),
            (r#"{"json":{"size":6}}"#, false),
            (r#"{"form":{"size":"5"}}"#, false),
        ] {
            let line = format!(r#"{{"request":{matcher},"response":{{}}}}"#);
            let tape = HttpTape::parse(&line).expect("a tape");
            let message = sent(
                "/a%20b?q=1%262",
                &[("x-action", "Make")],
                r#"{"size":5,"name":"x"}"#,
            );
            assert_eq!(tape.answer(&message).is_some(), fits, "{matcher}");
        }
        let tape = HttpTape::parse(r#"{"request":{"form":{"a":"b c"}},"response":{}}"#);
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert!(
            tape.expect("a tape")
                .answer(&sent("/", &form, "a=b+c"))
                .is_some()
        );
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        for (text, words) in [
            ("{", "line 1 of the tape is wrong: "),
            (
                "\n{}",
                "line 2 of the tape is wrong: missing field `request`",
            ),
            (
                r#"{"request":{"pth":"/"},"response":{}}"#,
                "unknown field `pth`",
            ),
            (
                r#"{"request":{},"response":{"body":"x","body-base64":"eA=="}}"#,
                "body and body-base64",
            ),
            (
                r#"{"request":{},"response":{"body-base64":"?"}}"#,
                "is not base64",
            ),
        ] {
            let said = HttpTape::parse(text).expect_err(text).to_string();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn what_is_missing_is_proposed_without_what_is_new_each_time_or_secret() {
        let headers = [
            ("authorization", "hunter2"),
            ("x-acs-action", "CreateDisk"),
            ("x-acs-date", "2026-11-21T04:53:18Z"),
            ("x-acs-signature-nonce", "7"),
            ("user-agent", "drivebay"),
        ];
        let message = sent("/?Size=20&ClientToken=7", &headers, "");
        assert_eq!(
            proposal(&message),
            r#"{"request":{"endpoint":"api","headers":{"x-acs-action":"CreateDisk"},"method":"POST","path":"/","query":{"Size":"20"}},"response":{"body":{},"status":200}}"#
        );
        let tape = HttpTape::parse(&proposal(&message)).expect("a tape");
        assert!(tape.answer(&message).is_some());
        let secret = HttpsMessage {
            credentials: Credentials::OfCall,
            ..sent("/", &[("x-key", "hunter2")], "")
        };
        assert!(!proposal(&secret).contains("hunter2"));
    }
}
