//! The user's parameters against those that the guest describes: in its spelling, unknown and missing ones refused by
//! name.
//!
//! A volume that exists may carry words of others: of the driver that made it, and of whoever keeps notes beside it.
//! Those are left out rather than refused; a person's misspelt word is not among them, because it has neither a
//! domain in front of it nor a provisioner beside it.

use crate::error::DriverError;
use crate::store::{Description, Need, Parameter, Scope, host_word, is_qualified};
use crate::volume::Parameters;

/// What external-provisioner writes into the context of each volume that it had made. The other words there were
/// judged by the driver that made the volume, and nobody can mend them: a PersistentVolume's do not change.
/// Without it, a person wrote them.
pub(super) const PROVISIONER_IDENTITY: &str = "storage.kubernetes.io/csiProvisionerIdentity";

/// The parameters of one scope with the guest's spelling, and none missing.
///
/// # Errors
/// `invalid-argument` naming the first unknown, contradictory or missing parameter.
pub(super) fn validate(
    description: &Description,
    scope: Scope,
    given: &Parameters,
) -> Result<Parameters, DriverError> {
    let spelled = validate_partial(description, scope, given)?;
    let missing = description.of_scope(scope).find(|parameter| {
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
pub(super) fn validate_partial(
    description: &Description,
    scope: Scope,
    given: &Parameters,
) -> Result<Parameters, DriverError> {
    let (mut written, mut spelled) = (Vec::new(), Vec::new());
    let mut ignored = Vec::new();
    for (key, value) in given.pairs() {
        let name = match owner(description, scope, key, given) {
            Owner::Guest(name) => {
                spelled.push((name.clone(), value.clone()));
                name
            }
            Owner::Host(name) => name.to_owned(),
            Owner::Another => {
                ignored.push(key.as_str());
                continue;
            }
            Owner::Nobody => return Err(unknown(description, scope, key)),
        };
        refuse_second(scope, &written, key, &name)?;
        written.push((key, name));
    }
    log_ignored(&ignored);
    Ok(Parameters::new(spelled))
}

/// A bare key may also be one that a person misspelt in what a provisioner had written first.
fn log_ignored(keys: &[&str]) {
    let (qualified, bare): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| key.contains('/'));
    if !bare.is_empty() {
        tracing::info!(parameters.ignored = ?bare, "the driver has no such volume parameters; they are ignored, because the volume was made by a provisioner");
    }
    if !qualified.is_empty() {
        tracing::debug!(parameters.ignored = ?qualified, "some parameters of the volume are another program's");
    }
}

/// Whose word a key is.
enum Owner {
    /// The guest's, in its spelling.
    Guest(String),
    Host(&'static str),
    /// Of whoever made the volume, or wrote something down beside it: it was accepted once, and stays for as long
    /// as the volume lives.
    Another,
    Nobody,
}

fn owner(description: &Description, scope: Scope, key: &str, given: &Parameters) -> Owner {
    let spelled = description.spelling(scope, key);
    if let Some(name) = spelled {
        return Owner::Guest(name);
    }
    if scope != Scope::Volume {
        return Owner::Nobody;
    }
    match host_word(key) {
        Some(word) => Owner::Host(word),
        None if is_qualified(key) || given.get(PROVISIONER_IDENTITY).is_some() => Owner::Another,
        None => Owner::Nobody,
    }
}

/// What case alone tells apart is the same word, except behind the `*` of a parameter.
fn refuse_second(
    scope: Scope,
    written: &[(&String, String)],
    key: &str,
    name: &str,
) -> Result<(), DriverError> {
    match written.iter().find(|(_, known)| known == name) {
        None => Ok(()),
        Some((other, _)) => Err(DriverError::invalid_argument(format!(
            "the {} has {other:?} and {key:?}, which are the same parameter",
            subject(scope)
        ))),
    }
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
    let nearest = description
        .of_scope(scope)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = nearest
        .map(|parameter| format!("; did you mean {:?}?", parameter.name))
        .unwrap_or_default();
    DriverError::invalid_argument(format!(
        "driver {} has no {} parameter {key:?}{hint}",
        description.name,
        kind(scope)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::GuestText;

    fn description() -> Description {
        let parameter = |name: &str, need| Parameter {
            name: GuestText::name(name),
            scope: Scope::Volume,
            need,
            default: None,
            meaning: GuestText::sentence(&format!("the {name}")),
        };
        Description {
            name: GuestText::name("nfs"),
            version: GuestText::name("1.0.0"),
            summary: GuestText::default(),
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
        let spelled = validate(
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
            name: GuestText::name("readonly"),
            need: Need::Optional,
            ..knowing.parameters[0].clone()
        };
        let given = given(&[("server", "a"), ("ReadOnly", "true")]);
        assert_eq!(
            validate(&description(), Scope::Volume, &given)
                .expect("the host's")
                .pairs(),
            [("server".into(), "a".into())]
        );
        knowing.parameters.push(parameter);
        assert_eq!(
            validate(&knowing, Scope::Volume, &given)
                .expect("known")
                .get("readonly"),
            Some("true")
        );
    }

    #[test]
    fn unknown_and_missing_parameters_are_named() {
        let error = validate(
            &description(),
            Scope::Volume,
            &given(&[("server", "a"), ("mountOption", "x")]),
        )
        .expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "driver nfs has no volume parameter \"mountOption\"; did you mean \"mountOptions\"?"
        );
        let error = validate(&description(), Scope::Volume, &given(&[])).expect_err("missing");
        assert_eq!(
            error.to_string(),
            "the volume lacks parameter \"server\" of driver nfs: the server"
        );
    }

    #[test]
    fn a_volumes_words_that_others_wrote_are_left_out() {
        let partial =
            |pairs: &[(&str, &str)]| validate_partial(&description(), Scope::Volume, &given(pairs));
        let qualified = [
            ("server", "a"),
            (
                "csi.alibabacloud.com/label-prefix/topology.kubernetes.io/region",
                "cn-hangzhou",
            ),
            ("csi.alibabacloud.com/label-prefix/Team", "x"),
            ("csi.alibabacloud.com/label-prefix/team", "y"),
        ];
        let provisioned = [
            ("server", "a"),
            ("shared", "enable"),
            (
                "Storage.kubernetes.io/csiProvisionerIdentity",
                "1-2-nfs.csi.k8s.io",
            ),
        ];
        for pairs in [&qualified[..], &provisioned] {
            assert_eq!(
                partial(pairs).expect("left out").pairs(),
                [("server".into(), "a".into())]
            );
        }
    }

    #[test]
    fn a_persons_unknown_word_is_refused_and_so_is_anybodys_in_a_class() {
        for key in ["shared", "Example.com/a", "example/a", "example.com", "/a"] {
            assert!(
                validate_partial(&description(), Scope::Volume, &given(&[(key, "x")])).is_err(),
                "{key}"
            );
        }
        let qualified = given(&[("csi.alibabacloud.com/label-prefix/team", "x")]);
        for scope in [Scope::Creation, Scope::Snapshot, Scope::Modification] {
            assert!(validate_partial(&description(), scope, &qualified).is_err());
        }
    }

    #[test]
    fn one_parameter_in_two_cases_is_refused_and_two_endings_in_two_cases_are_two() {
        let mut tagged = description();
        tagged.parameters[1].name = GuestText::name("tags/*");
        let partial =
            |pairs: &[(&str, &str)]| validate_partial(&tagged, Scope::Volume, &given(pairs));
        for twice in ["server", "readOnly"] {
            let error = partial(&[(twice, "a"), (&twice.to_uppercase(), "b")]).expect_err(twice);
            assert!(error.to_string().contains("the same parameter"), "{error}");
        }
        let both = partial(&[("Tags/Team", "a"), ("tags/team", "b")]).expect("two");
        assert_eq!(both.pairs().len(), 2);
    }

    #[test]
    fn where_a_volume_is_known_by_its_id_parameters_may_be_missing_but_not_unknown() {
        let partial =
            |pairs: &[(&str, &str)]| validate_partial(&description(), Scope::Volume, &given(pairs));
        assert!(partial(&[]).expect("nothing needed").pairs().is_empty());
        assert!(partial(&[("sever", "a")]).is_err());
    }

    #[test]
    fn each_scope_has_words_of_its_own() {
        let creation = Parameter {
            name: GuestText::name("pool"),
            scope: Scope::Creation,
            need: Need::Required,
            default: None,
            meaning: GuestText::sentence("where to make it"),
        };
        let mut both = description();
        both.parameters.push(creation);
        let spelled =
            |given: &[(&str, &str)]| validate(&both, Scope::Creation, &self::given(given));
        assert_eq!(
            spelled(&[("Pool", "a")]).expect("known").pairs(),
            [("pool".into(), "a".into())]
        );
        for (given, words) in [
            (
                &[("pool", "a"), ("server", "b")][..],
                "has no creation parameter \"server\"; did you mean \"pool\"?",
            ),
            (
                &[("pool", "a"), ("readOnly", "true")],
                "has no creation parameter \"readOnly\"",
            ),
            (&[], "the creation of a volume lacks parameter \"pool\""),
        ] {
            let error = spelled(given).expect_err("refused").to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
