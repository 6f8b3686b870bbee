//! A guest's request, checked against its grant and encoded as it is sent.
//!
//! What would mean something else on the wire than it says here is refused: paths that lead out of a
//! pattern, headers that speak for the host, characters that would end a line.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::broker::ask::{Pairs, Request};
use crate::broker::error::BrokerError;
use crate::broker::http_exchange::Message;
use crate::broker::known_value::known_value;
use crate::error::DriverError;
use crate::grant::{HttpsGrant, Method, Misread, misread};
use crate::worker::Credentials;

/// Servers accept 8 to 64 KiB.
const MAX_TARGET_BYTES: usize = 32 << 10;

/// A signed request has a dozen.
const MAX_HEADERS: usize = 64;

/// Names and values; a session token has one or two KiB.
const MAX_HEADER_BYTES: usize = 32 << 10;

/// Calls of an API are small; data does not go this way.
const MAX_BODY_BYTES: usize = 1 << 20;

/// About the connection and not about the request (RFC 9110 section 7.6.1), or the host's to say.
const HOSTS_OWN: [&str; 9] = [
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
];

/// Nobody decodes more often, and none of it is needed for a name.
const MAX_DECODINGS: usize = 8;

const USER_AGENT: &str = concat!("drivebay/", env!("CARGO_PKG_VERSION"));

pub(super) fn checked(grant: &HttpsGrant, request: Request) -> Result<Message, BrokerError> {
    let methods = Method::ALL.map(|method| (method.name(), method));
    let method = known_value("method", &request.method, &methods)?;
    grant.allows_method(method)?;
    // Before it is quoted or encoded anywhere.
    check_size(plain_size(&request))?;
    check_path(&request.path).map_err(|reason| {
        DriverError::invalid_argument(format!("path {:?}: {reason}", request.path))
    })?;
    grant.allows_path(&request.path)?;
    check_body(method, &request.body.0)?;
    let target = format!("{}{}", request.path, encoded_query(&request.query.0));
    check_size(target.len())?;
    Ok(Message {
        method,
        target,
        headers: headers(request.headers.0)?,
        body: request.body.0,
        credentials: Credentials::OfDriver,
    })
}

fn check_size(target_bytes: usize) -> Result<(), DriverError> {
    match target_bytes > MAX_TARGET_BYTES {
        true => Err(DriverError::invalid_argument(format!(
            "path and query have {target_bytes} bytes, more than {MAX_TARGET_BYTES}"
        ))),
        false => Ok(()),
    }
}

/// What the target has at least: characters can be three times as long once they are encoded.
fn plain_size(request: &Request) -> usize {
    let query = request.query.0.iter();
    let query = query.map(|(name, value)| "&=".len() + name.len() + value.len());
    request.path.len() + query.sum::<usize>()
}

/// Servers and what stands before them decode and tidy paths, some of them twice: a pattern only means
/// something for a path that stays what it is.
fn check_path(path: &str) -> Result<(), &'static str> {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '/' | '%' | '-' | '.' | '_' | '~' | ':' | '@')
            || matches!(
                c,
                '!' | '$' | '&' | '\'' | '(' | ')' | '*' | '+' | ',' | ';' | '='
            )
    };
    if !path.starts_with('/') {
        return Err("it does not begin with /");
    }
    if !path.chars().all(plain) {
        return Err("it holds characters that have to be percent-encoded");
    }
    if !path.split('%').skip(1).all(begins_with_hex) {
        return Err("it holds a % without two hexadecimal digits");
    }
    check_decoded(path, &decoded_to_the_end(path)?)
}

fn check_decoded(path: &str, decoded: &str) -> Result<(), &'static str> {
    let slashes = |text: &str| text.matches('/').count();
    if slashes(decoded) != slashes(path) || decoded.contains(['\\', '\0']) {
        return Err("it holds an encoded slash, backslash or zero");
    }
    if decoded.chars().any(char::is_control) {
        return Err("it holds an encoded control character");
    }
    // Some servers cut a segment at its semicolon before they look for dots.
    let cut = |segment: &str| segment.split(';').next().unwrap_or_default().to_owned();
    let segments: Vec<String> = decoded.split('/').map(cut).collect();
    match misread(&segments.join("/")) {
        Some(Misread::Dots) => Err("it holds . or .. as a segment, or what can be read as one"),
        Some(Misread::Slash(_)) => Err("it holds a character that can be read as a slash"),
        None => Ok(()),
    }
}

fn begins_with_hex(text: &str) -> bool {
    text.len() >= 2 && text.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())
}

/// What it is after any number of decodings.
fn decoded_to_the_end(path: &str) -> Result<String, &'static str> {
    let mut text = path.to_owned();
    for _ in 0..MAX_DECODINGS {
        let once = decoded(&text)?;
        if once == text {
            return Ok(text);
        }
        text = once;
    }
    Err("it is encoded over and over")
}

/// Lenient decoders take overlong forms for the character that is meant: two bytes for a dot. UTF-8 has none
/// (RFC 3629 section 3), so that whatever is none is refused.
fn decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.as_bytes();
    while let Some((first, rest)) = left.split_first() {
        match encoded_byte(left) {
            Some(byte) => {
                bytes.push(byte);
                left = &left[3..];
            }
            None => {
                bytes.push(*first);
                left = rest;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| "it holds encoded bytes that are not UTF-8")
}

/// `%41` at the beginning.
fn encoded_byte(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"%")?.get(..2)?;
    let value = |digit: u8| char::from(digit).to_digit(16);
    let byte = value(digits[0])? * 16 + value(digits[1])?;
    u8::try_from(byte).ok()
}

/// `?a=b&c=d`, or nothing.
fn encoded_query(query: &[(String, String)]) -> String {
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value)))
        .collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", pairs.join("&")),
    }
}

/// All but RFC 3986's unreserved characters: what signatures are made over, so that what was signed is what is sent.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Without growing the text as it goes: it can be a key, and what is given up on the way is not wiped.
pub(in crate::broker) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(3 * text.len());
    encoded.extend(utf8_percent_encode(text, RESERVED));
    encoded
}

fn headers(mut headers: Pairs) -> Result<Pairs, DriverError> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(DriverError::invalid_argument(format!(
            "{} headers of {bytes} bytes are more than {MAX_HEADERS} of {MAX_HEADER_BYTES}",
            headers.len()
        )));
    }
    for (name, value) in &headers {
        // The value can be a signature or a token; only the name is said.
        check_header(name, value)
            .map_err(|reason| DriverError::invalid_argument(format!("header {name:?} {reason}")))?;
    }
    if !headers.iter().any(|(name, _)| name == "user-agent") {
        headers.push(("user-agent".to_owned(), USER_AGENT.to_owned()));
    }
    Ok(headers)
}

fn check_header(name: &str, value: &str) -> Result<(), &'static str> {
    let token =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err("is not a header's name in lower case");
    }
    if HOSTS_OWN.contains(&name) || name.starts_with("proxy-") {
        return Err("is the host's to set");
    }
    let printable = |c: char| c.is_ascii_graphic() || c == ' ' || c == '\t';
    match value.chars().all(printable) && value.trim() == value {
        true => Ok(()),
        false => Err("has a value that is not printable ASCII, or has blanks around it"),
    }
}

fn check_body(method: Method, body: &[u8]) -> Result<(), DriverError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(DriverError::invalid_argument(format!(
            "the body has {} bytes, more than {MAX_BODY_BYTES}",
            body.len()
        )));
    }
    let meaningless = match method {
        Method::Get | Method::Head | Method::Delete => !body.is_empty(),
        Method::Post | Method::Put | Method::Patch => false,
    };
    match meaningless {
        // RFC 9110 section 9.3: it has no meaning, and some servers take it for the next request.
        true => Err(DriverError::invalid_argument(format!(
            "{} has no body",
            method.name()
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::private::Private;

    #[test]
    fn only_unreserved_characters_are_sent_as_they_are() {
        assert_eq!(percent_encoded("AZaz09-_.~"), "AZaz09-_.~");
        assert_eq!(percent_encoded("a b+c*d/é%"), "a%20b%2Bc%2Ad%2F%C3%A9%25");
        assert_eq!(
            percent_encoded("!'()[]&=?#"),
            "%21%27%28%29%5B%5D%26%3D%3F%23"
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let query = [pair("b", "2"), pair("a", ""), pair("b", "1&c=3")];
        assert_eq!(encoded_query(&query), "?b=2&a=&b=1%26c%3D3");
        assert_eq!(encoded_query(&[]), "");
    }

    #[test]
    fn plain_paths_pass() {
        for path in [
            "/",
            "/v1/disks/d-1",
            "/a%20b",
            "/a..b/c.",
            "/...",
            "/a;v=1",
            "/a//b",
            "/100%25",
            "/%C3%A9",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_could_lead_elsewhere_are_refused() {
        for path in [
            "",
            "v1",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\r\nx: y",
            "/é",
            "/a\\b",
            "/..",
            "/.",
            "/v1/../x",
            "/v1/./x",
            "/v1/%2e%2E/x",
            "/v1/.%2e/x",
            "/v1/%252e%252e/x",
            "/v1/%25252e./x",
            "/v1/..;/x",
            "/v1/..;a=b/x",
            "/v1/..%3b/x",
            "/v1%2F..%2fx",
            "/v1%252fx",
            "/v1%5c..",
            "/a%00",
            "/a%0d%0a",
            "/a%1f",
            "/a%7F",
            "/a%250a",
            "/a%c2%85",
            "/v1/%c0%ae%c0%ae/x",
            "/v1/%e0%80%ae./x",
            "/v1/%25c0%25ae./x",
            "/v1%c0%afx",
            "/v1/%e9",
            "/v1/%ef%bc%8e%EF%BC%8E/x",
            "/v1/%e2%80%a5/x",
            "/v1/.%e2%80%8d./x",
            "/v1%ef%bc%8f..",
            "/v1/%25%32e./x",
            "/v1/%%32e./x",
            "/a%",
            "/a%2",
            "/a%zz",
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_encoded_over_and_over_is_refused_soon() {
        let path = format!("/{}", "%25".repeat(10_000));
        assert!(check_path(&path).is_ok());
        let path = format!("/%{}", "25".repeat(10_000));
        assert_eq!(check_path(&path), Err("it is encoded over and over"));
    }

    #[test]
    fn a_guest_sets_no_header_that_is_the_hosts() {
        for name in HOSTS_OWN.into_iter().chain([
            "proxy-authorization",
            "proxy-connection",
            "",
            "Host",
            "X-Upper",
            "a b",
            "a:b",
            "a\r\nb",
            "é",
        ]) {
            assert!(check_header(name, "x").is_err(), "{name}");
        }
        assert_eq!(check_header("x-acs-action", "CreateDisk"), Ok(()));
        assert_eq!(check_header("authorization", "A b=\"c\",\td"), Ok(()));
        assert_eq!(check_header("x-empty", ""), Ok(()));
    }

    #[test]
    fn a_value_cannot_end_its_line_and_is_not_repeated() {
        for value in ["a\r\nb: c", "a\nb", "a\0", "é", " a", "a ", "\u{7f}"] {
            let error = headers(vec![("x-token".into(), value.into())]).err();
            let said = error.expect("refused").to_string();
            assert!(said.starts_with("header \"x-token\" has a value"), "{said}");
        }
    }

    #[test]
    fn the_host_says_who_it_is_unless_the_guest_does() {
        let own = headers(Vec::new()).expect("none");
        assert_eq!(own, [("user-agent".to_owned(), USER_AGENT.to_owned())]);
        let given = vec![("user-agent".to_owned(), "guest/1".to_owned())];
        assert_eq!(headers(given.clone()).expect("one"), given);
    }

    #[test]
    fn sizes_have_bounds() {
        let header = |at: usize| (format!("x-{at}"), "v".to_owned());
        assert!(headers((0..=MAX_HEADERS).map(header).collect()).is_err());
        assert!(headers(vec![("x".into(), "v".repeat(MAX_HEADER_BYTES))]).is_err());
        assert!(check_size(MAX_TARGET_BYTES).is_ok());
        assert!(check_size(MAX_TARGET_BYTES + 1).is_err());
        let request = Request {
            method: "GET".into(),
            path: "/a".into(),
            query: Private(vec![("b".into(), "\0".into()), ("c".into(), String::new())]),
            headers: Private::default(),
            body: Private::default(),
        };
        assert_eq!(plain_size(&request), "/a?b=\0&c=".len());
        assert!(check_body(Method::Post, &vec![0; MAX_BODY_BYTES]).is_ok());
        assert!(check_body(Method::Post, &vec![0; MAX_BODY_BYTES + 1]).is_err());
        for method in [Method::Get, Method::Head, Method::Delete] {
            assert!(check_body(method, b"x").is_err());
            assert!(check_body(method, b"").is_ok());
        }
    }
}
