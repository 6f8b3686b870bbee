//! What a secret may be used for; what it is, nobody here knows.

use drivebay::grant::SecretGrant;

use crate::commands::inspect::list;

/// `password: mount option password; basic authentication password at api`
pub(super) fn uses(grant: &SecretGrant) -> String {
    let names = |names: &[String]| list(names.iter().map(String::as_str));
    let at = names(&grant.endpoints);
    let basic = list(grant.basic_authentication.iter().map(|part| part.name()));
    let signing = list(grant.signing.iter().map(|it| it.name()));
    let uses = [
        (!grant.mount_options.is_empty())
            .then(|| format!("mount option {}", names(&grant.mount_options))),
        (!grant.headers.is_empty()).then(|| format!("header {} at {at}", names(&grant.headers))),
        (!grant.basic_authentication.is_empty())
            .then(|| format!("basic authentication {basic} at {at}")),
        (!grant.signing.is_empty()).then(|| format!("signing {signing}")),
    ];
    let uses: Vec<String> = uses.into_iter().flatten().collect();
    format!("{}: {}", grant.name, uses.join("; "))
}

#[cfg(test)]
mod tests {
    use drivebay::grant::{BasicPart, SigningUse};

    use super::*;

    #[test]
    fn each_use_is_told_with_where() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let mut grant = SecretGrant {
            name: "password".to_owned(),
            mount_options: texts(&["password", "password2"]),
            ..SecretGrant::default()
        };
        assert_eq!(uses(&grant), "password: mount option password password2");
        grant.headers = texts(&["authorization"]);
        grant.basic_authentication = vec![BasicPart::Password];
        grant.endpoints = texts(&["api"]);
        grant.signing = vec![SigningUse::HmacSha256];
        assert_eq!(
            uses(&grant),
            "password: mount option password password2; header authorization at api; basic authentication password at api; signing hmac-sha256"
        );
    }
}
