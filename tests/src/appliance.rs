//! What the example guest `appliance` speaks to: an API that knows its callers by their credentials.

mod volumes;

use std::path::Path;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use crate::WebServer;
use volumes::Volumes;

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
/// What may be found nowhere: the secrets, and what is made of them to be sent.
pub const WORDS: [&str; 6] = [USERNAME, PASSWORD, TOKEN, KEY, ADMINISTRATOR, ATTACHER];

/// On the loopback device.
#[derive(Debug)]
pub struct ApplianceServer {
    server: WebServer,
    volumes: Arc<Mutex<Volumes>>,
}

impl ApplianceServer {
    /// With one volume, `v1`, of the account `acc-1`, whatever is asked for. `look` is called while each request is under
    /// way.
    pub fn start(look: impl Fn() + Send + Sync + 'static) -> Self {
        Self::answering(Arc::default(), move |request| {
            look();
            match known_as(request) {
                Err(said) => said,
                Ok(()) => (200, only_volume(request).to_owned()),
            }
        })
    }

    /// With volumes that come and go.
    pub fn with_volumes() -> Self {
        let volumes: Arc<Mutex<Volumes>> = Arc::default();
        let kept = Arc::clone(&volumes);
        Self::answering(volumes, move |request| match known_as(request) {
            Err(said) => said,
            Ok(()) => {
                let (method, target) = line(request);
                kept.lock().expect("no panic").answer(method, target)
            }
        })
    }

    fn answering(
        volumes: Arc<Mutex<Volumes>>,
        answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let server = WebServer::plain(move |request, wire| {
            let (status, body) = answer(request);
            let length = body.len();
            let text = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n\r\n{body}");
            wire.write_all(text.as_bytes()).is_ok()
        });
        Self { server, volumes }
    }

    /// Behind `127.0.0.1:`.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Volumes that are there, by their names.
    pub fn names(&self) -> Vec<String> {
        self.volumes.lock().expect("no panic").names()
    }

    /// Requests so far: the first line of each, and who it was from.
    pub fn heard(&self) -> Vec<String> {
        let heard = self.server.heard();
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
            self.server.port()
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

    /// The same of the account of the volume `v1`.
    pub fn account() -> String {
        account("GET /volumes/v1/export")
    }
}

/// Whoever has the key signs what is asked for.
fn account(asked: &str) -> String {
    let signature = hmac(KEY.as_bytes(), asked.as_bytes());
    format!("HMAC-SHA256 account=acc-1, signature={signature}")
}

/// By SHA-256 (RFC 2104); the key is shorter than a block.
fn hmac(key: &[u8], text: &[u8]) -> String {
    let padded = |pad: u8| -> Vec<u8> {
        let key = key.iter().copied().chain(std::iter::repeat(0));
        key.take(64).map(|byte| byte ^ pad).collect()
    };
    let inner = Sha256::new_with_prefix(padded(0x36)).chain_update(text);
    let outer = Sha256::new_with_prefix(padded(0x5c)).chain_update(inner.finalize());
    let digest = outer.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn authorization(request: &str) -> &str {
    let mut lines = request.lines();
    lines
        .find_map(|line| line.strip_prefix("authorization: "))
        .unwrap_or_default()
}

/// Method and target.
fn line(request: &str) -> (&str, &str) {
    let mut words = request.split(' ');
    let method = words.next().unwrap_or_default();
    (method, words.next().unwrap_or_default())
}

/// Whoever is not known is told who that is, as a careless server does.
fn known_as(request: &str) -> Result<(), (u16, String)> {
    let from = authorization(request);
    let (method, target) = line(request);
    let path = target.split('?').next().unwrap_or_default();
    let is_volume = path
        .strip_prefix("/volumes/")
        .is_some_and(|id| !id.contains('/'));
    let known = match path.rsplit('/').next() {
        Some("attachment") => ApplianceServer::attacher(),
        Some("export") => account(&format!("{method} {path}")),
        _ if method == "PUT" && is_volume => ApplianceServer::token(),
        _ => ApplianceServer::administrator(),
    };
    match from == known {
        true => Ok(()),
        false => Err((401, format!("nobody here knows {from}"))),
    }
}

fn only_volume(request: &str) -> &'static str {
    match line(request) {
        (_, target) if target.contains("/attachment") => "attached",
        (_, "/volumes/v1/export") => "v1",
        ("PUT", _) => "v1 acc-1 2147483648",
        _ => "v1 acc-1 1073741824",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_by_what_its_key_makes_of_a_request() {
        // By another program.
        let signature = "00502c3db48cc401c10122d50cc5a14173f6c02a3b216d421007d2eca91f11c9";
        assert!(ApplianceServer::account().ends_with(signature));
    }
}
