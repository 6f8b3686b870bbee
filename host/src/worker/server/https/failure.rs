//! What went wrong on the network, for the person who has to mend it.
//!
//! Nothing of an answer is quoted: it can hold keys, or be meant for whoever reads the log.

use std::io;

use crate::worker::{Fault, FaultKind, HttpsMessage};

pub(super) fn explain(message: &HttpsMessage, error: ureq::Error) -> Fault {
    let (kind, reason) = reason(error);
    Fault::new(kind, format!("{}: {reason}", message.purpose()))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the client may have more errors one day; none of its words are quoted unseen"
)]
fn reason(error: ureq::Error) -> (FaultKind, String) {
    let unreachable = |text: &str| (FaultKind::Unreachable, text.to_owned());
    match error {
        ureq::Error::Timeout(_) => unreachable(
            "no whole answer in time (timeout of the grant); check that the server answers",
        ),
        ureq::Error::Io(error) => (FaultKind::Unreachable, of_connection(&error)),
        ureq::Error::Rustls(error) => (FaultKind::Unreachable, of_tls(&error)),
        ureq::Error::LargeResponseHeader(_, bound) => unreachable(&format!(
            "the answer's headers are larger than {bound} bytes"
        )),
        ureq::Error::Protocol(_) => {
            unreachable("the server's answer is not HTTP, or has more than 128 headers")
        }
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => (
            FaultKind::Invalid,
            "the request cannot be written as HTTP".to_owned(),
        ),
        _ => unreachable("no connection"),
    }
}

/// A TLS failure comes wrapped in a failure to read.
fn of_connection(error: &io::Error) -> String {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        (Some(error), _) => of_tls(error),
        (None, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            "the connection ended before the answer did".to_owned()
        }
        (None, _) => format!("{error}; check that the server runs and can be reached"),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else goes wrong with TLS is named in the library's own words"
)]
fn of_tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) => format!(
            "the server's certificate is not to be trusted: {reason}; if it is right, name its CA in the grant's ca"
        ),
        other => format!("no TLS connection: {other}"),
    }
}
