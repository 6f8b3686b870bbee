//! What a new version takes away from those who use the active one: such a version waits for the operator.
//!
//! Judged by all that the active version can do and describes, not by the volumes that this node happens to have: the
//! nodes of a fleet are offered the same version, and all of them decide alike, whatever runs on them. To that comes
//! what only an earlier version did that still has volumes here, which are to be released as they were made.

use super::interface::Export;
use super::manifest::{Manifest, Need, Parameter, Scope, host_word};

/// In sentences for the operator, each thing once; empty where everything stays. `in_use` are the versions that journal
/// entries of this node name.
pub(super) fn what_it_takes_away(
    new: &Manifest,
    active: &Manifest,
    in_use: &[Manifest],
) -> Vec<String> {
    let known: Vec<&Manifest> = std::iter::once(active).chain(in_use).collect();
    let mut sentences = exports(new, &known);
    sentences.extend(parameters(new, &known));
    sentences.extend(requirements(new, active));
    sentences
}

fn exports(new: &Manifest, known: &[&Manifest]) -> Vec<String> {
    let lost = |export: &Export| !new.exports(*export);
    let sentence = |export: Export| {
        let by = known.iter().find(|version| version.exports(export))?;
        Some(format!(
            "it does not export {}, which version {} exports",
            export.name(),
            by.description.version
        ))
    };
    let all = Export::ALL.into_iter().filter(lost);
    all.filter_map(sentence).collect()
}

fn parameters(new: &Manifest, known: &[&Manifest]) -> Vec<String> {
    let mut lost: Vec<(&Parameter, &Manifest)> = Vec::new();
    for version in known {
        for parameter in &version.description.parameters {
            let is_named = lost.iter().any(|(named, _)| is_same(named, parameter));
            if !is_named && !is_known(new, parameter) {
                lost.push((parameter, version));
            }
        }
    }
    let sentence = |(parameter, by): (&Parameter, &Manifest)| {
        format!(
            "it has no parameter {:?} of a {}, which version {} has",
            parameter.name,
            parameter.scope.object(),
            by.description.version
        )
    };
    lost.into_iter().map(sentence).collect()
}

fn requirements(new: &Manifest, active: &Manifest) -> Vec<String> {
    let is_required = |parameter: &&Parameter| parameter.need == Need::Required;
    let was_required = |parameter: &Parameter| {
        let mut before = active.description.parameters.iter().filter(is_required);
        before.any(|before| is_same(before, parameter))
    };
    let required = new.description.parameters.iter().filter(is_required);
    required
        .filter(|parameter| has_users(active, parameter.scope) && !was_required(parameter))
        .map(|parameter| {
            format!(
                "it requires parameter {:?} of each {}, which version {} does not",
                parameter.name,
                parameter.scope.object(),
                active.description.version
            )
        })
        .collect()
}

fn is_same(one: &Parameter, other: &Parameter) -> bool {
    one.scope == other.scope && one.name.eq_ignore_ascii_case(&other.name)
}

/// One that is described as `tags/*` takes the place of `tags/team`; the host's own words work without a guest.
fn is_known(new: &Manifest, parameter: &Parameter) -> bool {
    let Parameter { scope, name, .. } = parameter;
    let is_hosts = *scope == Scope::Volume && host_word(name).is_some();
    is_hosts || new.description.spelling(*scope, name).is_some()
}

/// Nobody has a class yet of what the version cannot do: what a new interface requires is part of it.
fn has_users(version: &Manifest, scope: Scope) -> bool {
    match scope {
        Scope::Volume => true,
        Scope::Creation => version.exports(Export::Controller),
        Scope::Snapshot => version.exports(Export::Snapshots),
        Scope::GroupSnapshot => version.exports(Export::GroupSnapshots),
        Scope::Modification => version.exports(Export::Modification),
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::Description;
    use super::*;
    use crate::error::GuestText;

    fn manifest(version: &str, exports: &[&str], parameters: &[(&str, Scope, Need)]) -> Manifest {
        let parameter = |(name, scope, need): &(&str, Scope, Need)| Parameter {
            name: GuestText::name(name),
            scope: *scope,
            need: *need,
            default: None,
            meaning: GuestText::default(),
        };
        let export = |name: &&str| format!("drivebay:driver/{name}@0.1.0");
        Manifest {
            component_sha256: String::new(),
            code_sha256: String::new(),
            imports: Vec::new(),
            exports: exports.iter().map(export).collect(),
            description: Description {
                name: GuestText::name("nfs"),
                version: GuestText::name(version),
                summary: GuestText::default(),
                parameters: parameters.iter().map(parameter).collect(),
            },
        }
    }

    fn active() -> Manifest {
        manifest(
            "1",
            &["identity", "node", "controller"],
            &[
                ("server", Scope::Volume, Need::Required),
                ("tags/team", Scope::Volume, Need::Optional),
                ("readOnly", Scope::Volume, Need::Optional),
                ("pool", Scope::Creation, Need::Optional),
            ],
        )
    }

    #[test]
    fn what_has_more_takes_nothing_away() {
        let new = manifest(
            "2",
            &["identity", "node", "controller", "snapshots"],
            &[
                ("SERVER", Scope::Volume, Need::Optional),
                ("tags/*", Scope::Volume, Need::Optional),
                ("pool", Scope::Creation, Need::Optional),
                ("retention", Scope::Snapshot, Need::Required),
            ],
        );
        assert_eq!(what_it_takes_away(&new, &active(), &[active()]), [""; 0]);
        assert_eq!(what_it_takes_away(&active(), &active(), &[]), [""; 0]);
    }

    #[test]
    fn an_export_or_a_parameter_that_is_gone_is_named_once_with_the_version_that_has_it() {
        let new = manifest(
            "2",
            &["identity", "node"],
            &[
                ("server", Scope::Creation, Need::Optional),
                ("tags/team", Scope::Volume, Need::Optional),
            ],
        );
        assert_eq!(
            what_it_takes_away(&new, &active(), &[active()]),
            [
                "it does not export controller, which version 1 exports",
                "it has no parameter \"server\" of a PersistentVolume, which version 1 has",
                "it has no parameter \"pool\" of a StorageClass, which version 1 has",
            ]
        );
    }

    #[test]
    fn what_only_a_version_with_volumes_here_can_do_counts_too() {
        let earlier = manifest(
            "0.9",
            &["identity", "node", "attachment"],
            &[("export", Scope::Volume, Need::Optional)],
        );
        assert_eq!(
            what_it_takes_away(&active(), &active(), &[earlier]),
            [
                "it does not export attachment, which version 0.9 exports",
                "it has no parameter \"export\" of a PersistentVolume, which version 0.9 has",
            ]
        );
    }

    #[test]
    fn a_parameter_that_becomes_required_is_named() {
        let mut new = active();
        new.description.parameters[3].need = Need::Required;
        new.description.parameters.push(Parameter {
            name: GuestText::name("share"),
            ..new.description.parameters[0].clone()
        });
        assert_eq!(
            what_it_takes_away(&new, &active(), &[]),
            [
                "it requires parameter \"pool\" of each StorageClass, which version 1 does not",
                "it requires parameter \"share\" of each PersistentVolume, which version 1 does not",
            ]
        );
    }
}
