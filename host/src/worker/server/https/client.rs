//! HTTP and TLS: one request over a connection to one of the addresses that were checked.
//!
//! Everything a client usually does by itself is switched off: no redirects, no proxy variables, no
//! compression, no cookies, no look-ups, no repeating, no headers of its own but `host` and
//! `content-length`.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{self, Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, AsSendBody};

use super::failure::explain;
use crate::worker::{Body, Fault, FaultKind, HttpsMessage, HttpsResponse};

/// Enough for every endpoint and key of one driver; each keeps a few connections.
const MAX_AGENTS: usize = 8;

/// Header lines of one answer; clouds send one or two KiB.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// How many addresses of one name are tried; ureq has room for as many.
const MAX_ADDRESSES: usize = 16;

/// Load balancers close connections that were idle for this long at the soonest.
const MAX_IDLE: Duration = Duration::from_secs(15);

/// Makes requests, and keeps connections for the next ones.
#[derive(Debug, Default)]
pub(in crate::worker) struct Client {
    agents: Vec<(Peer, Agent)>,
    platform: Option<Vec<Certificate<'static>>>,
}

/// A connection is used again only for a request that would have made the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Peer {
    origin: String,
    port: u16,
    addresses: Vec<IpAddr>,
    ca: Option<Body>,
    timeout: Duration,
}

impl Client {
    /// Sends one request. Any status is an answer.
    pub(in crate::worker) fn send(
        &mut self,
        message: &HttpsMessage,
    ) -> Result<HttpsResponse, Fault> {
        let agent = self.agent(message)?;
        let mut request = http::Request::builder()
            .method(message.method.as_str())
            .uri(format!("{}{}", message.origin, message.target));
        for (name, value) in &message.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let failed = |error| explain(message, error);
        let response = match message.method.as_str() {
            "POST" | "PUT" | "PATCH" => run(&agent, request, message.body.as_bytes()),
            _ => run(&agent, request, ()),
        };
        receive(message, response.map_err(failed)?)
    }

    fn agent(&mut self, message: &HttpsMessage) -> Result<Agent, Fault> {
        let peer = Peer {
            origin: message.origin.clone(),
            port: message.port,
            addresses: message.addresses.clone(),
            ca: message.ca.clone(),
            timeout: message.timeout,
        };
        if let Some((_, agent)) = self.agents.iter().find(|(known, _)| *known == peer) {
            return Ok(agent.clone());
        }
        let agent = self.new_agent(message)?;
        if self.agents.len() == MAX_AGENTS {
            self.agents.remove(0);
        }
        self.agents.push((peer, agent.clone()));
        Ok(agent)
    }

    fn new_agent(&mut self, message: &HttpsMessage) -> Result<Agent, Fault> {
        let roots = self.roots(message)?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Config::builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .timeout_global(Some(message.timeout))
            .max_response_header_size(MAX_HEADER_BYTES)
            .max_idle_age(MAX_IDLE)
            .build();
        let resolver = Checked {
            addresses: message.addresses.clone(),
            port: message.port,
        };
        Ok(Agent::with_parts(
            config,
            DefaultConnector::default(),
            resolver,
        ))
    }

    /// Whom to believe. Without TLS nobody has to be.
    fn roots(&mut self, message: &HttpsMessage) -> Result<Vec<Certificate<'static>>, Fault> {
        if !message.origin.starts_with("https://") {
            return Ok(Vec::new());
        }
        let mut roots = self
            .platform
            .get_or_insert_with(platform_certificates)
            .clone();
        if let Some(pem) = &message.ca {
            roots.extend(granted_certificates(message, pem)?);
        }
        if roots.is_empty() {
            let text = format!(
                "{}: this node has no certificates to check the server's with; install ca-certificates, or name a file in the grant's ca",
                message.purpose()
            );
            return Err(Fault::new(FaultKind::Unreachable, text));
        }
        Ok(roots)
    }
}

/// What the distribution trusts, without what cannot be read.
fn platform_certificates() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs().certs;
    let certificate = |der: &_| Certificate::from_der(AsRef::<[u8]>::as_ref(der)).to_owned();
    found.iter().map(certificate).collect()
}

fn granted_certificates(
    message: &HttpsMessage,
    pem: &Body,
) -> Result<Vec<Certificate<'static>>, Fault> {
    let useless = |why: &str| {
        let text = format!(
            "{}: the file of the grant's ca {why}; it has to hold certificates in PEM form",
            message.purpose()
        );
        Err(Fault::new(FaultKind::Unreachable, text))
    };
    let mut certificates = Vec::new();
    for item in parse_pem(pem.as_bytes()) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => return useless("holds something else than certificates"),
            Err(_) => return useless("cannot be understood"),
        }
    }
    match certificates.is_empty() {
        true => useless("holds no certificate"),
        false => Ok(certificates),
    }
}

fn run(
    agent: &Agent,
    request: http::request::Builder,
    body: impl AsSendBody,
) -> Result<Response<ureq::Body>, ureq::Error> {
    agent.run(request.body(body)?)
}

fn receive(message: &HttpsMessage, response: Response<ureq::Body>) -> Result<HttpsResponse, Fault> {
    let (head, body) = response.into_parts();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    let bound = message.max_response_bytes;
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let one_more = u64::try_from(bound).unwrap_or(u64::MAX).saturating_add(1);
    body.into_reader()
        .take(one_more)
        .read_to_end(&mut bytes)
        .map_err(|error| explain(message, error.into()))?;
    if bytes.len() > bound {
        let text = format!(
            "{}: the answer is larger than {bound} bytes (max-response of the grant)",
            message.purpose()
        );
        // As with an answer that never came: what was asked for may have been done.
        return Err(Fault::new(FaultKind::Unreachable, text));
    }
    Ok(HttpsResponse {
        status: head.status.as_u16(),
        headers,
        body: Body::new(std::mem::take(&mut *bytes)),
    })
}

/// Looks nothing up: the host did, and checked what came out.
#[derive(Debug)]
struct Checked {
    addresses: Vec<IpAddr>,
    port: u16,
}

impl Resolver for Checked {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        for address in self.addresses.iter().take(MAX_ADDRESSES) {
            found.push(SocketAddr::new(*address, self.port));
        }
        match found.is_empty() {
            true => Err(ureq::Error::HostNotFound),
            false => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests;
