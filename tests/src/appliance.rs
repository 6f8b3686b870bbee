//! What the example guest `appliance` speaks to: an API that knows its callers by their credentials.

use std::path::Path;

use crate::WebServer;

/// Who administers it.
pub const USERNAME: &str = "administrator-of-all";
/// Of the administrator, and of whoever attaches.
pub const PASSWORD: &str = "correct-horse-battery-staple";
/// Of whoever grows volumes.
pub const TOKEN: &str = "a-token-nobody-else-knows";
/// Of the account `acc-1`.
pub const KEY: &str = "a-key-of-the-volume-alone";

/// `USERNAME:PASSWORD`
const ADMINISTRATOR: &str = "YWRtaW5pc3RyYXRvci1vZi1hbGw6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==";
/// `attacher:PASSWORD`
const ATTACHER: &str = "YXR0YWNoZXI6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==";
/// `GET /volumes/v1/export`, by HMAC-SHA-256 with `KEY`.
const SIGNATURE: &str = "00502c3db48cc401c10122d50cc5a14173f6c02a3b216d421007d2eca91f11c9";

/// What may be found nowhere: the secrets, and what is made of them to be sent.
pub const WORDS: [&str; 6] = [USERNAME, PASSWORD, TOKEN, KEY, ADMINISTRATOR, ATTACHER];

/// On the loopback device; it has one volume, `v1`, of the account `acc-1`.
#[derive(Debug)]
pub struct ApplianceServer(WebServer);

impl ApplianceServer {
    /// `look` is called while each request is under way.
    pub fn start(look: impl Fn() + Send + Sync + 'static) -> Self {
        Self(WebServer::plain(move |request, wire| {
            look();
            let (status, body) = answer(request);
            let length = body.len();
            let text = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n\r\n{body}");
            wire.write_all(text.as_bytes()).is_ok()
        }))
    }

    /// Requests so far: the first line of each, and who it was from.
    pub fn heard(&self) -> Vec<String> {
        let heard = self.0.heard();
        let requests = heard.iter().map(|request| {
            let line = request.lines().next().unwrap_or_default();
            let line = line.trim_end_matches(" HTTP/1.1");
            format!("{line} {}", authorization(request))
        });
        requests.collect()
    }

    /// A driver's file that grants all uses, with the pool that volumes are in.
    pub fn grants(&self, pool: &Path) -> String {
        format!(
            r#"
component = "appliance"
csi-name = "appliance.example.com"
flexvolume = "drivebay/appliance"
flexvolume-attach = "on-mount"
[grants.mounts]
directories = {{ pool = {pool:?} }}
[grants.files]
access = "read-only"
[grants.https.appliance]
origin = "http://127.0.0.1:{}"
addresses = ["127.0.0.1"]
methods = ["GET", "PUT", "POST", "DELETE"]
paths = ["/volumes/**"]
[grants.secrets.username]
basic-authentication = ["user"]
endpoints = ["appliance"]
[grants.secrets.password]
basic-authentication = ["password"]
endpoints = ["appliance"]
[grants.secrets.token]
headers = ["authorization"]
endpoints = ["appliance"]
[grants.secrets.key]
signing = ["hmac-sha256"]
"#,
            self.0.port()
        )
    }

    /// What it hears where everything is right.
    pub fn administrator() -> String {
        format!("Basic {ADMINISTRATOR}")
    }

    /// The same of whoever attaches.
    pub fn attacher() -> String {
        format!("Basic {ATTACHER}")
    }

    /// The same of whoever grows volumes.
    pub fn token() -> String {
        format!("Bearer {TOKEN}")
    }

    /// The same of the volume's account.
    pub fn account() -> String {
        format!("HMAC-SHA256 account=acc-1, signature={SIGNATURE}")
    }
}

fn authorization(request: &str) -> &str {
    let mut lines = request.lines();
    lines
        .find_map(|line| line.strip_prefix("authorization: "))
        .unwrap_or_default()
}

/// Whoever is not known is told who that is, as a careless server does.
fn answer(request: &str) -> (u16, String) {
    let from = authorization(request);
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let is_growing = request.starts_with("PUT") && path == "/volumes/v1";
    let (known, body) = match path {
        "/volumes/v1/attachment" => (ApplianceServer::attacher(), "attached"),
        "/volumes/v1/export" => (ApplianceServer::account(), "v1"),
        _ if is_growing => (ApplianceServer::token(), "v1 acc-1 2147483648"),
        _ => (ApplianceServer::administrator(), "v1 acc-1 1073741824"),
    };
    match from == known {
        true => (200, body.to_owned()),
        false => (401, format!("nobody here knows {from}")),
    }
}
