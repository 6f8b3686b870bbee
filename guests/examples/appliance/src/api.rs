//! Calls of the appliance's API: who asks is a secret, and never seen here.

use drivebay_guest::encode::hex;
use drivebay_guest::https::{Request, Response, open_endpoint};
use drivebay_guest::secret_keys;
use drivebay_guest::secret_requests::{self, BasicAuthentication, SecretHeader, User};
use drivebay_guest::secrets::open_secret;
use drivebay_guest::types::Error;

const ENDPOINT: &str = "appliance";

pub(crate) fn request(method: &str, path: String, query: &[(&str, String)]) -> Request {
    let pair = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
    Request {
        method: method.into(),
        path,
        query: query.iter().map(pair).collect(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// As whoever administers the appliance: name and password are both in the Secret.
pub(crate) fn as_administrator(request: &Request) -> Result<Response, Error> {
    let (username, password) = (open_secret("username")?, open_secret("password")?);
    let basic = BasicAuthentication {
        user: User::Secret(&username),
        password: &password,
    };
    secret_requests::send(&open_endpoint(ENDPOINT)?, request, &[], Some(&basic))
}

/// As somebody of that name, whose password alone is in the Secret.
pub(crate) fn as_user(name: &str, request: &Request) -> Result<Response, Error> {
    let password = open_secret("password")?;
    let basic = BasicAuthentication {
        user: User::Name(name.into()),
        password: &password,
    };
    secret_requests::send(&open_endpoint(ENDPOINT)?, request, &[], Some(&basic))
}

/// With a token in a header.
pub(crate) fn with_token(request: &Request) -> Result<Response, Error> {
    let token = open_secret("token")?;
    let header = SecretHeader {
        name: "authorization".into(),
        prefix: "Bearer ".into(),
        secret: &token,
    };
    secret_requests::send(&open_endpoint(ENDPOINT)?, request, &[header], None)
}

/// Signed with the key of the volume's account.
pub(crate) fn signed(account: &str, mut request: Request) -> Result<Response, Error> {
    let key = secret_keys::open_key(account, &open_secret("key")?, None)?;
    let text = format!("{} {}", request.method, request.path);
    let signature = hex(&key.sign("hmac-sha256", text.as_bytes())?);
    let authorization = format!("HMAC-SHA256 account={}, signature={signature}", key.id()?);
    request
        .headers
        .push(("authorization".into(), authorization));
    open_endpoint(ENDPOINT)?.send(&request)
}

/// The answer's text, or what its status means.
pub(crate) fn text(what: &str, response: &Response) -> Result<String, Error> {
    let text = String::from_utf8_lossy(&response.body).trim().to_owned();
    let said = format!(
        "{what}: the appliance answered {} {text:?}",
        response.status
    );
    match response.status {
        200 => Ok(text),
        400 => Err(Error::InvalidArgument(said)),
        401 | 403 => Err(Error::Denied(said)),
        404 => Err(Error::NotFound(said)),
        409 => Err(Error::AlreadyExists(said)),
        429 | 500..=599 => Err(Error::Unavailable(said)),
        _ => Err(Error::Internal(said)),
    }
}
