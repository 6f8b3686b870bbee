//! A server on the loopback device that answers, or fails to, as a test wants; with TLS or without.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Someone who issues certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Whom nobody knows yet.
    pub fn new() -> Self {
        let mut own = CertificateParams::default();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("random bytes");
        Self(CertifiedIssuer::self_signed(own, key).expect("signed"))
    }

    /// For a grant's `ca`.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For a server of that name or address.
    fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("random bytes");
        let own = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = own.signed_by(&key, &self.0).expect("signed");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("known versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key");
        Arc::new(config)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// What a connection is read from and written to.
pub trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// Gets each request and its connection; the connection is closed where it says so.
type Serve = dyn Fn(&str, &mut dyn Wire) -> bool + Send + Sync;

/// Listens on 127.0.0.1 until the test's process ends.
#[derive(Debug)]
pub struct WebServer {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    /// Without TLS.
    pub fn plain(serve: impl Fn(&str, &mut dyn Wire) -> bool + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(serve))
    }

    /// With a certificate for that name.
    pub fn with_tls(
        authority: &Authority,
        name: &str,
        serve: impl Fn(&str, &mut dyn Wire) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(authority.server(name)), Arc::new(serve))
    }

    /// Gives every request the same answer.
    pub fn answering(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::plain(move |_, wire| wire.write_all(answer.as_bytes()).is_ok())
    }

    /// Behind `127.0.0.1:` or `localhost:`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Requests so far, headers and body, lines ended by `\n`.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no panic").clone()
    }

    fn start(tls: Option<Arc<ServerConfig>>, serve: Arc<Serve>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, serve, list) = (tls.clone(), Arc::clone(&serve), Arc::clone(&list));
                thread::spawn(move || connection(stream, tls, &serve, &list));
            }
        });
        Self { port, heard }
    }
}

fn connection(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    serve: &Arc<Serve>,
    heard: &Mutex<Vec<String>>,
) {
    let mut wire: Box<dyn Wire> = match tls {
        None => Box::new(stream),
        Some(config) => {
            let session = ServerConnection::new(config).expect("a configuration");
            Box::new(StreamOwned::new(session, stream))
        }
    };
    while let Some(request) = read_request(&mut wire) {
        heard.lock().expect("no panic").push(request.clone());
        if !serve(&request, &mut wire) {
            return;
        }
    }
}

fn read_request(wire: &mut impl Read) -> Option<String> {
    let mut reader = BufReader::new(wire);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
        text += &line.replace('\r', "");
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(text + &String::from_utf8_lossy(&body))
}
