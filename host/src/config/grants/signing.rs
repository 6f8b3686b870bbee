//! `[grants.signing.NAME]`, read.
//!
//! ```toml
//! [grants.signing.a]
//! source = "file"                             # read anew for each call; not writable by everyone; or beside this file
//! id-file = "/etc/key/id"
//! secret-file = "/etc/key/secret"
//! session-token-file = "/etc/key/token"       # optional
//!
//! [grants.signing.b]
//! source = "environment"                      # names of variables
//! id = "ACCESS_KEY_ID"
//! secret = "ACCESS_KEY_SECRET"
//! session-token = "SECURITY_TOKEN"            # optional
//!
//! [grants.signing.c]
//! source = "metadata"
//! origin = "http://100.100.100.200"
//! addresses = ["100.100.100.200"]             # as for https
//! path = "/ram/security-credentials/"         # GET lists roles; with a role behind it, its key
//! role = "node"                               # optional: else the one that is listed
//! token = { path = "/api/token", ttl-header = "X-Ttl", header = "X-Token" } # optional: PUT for it first
//! fields = { id = "Id", secret = "Secret", session-token = "Token", expires = "Expiration" }
//! refresh-before = "15m"                      # fetched anew when less is left
//!
//! [grants.signing.d]
//! source = "oidc"                             # origin, region, addresses, ca as for https
//! origin = "https://sts.{region}.example.com"
//! region = "cn-hangzhou"
//! path = "/"                                  # posted to
//! query = { Timestamp = "{now}" }             # {now}: UTC, 2026-11-21T04:53:18Z
//! form = { Token = "{token}" }                # {token}: what token-file holds
//! token-file = "/var/run/secrets/token"
//! fields = { id = "Credentials.Id", secret = "Credentials.Secret", expires = "Credentials.Expiration" }
//! ```

use std::path::PathBuf;
use std::time::Duration;

use super::https::{addresses, origin};
use crate::config::ConfigError;
use crate::config::section::Section;
use crate::grant::{
    Capability, EnvironmentSource, FieldNames, FileSource, FormValues, KeySource, MetadataSource,
    OidcSource, SessionToken, SigningGrant,
};

/// Clouds hand out the next key half an hour before the last one ends; their own clients ask at this point.
const REFRESH_BEFORE: Duration = Duration::from_secs(15 * 60);

pub(super) fn grant(name: &str, mut section: Section<'_>) -> Result<SigningGrant, ConfigError> {
    let source = match section.string("source")? {
        Some("file") => KeySource::File(file(&mut section)?),
        Some("environment") => KeySource::Environment(environment(&mut section)?),
        Some("metadata") => KeySource::Metadata(metadata(name, &mut section)?),
        Some("oidc") => KeySource::Oidc(oidc(name, &mut section)?),
        None => return Err(section.missing("source")),
        Some(other) => {
            return Err(section.bad(
                "source",
                format!(
                    "is {other:?}, none of \"file\", \"environment\", \"metadata\" and \"oidc\""
                ),
            ));
        }
    };
    section.finish()?;
    Ok(SigningGrant {
        name: name.to_owned(),
        source,
    })
}

fn file(section: &mut Section<'_>) -> Result<FileSource, ConfigError> {
    Ok(FileSource {
        id: required_path(section, "id-file")?,
        secret: required_path(section, "secret-file")?,
        session_token: section.file("session-token-file")?,
    })
}

fn environment(section: &mut Section<'_>) -> Result<EnvironmentSource, ConfigError> {
    Ok(EnvironmentSource {
        id: required(section, "id")?,
        secret: required(section, "secret")?,
        session_token: optional(section, "session-token")?,
    })
}

fn metadata(name: &str, section: &mut Section<'_>) -> Result<MetadataSource, ConfigError> {
    Ok(MetadataSource {
        origin: origin(section, None)?,
        addresses: addresses(section, Capability::Signing, name)?,
        path: request_path(section, "path")?,
        role: role(section)?,
        token: section.section("token")?.map(session_token).transpose()?,
        fields: fields(section)?,
        refresh_before: refresh_before(section)?,
    })
}

fn oidc(name: &str, section: &mut Section<'_>) -> Result<OidcSource, ConfigError> {
    let region = section.string("region")?;
    Ok(OidcSource {
        origin: origin(section, region)?,
        addresses: addresses(section, Capability::Signing, name)?,
        ca: section.file("ca")?,
        path: request_path(section, "path")?,
        // Addresses end up in the logs of whoever passes them on; the token belongs in the body.
        query: values(section, "query", &["{now}"])?,
        form: values(section, "form", &["{now}", "{token}"])?,
        token_file: required_path(section, "token-file")?,
        fields: fields(section)?,
        refresh_before: refresh_before(section)?,
    })
}

fn session_token(mut section: Section<'_>) -> Result<SessionToken, ConfigError> {
    let token = SessionToken {
        path: request_path(&mut section, "path")?,
        ttl_header: header(&mut section, "ttl-header")?,
        header: header(&mut section, "header")?,
    };
    section.finish()?;
    Ok(token)
}

fn fields(section: &mut Section<'_>) -> Result<FieldNames, ConfigError> {
    let mut section = section
        .section("fields")?
        .ok_or_else(|| section.missing("fields"))?;
    let fields = FieldNames {
        id: required(&mut section, "id")?,
        secret: required(&mut section, "secret")?,
        session_token: optional(&mut section, "session-token")?,
        expires: required(&mut section, "expires")?,
    };
    section.finish()?;
    Ok(fields)
}

fn refresh_before(section: &mut Section<'_>) -> Result<Duration, ConfigError> {
    Ok(section
        .duration("refresh-before")?
        .unwrap_or(REFRESH_BEFORE))
}

fn values(
    section: &mut Section<'_>,
    key: &'static str,
    placeholders: &[&str],
) -> Result<FormValues, ConfigError> {
    let pairs = section.named_strings(key)?;
    for (name, value) in &pairs {
        let rest = placeholders
            .iter()
            .fold((*value).to_owned(), |text, known| text.replace(known, ""));
        if rest.contains(['{', '}']) {
            let reason =
                format!("has {name} = {value:?}; the placeholders here are {placeholders:?}");
            return Err(section.bad(key, reason));
        }
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Ok(pairs.into_iter().map(owned).collect())
}

/// Joined to the path as it stands, so it has to be one plain segment.
fn role(section: &mut Section<'_>) -> Result<Option<String>, ConfigError> {
    let role = optional(section, "role")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match role {
        Some(role) if role.starts_with('.') || !role.chars().all(plain) => Err(section.bad(
            "role",
            format!("is {role:?}, which is not the name of a role"),
        )),
        role => Ok(role),
    }
}

fn request_path(section: &mut Section<'_>, key: &'static str) -> Result<String, ConfigError> {
    let path = required(section, key)?;
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\');
    match path.starts_with('/') && path.chars().all(plain) {
        true => Ok(path),
        false => Err(section.bad(
            key,
            format!("is {path:?}, which is not the path of a request"),
        )),
    }
}

fn header(section: &mut Section<'_>, key: &'static str) -> Result<String, ConfigError> {
    let name = required(section, key)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match name.chars().all(plain) {
        true => Ok(name.to_ascii_lowercase()),
        false => Err(section.bad(
            key,
            format!("is {name:?}, which is not the name of a header"),
        )),
    }
}

fn required_path(section: &mut Section<'_>, key: &'static str) -> Result<PathBuf, ConfigError> {
    section.file(key)?.ok_or_else(|| section.missing(key))
}

fn required(section: &mut Section<'_>, key: &'static str) -> Result<String, ConfigError> {
    optional(section, key)?.ok_or_else(|| section.missing(key))
}

fn optional(section: &mut Section<'_>, key: &'static str) -> Result<Option<String>, ConfigError> {
    match section.string(key)? {
        Some("") => Err(section.bad(key, "is empty".to_owned())),
        text => Ok(text.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{grants, refusal};
    use super::*;

    const METADATA: &str = r#"
        [grants.signing.access-key]
        source = "metadata"
        origin = "http://100.100.100.200"
        addresses = ["100.100.100.200"]
        path = "/latest/meta-data/ram/security-credentials/"
        token = { path = "/latest/api/token", ttl-header = "X-Ttl-Seconds", header = "X-Token" }
        fields = { id = "AccessKeyId", secret = "AccessKeySecret", session-token = "SecurityToken", expires = "Expiration" }
    "#;

    const OIDC: &str = r#"
        [grants.signing.access-key]
        source = "oidc"
        origin = "https://sts.{region}.example.com"
        region = "cn-hangzhou"
        path = "/"
        query = { Action = "AssumeRoleWithOIDC", Timestamp = "{now}" }
        form = { RoleArn = "acs:ram::1:role/x", OIDCToken = "{token}" }
        token-file = "/var/run/secrets/token"
        fields = { id = "Credentials.AccessKeyId", secret = "Credentials.AccessKeySecret", expires = "Credentials.Expiration" }
        refresh-before = "5m"
    "#;

    #[track_caller]
    fn source(text: &str) -> KeySource {
        let mut grants = grants(text);
        grants.signing.remove("access-key").expect("granted").source
    }

    #[test]
    fn files_and_variables_are_named() {
        let text = "[grants.signing.access-key]\nsource = \"file\"\nid-file = \"/k/id\"\nsecret-file = \"/k/secret\"";
        let KeySource::File(file) = source(text) else {
            panic!("not a file");
        };
        assert_eq!(file.secret, PathBuf::from("/k/secret"));
        assert_eq!(file.session_token, None);
        let text = "[grants.signing.access-key]\nsource = \"environment\"\nid = \"ID\"\nsecret = \"SECRET\"\nsession-token = \"TOKEN\"";
        let KeySource::Environment(environment) = source(text) else {
            panic!("not an environment");
        };
        assert_eq!(environment.session_token.as_deref(), Some("TOKEN"));
    }

    #[test]
    fn a_metadata_service_is_described_completely() {
        let KeySource::Metadata(metadata) = source(METADATA) else {
            panic!("not metadata");
        };
        assert_eq!(
            metadata.addresses.key,
            "grants.signing.access-key.addresses"
        );
        assert_eq!(metadata.token.expect("wanted").header, "x-token");
        assert_eq!(metadata.refresh_before, Duration::from_secs(900));
        assert_eq!(metadata.role, None);
    }

    #[test]
    fn an_exchange_of_tokens_is_described_completely() {
        let KeySource::Oidc(oidc) = source(OIDC) else {
            panic!("not oidc");
        };
        assert_eq!(
            oidc.origin.to_string(),
            "https://sts.cn-hangzhou.example.com"
        );
        assert_eq!(oidc.refresh_before, Duration::from_secs(300));
        assert_eq!(oidc.query.len(), 2);
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_key() {
        for (text, from, to, error) in [
            (
                METADATA,
                "\"metadata\"",
                "\"vault\"",
                "grants.signing.access-key.source is \"vault\"",
            ),
            (
                METADATA,
                "source",
                "sauce",
                "grants.signing.access-key.source is missing",
            ),
            (
                METADATA,
                "path = \"/latest/meta",
                "path = \"latest/meta",
                "path is \"latest/meta",
            ),
            (METADATA, "expires", "expired", "fields.expires is missing"),
            (
                METADATA,
                "token = {",
                "role = \"../x\"\ntoken = {",
                "role is \"../x\"",
            ),
            (
                METADATA,
                "X-Token",
                "X Token",
                "token.header is \"X Token\"",
            ),
            (
                METADATA,
                "token = {",
                "token-file = \"/x\"\ntoken = {",
                "unknown key \"grants.signing.access-key.token-file\"",
            ),
            (
                OIDC,
                "{now}",
                "{token}",
                "query has Timestamp = \"{token}\"; the placeholders here are [\"{now}\"]",
            ),
            (
                OIDC,
                "\"{token}\"",
                "\"{tokens}\"",
                "form has OIDCToken = \"{tokens}\"",
            ),
            (
                OIDC,
                "/var/run",
                "./var/run",
                "token-file is \"./var/run/secrets/token\", which is neither an absolute path nor one beneath",
            ),
            (OIDC, "region = \"cn-hangzhou\"", "", "region is missing"),
        ] {
            let said = refusal(&text.replace(from, to));
            assert!(said.contains(error), "{said} lacks {error}");
        }
    }
}
