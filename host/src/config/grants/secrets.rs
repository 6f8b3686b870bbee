//! `[grants.secrets.NAME]`, read.
//!
//! ```toml
//! [grants.secrets.password]            # by its name in the Secret that Kubernetes hands to the driver
//! mount-options = ["password"]         # whose value it may be
//! headers = ["authorization"]          # which it may stand in, alone or behind a text of the guest's
//! basic-authentication = ["password"]  # which part it may be: "user", "password"
//! endpoints = ["api"]                  # where both may be sent; with these two it is required
//! signing = ["hmac-sha256"]            # as a key for that algorithm, or as a "session-token"
//! ```

use std::collections::BTreeMap;

use crate::config::ConfigError;
use crate::config::section::Section;
use crate::grant::{BasicPart, GrantedOption, HttpsGrant, MountsGrant, SecretGrant, SigningUse};
use crate::worker::{is_for_every_filesystem, is_hosts_to_decide};

/// What else is granted: a secret that could go nowhere is a mistake.
pub(super) struct Uses<'a> {
    pub(super) mounts: Option<&'a MountsGrant>,
    pub(super) https: &'a BTreeMap<String, HttpsGrant>,
}

pub(super) fn grant(
    name: &str,
    mut section: Section<'_>,
    uses: &Uses<'_>,
) -> Result<SecretGrant, ConfigError> {
    let grant = SecretGrant {
        name: name.to_owned(),
        mount_options: mount_options(&mut section, uses.mounts)?,
        headers: headers(&mut section)?,
        basic_authentication: known(
            &mut section,
            "basic-authentication",
            &BasicPart::ALL.map(|part| (part.name(), part)),
        )?,
        endpoints: endpoints(&mut section, uses.https)?,
        signing: known(
            &mut section,
            "signing",
            &SigningUse::ALL.map(|it| (it.name(), it)),
        )?,
    };
    check_endpoints(&section, &grant)?;
    let useless = section.useless();
    // A key that nobody knows says more than that those are missing which are known.
    section.finish()?;
    let is_used = is_sent(&grant) || !grant.mount_options.is_empty() || !grant.signing.is_empty();
    is_used.then_some(grant).ok_or(useless)
}

fn is_sent(grant: &SecretGrant) -> bool {
    !grant.headers.is_empty() || !grant.basic_authentication.is_empty()
}

fn check_endpoints(section: &Section<'_>, grant: &SecretGrant) -> Result<(), ConfigError> {
    let reason = match (is_sent(grant), grant.endpoints.is_empty()) {
        (true, true) => {
            "is missing: it names the endpoints that headers and basic authentication may be sent to"
        }
        (false, false) => {
            "names where nothing may be sent: headers and basic-authentication are missing"
        }
        (true, false) | (false, true) => return Ok(()),
    };
    Err(section.bad("endpoints", reason.to_owned()))
}

/// Names alone: what the value is, nobody can write into a file.
fn mount_options(
    section: &mut Section<'_>,
    mounts: Option<&MountsGrant>,
) -> Result<Vec<String>, ConfigError> {
    const KEY: &str = "mount-options";
    let names = texts(section, KEY)?;
    if !names.is_empty() && mounts.is_none_or(|mounts| mounts.filesystems.is_empty()) {
        let reason = "is for nothing: grants.mounts.filesystems grants no remote mount";
        return Err(section.bad(KEY, reason.to_owned()));
    }
    for name in &names {
        let option: GrantedOption = name
            .parse()
            .map_err(|error| section.bad(KEY, format!("is wrong: {error}")))?;
        let reason = if option.value().is_some() {
            "and the secret is its value: write the name alone"
        } else if is_for_every_filesystem(name) {
            "which takes no value"
        } else if is_hosts_to_decide(name) {
            "which is the host's to decide"
        } else {
            continue;
        };
        return Err(section.bad(KEY, format!("has {name:?}, {reason}")));
    }
    Ok(names)
}

fn headers(section: &mut Section<'_>) -> Result<Vec<String>, ConfigError> {
    const KEY: &str = "headers";
    let names = texts(section, KEY)?;
    let is_name = |name: &str| {
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        !name.is_empty() && name.chars().all(plain)
    };
    match names.iter().find(|name| !is_name(name.as_str())) {
        None => Ok(names),
        Some(name) => Err(section.bad(
            KEY,
            format!("has {name:?}, which is not a header's name in lower case"),
        )),
    }
}

fn endpoints(
    section: &mut Section<'_>,
    https: &BTreeMap<String, HttpsGrant>,
) -> Result<Vec<String>, ConfigError> {
    const KEY: &str = "endpoints";
    let names = texts(section, KEY)?;
    match names.iter().find(|name| !https.contains_key(*name)) {
        None => Ok(names),
        Some(name) => {
            let granted: Vec<&String> = https.keys().collect();
            let reason = format!("has {name:?}; grants.https has {granted:?}");
            Err(section.bad(KEY, reason))
        }
    }
}

fn known<T: Copy>(
    section: &mut Section<'_>,
    key: &'static str,
    known: &[(&str, T)],
) -> Result<Vec<T>, ConfigError> {
    let texts = texts(section, key)?;
    let meant = |text: &String| {
        let found = known.iter().find(|(name, _)| name == text);
        found.map(|(_, meant)| *meant).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            section.bad(key, format!("has {text:?}, which is none of {names:?}"))
        })
    };
    texts.iter().map(meant).collect()
}

fn texts(section: &mut Section<'_>, key: &'static str) -> Result<Vec<String>, ConfigError> {
    let list = section.strings(key)?.unwrap_or_default().into_iter();
    Ok(list.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{grants, refusal};
    use super::*;

    const OTHERS: &str = r#"
        [grants.mounts]
        filesystems = ["cifs"]
        sources = ["filer:/**"]
        [grants.https.api]
        origin = "https://api.example.com"
        methods = ["GET"]
        paths = ["/"]
        [grants.secrets.password]
    "#;

    fn granted(lines: &str) -> SecretGrant {
        let mut secrets = grants(&format!("{OTHERS}{lines}")).secrets;
        secrets.remove("password").expect("granted")
    }

    #[test]
    fn each_use_can_be_granted() {
        let grant = granted(
            "mount-options = [\"password\"]\nheaders = [\"authorization\"]\nbasic-authentication = [\"user\", \"password\"]\nendpoints = [\"api\"]\nsigning = [\"hmac-sha256\", \"session-token\"]",
        );
        assert_eq!(
            grant,
            SecretGrant {
                name: "password".into(),
                mount_options: vec!["password".into()],
                headers: vec!["authorization".into()],
                basic_authentication: vec![BasicPart::User, BasicPart::Password],
                endpoints: vec!["api".into()],
                signing: vec![SigningUse::HmacSha256, SigningUse::SessionToken],
            }
        );
        assert_eq!(granted("signing = [\"hmac-sha1\"]").endpoints, [""; 0]);
    }

    #[test]
    fn a_grant_that_can_match_nothing_is_an_error() {
        const OF: &str = "grants.secrets.password";
        for (lines, reason) in [
            ("", " allows nothing"),
            ("mount-options = []", " allows nothing"),
            (
                "headers = [\"authorization\"]",
                ".endpoints is missing: it names the endpoints",
            ),
            (
                "basic-authentication = [\"user\"]",
                ".endpoints is missing: it names the endpoints",
            ),
            (
                "endpoints = [\"api\"]\nsigning = [\"hmac-sha1\"]",
                ".endpoints names where nothing may be sent",
            ),
            (
                "headers = [\"authorization\"]\nendpoints = [\"apis\"]",
                ".endpoints has \"apis\"; grants.https has [\"api\"]",
            ),
            (
                "mount-options = [\"password=x\"]",
                ".mount-options has \"password=x\", and the secret is its value",
            ),
            (
                "mount-options = [\"ip\"]",
                ".mount-options has \"ip\", which is the host's to decide",
            ),
            (
                "mount-options = [\"noatime\"]",
                ".mount-options has \"noatime\", which takes no value",
            ),
            (
                "mount-options = [\"a,b\"]",
                ".mount-options is wrong: \"a,b\" can match no mount option",
            ),
            (
                "headers = [\"Authorization\"]\nendpoints = [\"api\"]",
                ".headers has \"Authorization\", which is not a header's name in lower case",
            ),
            (
                "basic-authentication = [\"pasword\"]\nendpoints = [\"api\"]",
                ".basic-authentication has \"pasword\", which is none of [\"user\", \"password\"]",
            ),
            (
                "signing = [\"md5\"]",
                ".signing has \"md5\", which is none of [\"hmac-sha1\", \"hmac-sha256\", \"session-token\"]",
            ),
            (
                "mount-option = [\"password\"]",
                "unknown key \"grants.secrets.password.mount-option\"; did you mean \"grants.secrets.password.mount-options\"?",
            ),
        ] {
            let said = refusal(&format!("{OTHERS}{lines}"));
            let expected = match reason.strip_prefix("unknown") {
                Some(_) => reason.to_owned(),
                None => format!("{OF}{reason}"),
            };
            assert!(said.contains(&expected), "{said} lacks {expected}");
        }
    }

    #[test]
    fn mount_options_need_a_filesystem_that_may_be_mounted() {
        let said = refusal("[grants.secrets.password]\nmount-options = [\"password\"]");
        assert!(said.contains("mount-options is for nothing"), "{said}");
    }
}
