//! The user's words against the guest's: spelled its way, unknown and missing ones refused by name.

use crate::error::DriverError;
use crate::runtime::{Description, Need, Parameter, Scope};
use crate::volume::Parameters;

/// Words that the host acts on by itself, for every driver. A guest may know them too; it need not.
const HOST_WORDS: [&str; 1] = ["readOnly"];

/// The volume's parameters with the guest's spelling.
///
/// # Errors
/// `invalid-argument` naming the first unknown, contradictory or missing parameter.
pub(super) fn spelled(
    description: &Description,
    given: &Parameters,
) -> Result<Parameters, DriverError> {
    let known: Vec<&Parameter> = description
        .parameters
        .iter()
        .filter(|parameter| parameter.scope == Scope::Volume)
        .collect();
    let parameter = |key: &str| {
        known
            .iter()
            .find(|parameter| parameter.name.eq_ignore_ascii_case(key))
    };
    let is_hosts = |key: &str| HOST_WORDS.iter().any(|word| word.eq_ignore_ascii_case(key));
    let for_guest = given
        .pairs()
        .iter()
        .filter(|(key, _)| parameter(key).is_some() || !is_hosts(key));
    let pairs = for_guest.map(|(key, value)| {
        parameter(key)
            .map(|parameter| (parameter.name.clone(), value.clone()))
            .ok_or_else(|| unknown(description, &known, key))
    });
    let spelled = Parameters::new(pairs.collect::<Result<_, _>>()?);
    match known.iter().find(|parameter| {
        parameter.need == Need::Required && spelled.get(&parameter.name).is_none()
    }) {
        None => Ok(spelled),
        Some(missing) => Err(DriverError::invalid_argument(format!(
            "the volume lacks parameter {:?} of driver {}: {}",
            missing.name, description.name, missing.meaning
        ))),
    }
}

fn unknown(description: &Description, known: &[&Parameter], key: &str) -> DriverError {
    let likeness = |parameter: &&&Parameter| {
        strsim::jaro_winkler(
            &parameter.name.to_ascii_lowercase(),
            &key.to_ascii_lowercase(),
        )
    };
    let nearest = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = nearest
        .map(|parameter| format!("; did you mean {:?}?", parameter.name))
        .unwrap_or_default();
    DriverError::invalid_argument(format!(
        "driver {} knows no volume parameter {key:?}{hint}",
        description.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            spelled(&description(), &given).expect("the host's").pairs(),
            [("server".into(), "a".into())]
        );
        knowing.parameters.push(parameter);
        assert_eq!(
            spelled(&knowing, &given).expect("known").get("readonly"),
            Some("true")
        );
    }

    #[test]
    fn unknown_and_missing_parameters_are_named() {
        let error = spelled(
            &description(),
            &given(&[("server", "a"), ("mountOption", "x")]),
        )
        .expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "driver nfs knows no volume parameter \"mountOption\"; did you mean \"mountOptions\"?"
        );
        let error = spelled(&description(), &given(&[])).expect_err("missing");
        assert_eq!(
            error.to_string(),
            "the volume lacks parameter \"server\" of driver nfs: the server"
        );
    }
}
