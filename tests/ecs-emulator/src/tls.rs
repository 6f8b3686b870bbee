//! The certificate authority and the server's certificate, made once and kept in the state directory.

use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::files::Files;
use crate::words::RegionId;

/// What clients have to trust.
pub(crate) const CA: &str = "ca.pem";

const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server-key.pem";

/// Speaks TLS 1.2 and 1.3, and HTTP/1.1 within.
pub(crate) fn acceptor(files: &Files, region: &RegionId) -> Result<TlsAcceptor> {
    if files.read(CERTIFICATE)?.is_none() {
        make(files, region).context("cannot make the certificates")?;
    }
    let read = |name: &str| {
        let text = files.read(name)?;
        text.with_context(|| format!("{} is gone", files.path(name).display()))
    };
    let certificate = CertificateDer::from_pem_slice(read(CERTIFICATE)?.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(read(KEY)?.as_bytes())?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Makes both. The server's certificate is written last, so that whoever finds it finds all.
fn make(files: &Files, region: &RegionId) -> Result<()> {
    let authority_key = KeyPair::generate()?;
    let authority = authority()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let certificate = server(region)?.signed_by(&key, &issuer)?;
    files.write(CA, &authority_pem)?;
    files.write(KEY, &key.serialize_pem())?;
    files.write(CERTIFICATE, &certificate.pem())?;
    Ok(())
}

fn authority() -> Result<CertificateParams> {
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    let name = "Drivebay ECS emulator, for tests only";
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.not_before = date_time_ymd(2020, 1, 1);
    authority.not_after = date_time_ymd(2049, 1, 1);
    Ok(authority)
}

/// Valid for this machine and for the names that clients of the real cloud ask for.
fn server(region: &RegionId) -> Result<CertificateParams> {
    let mut names = vec![
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        "ecs.aliyuncs.com".to_owned(),
        "sts.aliyuncs.com".to_owned(),
    ];
    for service in ["ecs", "ecs-vpc", "sts", "sts-vpc"] {
        names.push(format!("{service}.{region}.aliyuncs.com"));
    }
    let mut server = CertificateParams::new(names)?;
    server
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    server.not_before = date_time_ymd(2020, 1, 1);
    server.not_after = date_time_ymd(2049, 1, 1);
    Ok(server)
}
