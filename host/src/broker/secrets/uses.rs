//! What is made of a secret, checked against its grant in the same breath.
//!
//! Plain data in, plain data out. No error has anything of a value, not even its length.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::broker::ask::SecretOption as WantedOption;
use crate::broker::error::BrokerError;
use crate::broker::handle::SecretHandle;
use crate::broker::name_length::nameable;
use crate::error::DriverError;
use crate::grant::{BasicPart, Capability, Grants, Refusal, SecretGrant, takes_label};
use crate::volume::{Secret, Secrets};
use crate::worker::{Body, MountOption, SecretOption};

/// Of a mount option's value, in bytes: the kernel takes all options of a mount together in one page, and the longest
/// password that SMB knows has 512.
const MAX_OPTION: usize = 2048;

/// Of a header's value, in bytes: a session token has one or two KiB.
const MAX_HEADER: usize = 8 << 10;

/// A secret that may be used, and for what.
#[derive(Debug)]
pub(in crate::broker) struct GrantedSecret<'a> {
    grant: &'a SecretGrant,
    value: &'a Secret,
}

/// The secret of that name: `denied` where it is not granted, `not-found` where the call brought none.
pub(super) fn granted<'a>(
    grants: &'a Grants,
    brought: &'a Secrets,
    name: &str,
) -> Result<GrantedSecret<'a>, BrokerError> {
    let grant = grants.secrets.get(name).ok_or_else(|| Refusal {
        capability: Capability::Secrets,
        scope: format!("secret {name:?}"),
        grant: format!(
            "grants.secrets has {:?}",
            grants.secrets.keys().collect::<Vec<_>>()
        ),
    })?;
    let value = brought.get(name).ok_or_else(|| {
        DriverError::not_found(format!(
            "this call brought no secret {name:?}; name a Secret that has it, where the volume or its class names one for this kind of call"
        ))
    })?;
    Ok(GrantedSecret { grant, value })
}

impl GrantedSecret<'_> {
    /// As the value of a mount option.
    pub(in crate::broker) fn mount_option(
        &self,
        option: &str,
    ) -> Result<SecretOption, BrokerError> {
        self.grant.allows_mount_option(option)?;
        let value = self.checked("a mount option's value", MAX_OPTION, |byte| {
            !byte.is_ascii_control()
        })?;
        if hides_a_label(value) {
            let reason = "it holds an option of its own after a comma";
            return Err(self.unfit("a mount option's value", reason).into());
        }
        Ok(SecretOption {
            name: option.to_owned(),
            value: Body::new(value.to_vec()),
        })
    }

    /// As a header of a request to that endpoint.
    pub(in crate::broker) fn header(
        &self,
        endpoint: &str,
        name: &str,
        prefix: &str,
    ) -> Result<(String, String), BrokerError> {
        self.grant.allows_header(endpoint, name)?;
        let value = self.checked("a header", MAX_HEADER, is_printable)?;
        let value = Zeroizing::new(String::from_utf8_lossy(value).into_owned());
        Ok((name.to_owned(), format!("{prefix}{}", *value)))
    }

    fn basic(&self, endpoint: &str, part: BasicPart) -> Result<&[u8], BrokerError> {
        self.grant.allows_basic_authentication(endpoint, part)?;
        Ok(self.checked("basic authentication", MAX_HEADER, |byte| {
            !byte.is_ascii_control()
        })?)
    }

    /// As a key, of any bytes.
    pub(in crate::broker) fn as_key(&self) -> Result<Secret, BrokerError> {
        self.grant.allows_key()?;
        self.checked("a key", usize::MAX, |_| true)?;
        Ok(self.value.clone())
    }

    /// Whether messages may be signed with it by that algorithm.
    pub(in crate::broker) fn signs_by(&self, algorithm: &str) -> Result<(), Refusal> {
        self.grant.allows_algorithm(algorithm)
    }

    /// As what is sent along with a temporary key.
    pub(in crate::broker) fn as_session_token(&self) -> Result<Secret, BrokerError> {
        self.grant.allows_session_token()?;
        self.checked("a session token", MAX_HEADER, is_printable)?;
        Ok(self.value.clone())
    }

    fn checked(
        &self,
        used: &str,
        longest: usize,
        fits: impl Fn(u8) -> bool,
    ) -> Result<&[u8], DriverError> {
        let value = self.value.reveal();
        let reason = match value {
            [] => "it is empty",
            [.., b'\n' | b'\r'] if !fits(b'\n') => {
                "it ends with a line end; kubectl create secret --from-file keeps that of the file"
            }
            value if value.len() > longest => "it is too long",
            value if !value.iter().all(|byte| fits(*byte)) => {
                "it holds characters that cannot stand there"
            }
            value => return Ok(value),
        };
        Err(self.unfit(used, reason))
    }

    fn unfit(&self, used: &str, reason: &str) -> DriverError {
        DriverError::invalid_argument(format!(
            "secret {:?} cannot be used as {used}: {reason}",
            self.grant.name
        ))
    }
}

fn is_printable(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

/// Security modules read all options of a mount before its filesystem does, at every comma, whoever doubled it.
fn hides_a_label(value: &[u8]) -> bool {
    let mut words = value.split(|byte| *byte == b',').skip(1);
    words.any(|word| {
        let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        takes_label(&name) || name.starts_with("smack") || name == "seclabel"
    })
}

/// A mount has two or three.
const MAX_OPTIONS: usize = 8;

/// Options of a mount whose values are secrets. None of them is among the others too: which of two counts is each
/// filesystem's own matter.
pub(in crate::broker) fn secret_options<'a>(
    others: &[MountOption],
    wanted: &[WantedOption],
    secret: impl Fn(SecretHandle) -> Result<GrantedSecret<'a>, BrokerError>,
) -> Result<Vec<SecretOption>, BrokerError> {
    if wanted.len() > MAX_OPTIONS {
        return Err(DriverError::invalid_argument(format!(
            "{} mount options with secrets are more than {MAX_OPTIONS}",
            wanted.len()
        ))
        .into());
    }
    let mut options: Vec<SecretOption> = Vec::new();
    for (name, handle) in wanted {
        nameable(name)?;
        let mut before = options.iter().map(|option| &option.name);
        if before.any(|before| before == name) || others.iter().any(|(other, _)| other == name) {
            return Err(DriverError::invalid_argument(format!(
                "mount option {name:?} is given twice, once as a secret"
            ))
            .into());
        }
        options.push(secret(*handle)?.mount_option(name)?);
    }
    Ok(options)
}

/// Whose password it is.
#[derive(Debug)]
pub(in crate::broker) enum BasicUser<'a> {
    /// The guest knows.
    Name(&'a str),
    /// Nor that.
    Secret(GrantedSecret<'a>),
}

/// The header of basic authentication (RFC 7617) for a request to that endpoint.
pub(in crate::broker) fn basic_authentication(
    endpoint: &str,
    user: &BasicUser<'_>,
    password: &GrantedSecret<'_>,
) -> Result<(String, String), BrokerError> {
    let user = match user {
        BasicUser::Name(name) => name.as_bytes(),
        BasicUser::Secret(secret) => secret.basic(endpoint, BasicPart::User)?,
    };
    // A colon ends the name (RFC 7617 section 2).
    if user
        .iter()
        .any(|byte| *byte == b':' || byte.is_ascii_control())
    {
        return Err(DriverError::invalid_argument(
            "the user of basic authentication holds a colon or a control character",
        )
        .into());
    }
    let password = password.basic(endpoint, BasicPart::Password)?;
    let plain = Zeroizing::new([user, b":", password].concat());
    let encoded = Zeroizing::new(STANDARD.encode(&*plain));
    Ok(("authorization".to_owned(), format!("Basic {}", *encoded)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::error::Condition;
    use crate::grant::SigningUse;

    fn grants() -> Grants {
        let grant = SecretGrant {
            name: "password".into(),
            mount_options: vec!["password".into()],
            headers: vec!["authorization".into()],
            basic_authentication: BasicPart::ALL.to_vec(),
            endpoints: vec!["api".into()],
            signing: vec![SigningUse::HmacSha256],
        };
        Grants {
            secrets: BTreeMap::from([("password".to_owned(), grant)]),
            ..Grants::default()
        }
    }

    fn brought(value: &[u8]) -> Secrets {
        let pair = ("password".to_owned(), Secret::new(value.to_vec()));
        Secrets::bounded(vec![pair]).expect("one")
    }

    /// What the use makes of it; an error as its message.
    fn used<T, E: Into<BrokerError>>(
        value: &[u8],
        make: impl Fn(&GrantedSecret<'_>) -> Result<T, E>,
    ) -> Result<T, String> {
        let (grants, brought) = (grants(), brought(value));
        let secret = granted(&grants, &brought, "password").expect("granted and brought");
        make(&secret).map_err(|error| in_words(error.into()))
    }

    fn in_words(error: BrokerError) -> String {
        match error {
            BrokerError::Refused(refusal) => refusal.to_string(),
            BrokerError::Failed(error) => error.to_string(),
            BrokerError::Violated(violation) => panic!("{violation}"),
        }
    }

    #[test]
    fn what_is_not_granted_is_denied_and_what_was_not_brought_is_not_found() {
        let (grants, none) = (grants(), Secrets::default());
        let error = granted(&grants, &brought(b"x"), "other").expect_err("not granted");
        let BrokerError::Refused(refusal) = error else {
            panic!("{error:?}");
        };
        assert_eq!(
            refusal.to_string(),
            "secret \"other\" is not granted (grants.secrets has [\"password\"])"
        );
        let error = granted(&grants, &none, "password").expect_err("not brought");
        let BrokerError::Failed(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error.condition(), Condition::NotFound);
    }

    #[test]
    fn a_mount_option_gets_the_value_as_it_is() {
        let option = used(b"a,b \xc3\xa9", |secret| secret.mount_option("password"));
        let option = option.expect("fits");
        assert_eq!(option.name, "password");
        assert_eq!(option.value.as_bytes(), b"a,b \xc3\xa9");
        assert!(!format!("{option:?}").contains("a,b"));
        let refused = used(b"x", |secret| secret.mount_option("username"));
        assert!(
            refused
                .expect_err("not granted")
                .contains("mount option \"username\"")
        );
    }

    #[test]
    fn a_value_that_would_be_more_than_one_is_refused_and_not_told() {
        for value in [
            &b""[..],
            b"hunter2\n",
            b"hunter2\0",
            b"hunter2,context=a:b:c",
            b"hunter2,,rootcontext=x",
            b"hunter2,seclabel",
            &[b'h'; MAX_OPTION + 1],
        ] {
            let said = used(value, |secret| secret.mount_option("password"));
            let said = said.expect_err("it does not fit");
            assert!(
                said.starts_with("secret \"password\" cannot be used as"),
                "{said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn an_option_stands_once_whoever_says_its_value() {
        let (grants, brought) = (grants(), brought(b"x"));
        let wanted = || ("password".to_owned(), SecretHandle(1));
        let options = |others: &[MountOption], wanted: &[WantedOption]| {
            secret_options(others, wanted, |_| granted(&grants, &brought, "password"))
        };
        let vers = ("vers".to_owned(), Some("3.0".to_owned()));
        let one = options(&[vers], &[wanted()]).expect("once");
        assert_eq!(one.len(), 1);
        let other = ("password".to_owned(), Some("y".to_owned()));
        assert!(options(&[other], &[wanted()]).is_err());
        assert!(options(&[], &[wanted(), wanted()]).is_err());
    }

    #[test]
    fn a_header_has_the_guests_prefix_and_the_secret() {
        let header = used(b"tok", |secret| {
            secret.header("api", "authorization", "Bearer ")
        });
        assert_eq!(
            header.expect("fits"),
            ("authorization".to_owned(), "Bearer tok".to_owned())
        );
        for (endpoint, name) in [("other", "authorization"), ("api", "x-token")] {
            assert!(used(b"tok", |secret| secret.header(endpoint, name, "")).is_err());
        }
        for value in [&b"hunter2\r\nhost: x"[..], b"hunter2\xc3\xa9", b""] {
            let said = used(value, |secret| secret.header("api", "authorization", ""));
            assert!(!said.expect_err("it does not fit").contains("hunter2"));
        }
    }

    #[test]
    fn basic_authentication_is_that_of_rfc_7617() {
        let header = used(b"open sesame", |secret| {
            basic_authentication("api", &BasicUser::Name("Aladdin"), secret)
        });
        assert_eq!(
            header.expect("fits"),
            (
                "authorization".to_owned(),
                "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned()
            )
        );
        let by_secret = used(b"x", |secret| {
            let (grants, brought) = (grants(), brought(b"a:b"));
            let user = granted(&grants, &brought, "password")?;
            basic_authentication("api", &BasicUser::Secret(user), secret)
        });
        assert!(by_secret.expect_err("two names").contains("holds a colon"));
        let elsewhere = used(b"x", |secret| {
            basic_authentication("other", &BasicUser::Name("a"), secret)
        });
        assert!(
            elsewhere
                .expect_err("not granted")
                .contains("at endpoint \"other\"")
        );
    }

    #[test]
    fn a_key_signs_by_the_algorithms_of_its_grant_and_is_no_token() {
        assert_eq!(
            used(b"\0k\n", |secret| secret.as_key())
                .expect("any bytes")
                .reveal(),
            b"\0k\n"
        );
        assert_eq!(used(b"k", |secret| secret.signs_by("hmac-sha256")), Ok(()));
        assert!(used(b"k", |secret| secret.signs_by("hmac-sha1")).is_err());
        assert!(used(b"k", |secret| secret.as_session_token()).is_err());
        assert!(used(b"", |secret| secret.as_key()).is_err());
    }
}
