//! The user's words against the guest's: spelled its way, unknown and missing ones refused by name.

use crate::error::DriverError;
use crate::runtime::{Description, Need, Parameter, Scope};
use crate::volume::Parameters;

/// Words that the host acts on by itself, in the volumes of every driver. A guest may know them too; it
/// need not.
const HOST_WORDS: [&str; 1] = ["readOnly"];

/// The parameters of one scope with the guest's spelling, and none missing.
///
/// # Errors
/// `invalid-argument` naming the first unknown, contradictory or missing parameter.
pub(super) fn spelled(
    description: &Description,
    scope: Scope,
    given: &Parameters,
) -> Result<Parameters, DriverError> {
    let spelled = known(description, scope, given)?;
    let missing = of_scope(description, scope).find(|parameter| {
        parameter.need == Need::Required && spelled.get(&parameter.name).is_none()
    });
    match missing {
        None => Ok(spelled),
        Some(missing) => Err(DriverError::invalid_argument(format!(
            "the {} lacks parameter {:?} of driver {}: {}",
            subject(scope),
            missing.name,
            description.name,
            missing.meaning
        ))),
    }
}

/// The same where some may be missing: CSI asks about volumes by their ids, and after capacity with whatever the
/// caller has.
///
/// # Errors
/// `invalid-argument` naming the first unknown or contradictory parameter.
pub(super) fn known(
    description: &Description,
    scope: Scope,
    given: &Parameters,
) -> Result<Parameters, DriverError> {
    let parameter =
        |key: &str| of_scope(description, scope).find_map(|known| spelling(&known.name, key));
    let is_hosts = |key: &str| {
        scope == Scope::Volume && HOST_WORDS.iter().any(|word| word.eq_ignore_ascii_case(key))
    };
    let for_guest = given
        .pairs()
        .iter()
        .filter(|(key, _)| parameter(key).is_some() || !is_hosts(key));
    let pairs = for_guest.map(|(key, value)| {
        parameter(key)
            .map(|name| (name, value.clone()))
            .ok_or_else(|| unknown(description, scope, key))
    });
    Ok(Parameters::new(pairs.collect::<Result<_, _>>()?))
}

fn of_scope(description: &Description, scope: Scope) -> impl Iterator<Item = &Parameter> {
    let parameters = description.parameters.iter();
    parameters.filter(move |parameter| parameter.scope == scope)
}

/// Whether the guest describes that parameter.
pub(super) fn is_known(description: &Description, scope: Scope, key: &str) -> bool {
    description
        .parameters
        .iter()
        .any(|known| known.scope == scope && spelling(&known.name, key).is_some())
}

/// A key as the guest spells it, if it is the parameter of that name. One that is described as `tags/*` stands
/// for `tags/` with anything behind it, whose spelling is the user's.
fn spelling(name: &str, key: &str) -> Option<String> {
    let Some(prefix) = name.strip_suffix('*').filter(|name| name.ends_with('/')) else {
        return name.eq_ignore_ascii_case(key).then(|| name.to_owned());
    };
    let (head, rest) = key.split_at_checked(prefix.len())?;
    (head.eq_ignore_ascii_case(prefix) && !rest.is_empty()).then(|| format!("{prefix}{rest}"))
}

/// What parameters of a scope are about.
fn subject(scope: Scope) -> &'static str {
    match scope {
        Scope::Volume => "volume",
        Scope::Creation => "creation of a volume",
        Scope::Snapshot => "snapshot",
        Scope::GroupSnapshot => "group snapshot",
        Scope::Modification => "modification",
    }
}

/// How a parameter of a scope is called.
fn kind(scope: Scope) -> &'static str {
    match scope {
        Scope::Volume => "volume",
        Scope::Creation => "creation",
        Scope::Snapshot => "snapshot",
        Scope::GroupSnapshot => "group snapshot",
        Scope::Modification => "modification",
    }
}

fn unknown(description: &Description, scope: Scope, key: &str) -> DriverError {
    let likeness = |parameter: &&Parameter| {
        strsim::jaro_winkler(
            &parameter.name.to_ascii_lowercase(),
            &key.to_ascii_lowercase(),
        )
    };
    let nearest = of_scope(description, scope).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = nearest
        .map(|parameter| format!("; did you mean {:?}?", parameter.name))
        .unwrap_or_default();
    DriverError::invalid_argument(format!(
        "driver {} knows no {} parameter {key:?}{hint}",
        description.name,
        kind(scope)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_described_with_a_star_takes_any_ending_in_the_users_spelling() {
        assert_eq!(
            spelling("diskTags/*", "disktags/Team"),
            Some("diskTags/Team".into())
        );
        assert_eq!(spelling("diskTags/*", "diskTags/"), None);
        assert_eq!(spelling("diskTags/*", "diskTags"), None);
        assert_eq!(spelling("type", "TYPE"), Some("type".into()));
    }

    fn description() -> Description {
        let parameter = |name: &str, need| Parameter {
            name: name.into(),
            scope: Scope::Volume,
            need,
            default: None,
            meaning: format!("the {name}"),
        };
        Description {
            name: "nfs".into(),
            version: "1.0.0".into(),
            summary: String::new(),
            parameters: vec![
                parameter("server", Need::Required),
                parameter("mountOptions", Need::Optional),
            ],
        }
    }

    fn given(pairs: &[(&str, &str)]) -> Parameters {
        Parameters::new(
            pairs
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
        )
    }

    #[test]
    fn any_case_becomes_the_guests_spelling() {
        let spelled = spelled(
            &description(),
            Scope::Volume,
            &given(&[("SERVER", "a"), ("mountoptions", "ro")]),
        )
        .expect("known");
        assert_eq!(
            spelled.pairs(),
            [
                ("server".into(), "a".into()),
                ("mountOptions".into(), "ro".into())
            ]
        );
    }

    #[test]
    fn a_word_of_the_hosts_reaches_only_guests_that_know_it() {
        let mut knowing = description();
        let parameter = Parameter {
            name: "readonly".into(),
            need: Need::Optional,
            ..knowing.parameters[0].clone()
        };
        let given = given(&[("server", "a"), ("ReadOnly", "true")]);
        assert_eq!(
            spelled(&description(), Scope::Volume, &given)
                .expect("the host's")
                .pairs(),
            [("server".into(), "a".into())]
        );
        knowing.parameters.push(parameter);
        assert_eq!(
            spelled(&knowing, Scope::Volume, &given)
                .expect("known")
                .get("readonly"),
            Some("true")
        );
    }

    #[test]
    fn unknown_and_missing_parameters_are_named() {
        let error = spelled(
            &description(),
            Scope::Volume,
            &given(&[("server", "a"), ("mountOption", "x")]),
        )
        .expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "driver nfs knows no volume parameter \"mountOption\"; did you mean \"mountOptions\"?"
        );
        let error = spelled(&description(), Scope::Volume, &given(&[])).expect_err("missing");
        assert_eq!(
            error.to_string(),
            "the volume lacks parameter \"server\" of driver nfs: the server"
        );
    }

    #[test]
    fn where_a_volume_is_known_by_its_id_parameters_may_be_missing_but_not_unknown() {
        let known = |pairs: &[(&str, &str)]| known(&description(), Scope::Volume, &given(pairs));
        assert!(known(&[]).expect("nothing needed").pairs().is_empty());
        assert!(known(&[("sever", "a")]).is_err());
    }

    #[test]
    fn each_scope_has_words_of_its_own() {
        let creation = Parameter {
            name: "pool".into(),
            scope: Scope::Creation,
            need: Need::Required,
            default: None,
            meaning: "where to make it".into(),
        };
        let mut both = description();
        both.parameters.push(creation);
        let spelled = |given: &[(&str, &str)]| spelled(&both, Scope::Creation, &self::given(given));
        assert_eq!(
            spelled(&[("Pool", "a")]).expect("known").pairs(),
            [("pool".into(), "a".into())]
        );
        for (given, words) in [
            (
                &[("pool", "a"), ("server", "b")][..],
                "knows no creation parameter \"server\"; did you mean \"pool\"?",
            ),
            (
                &[("pool", "a"), ("readOnly", "true")],
                "knows no creation parameter \"readOnly\"",
            ),
            (&[], "the creation of a volume lacks parameter \"pool\""),
        ] {
            let error = spelled(given).expect_err("refused").to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
