//! The words this driver understands, with their meanings: the host refuses any other, and prints these
//! lines as help.
//!
//! They come from two drivers whose volumes go on working: the NFS example of Kubernetes (`server`, `share`,
//! `protocol`, `atime`, `readonly`, `mountOptions`) and Alibaba's NAS (`server`, `path`, `vers`, `mode`,
//! `options`). `subPath` and `createSubPath` are ours.

use crate::bindings::exports::drivebay::driver::identity::{
    Parameter, ParameterScope, Requirement,
};

pub(crate) const SERVER: &str = "server";
pub(crate) const SHARE: &str = "share";
pub(crate) const PATH: &str = "path";
pub(crate) const SUB_PATH: &str = "subPath";
pub(crate) const CREATE_SUB_PATH: &str = "createSubPath";
pub(crate) const MODE: &str = "mode";
pub(crate) const READONLY: &str = "readonly";
pub(crate) const VERS: &str = "vers";
pub(crate) const PROTOCOL: &str = "protocol";
pub(crate) const ATIME: &str = "atime";
pub(crate) const MOUNT_OPTIONS: &str = "mountOptions";
pub(crate) const OPTIONS: &str = "options";

/// All of them, as `describe` answers.
pub(crate) fn described() -> Vec<Parameter> {
    vec![
        required(SERVER, "Host name or address of the NFS server."),
        optional(SHARE, None, "Directory of the server; it has to exist."),
        optional(
            PATH,
            Some("/, where share is absent"),
            "Directory of the server, made where it is missing; instead of share, for Alibaba Cloud NAS.",
        ),
        optional(
            SUB_PATH,
            None,
            "Directory below share or path that is the volume.",
        ),
        optional(
            CREATE_SUB_PATH,
            Some("false; true with path"),
            "Whether a missing directory is made: below share, or anywhere with path.",
        ),
        optional(
            MODE,
            None,
            "Octal permission bits for the volume's directory itself, set before each mount.",
        ),
        optional(
            READONLY,
            Some("false"),
            "Mount read-only, and change nothing on the server.",
        ),
        optional(
            VERS,
            Some("4.2, 4.1, 4.0, then 3; with path 3 first"),
            "NFS version: 3, 4, 4.0, 4.1 or 4.2; with 3, locks hold on one node only unless lock is in mountOptions.",
        ),
        optional(
            PROTOCOL,
            Some("tcp"),
            "Transport, tcp or udp; udp is for NFS 3 only, and few kernels still have it.",
        ),
        optional(ATIME, Some("true"), "false asks for noatime."),
        optional(
            MOUNT_OPTIONS,
            Some("hard; nolock with NFS 3; noresvport with path"),
            "Mount options, separated by commas, that add to the defaults or replace their opposites; none drops the defaults.",
        ),
        optional(
            OPTIONS,
            None,
            "Another name of mountOptions, for Alibaba Cloud NAS.",
        ),
    ]
}

fn required(name: &str, meaning: &str) -> Parameter {
    Parameter {
        need: Requirement::Required,
        ..optional(name, None, meaning)
    }
}

fn optional(name: &str, default: Option<&str>, meaning: &str) -> Parameter {
    Parameter {
        name: name.into(),
        scope: ParameterScope::Volume,
        need: Requirement::Optional,
        default: default.map(String::from),
        meaning: meaning.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_parameters_differ_in_case_only() {
        let mut names: Vec<String> = described().iter().map(|p| p.name.to_lowercase()).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_meaning_is_a_sentence() {
        for parameter in described() {
            assert!(parameter.meaning.ends_with('.'), "{}", parameter.name);
        }
    }
}
