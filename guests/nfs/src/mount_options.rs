//! Mount options of NFS: their spellings, their versions, and what is added where the user did not decide otherwise. Pure.

use drivebay_guest::mount_options::{Dialect, Written};
use drivebay_guest::mounts::MountOption;
use drivebay_guest::types::Error;

use crate::version::{self, Version};

/// What the user asked for.
pub(crate) type MountOptions = drivebay_guest::mount_options::MountOptions<Nfs>;

/// NFS's dialect of them.
#[derive(Debug)]
pub(crate) struct Nfs;

/// What a version is made of.
const VERSION: [&str; 2] = ["vers", "minorversion"];

impl Dialect for Nfs {
    /// Words for `mount.nfs` rather than for the kernel, and those that every kernel since 2.6.25 ignores. They stand in
    /// many volumes and change nothing. So does the host with what every filesystem knows, such as `_netdev`.
    const WITHOUT_EFFECT: &'static [&'static str] = &["bg", "fg", "intr", "nointr", "retry"];

    /// mount.nfs takes one version, wherever it is written.
    const SINGLE: &'static [&'static str] = &VERSION;

    fn canonical(name: &str, value: Option<&str>) -> Option<(&'static str, String)> {
        let version = name.strip_prefix('v').filter(|v| version::is_known(v));
        match (name, value, version) {
            (_, None, Some(version)) | ("nfsvers", Some(version), _) => {
                Some(("vers", version.into()))
            }
            ("tcp" | "udp" | "rdma", None, _) => Some(("proto", name.into())),
            _ => None,
        }
    }

    fn subject(name: &str) -> &str {
        match name {
            "rw" => "ro",
            "soft" | "softerr" => "hard",
            "noatime" | "relatime" | "strictatime" => "atime",
            _ => name.strip_prefix("no").unwrap_or(name),
        }
    }
}

/// What is added where the user did not decide otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Defaults {
    /// For every share.
    Standard,
    /// For volumes of Alibaba's driver.
    Nas,
    /// The user wrote `none`.
    None,
}

impl Defaults {
    /// `hard`, because with `soft` a server that is slow for a while makes writes fail, and few programs
    /// notice. How long a request waits (`timeo`) is left to the kernel, whose default differs by transport.
    ///
    /// `nolock` for NFS 3: its lock manager needs `rpc.statd`, which nobody starts where `mount.nfs` is not
    /// used. Locks then hold on one node only; where it does run, users may write `lock`.
    ///
    /// `noresvport` as Alibaba's driver has it: after a broken connection a new port may be used at once, and
    /// volumes are not limited by the few hundred privileged ports. Not for every share, because Linux
    /// servers refuse such ports unless the export says `insecure`.
    fn options(self, version: Version) -> &'static [&'static str] {
        match (self, version::is_4(version)) {
            (Self::Standard, true) => &["hard"],
            (Self::Standard, false) => &["hard", "nolock"],
            (Self::Nas, true) => &["hard", "noresvport"],
            (Self::Nas, false) => &["hard", "nolock", "noresvport"],
            (Self::None, _) => &[],
        }
    }
}

/// Take out the version, with the parameter that asked for it. `vers=4` and `minorversion=1` are one: 4.1, for the kernel
/// and for `mount.nfs`.
pub(crate) fn take_version(
    options: &mut MountOptions,
) -> Result<Option<(&'static str, String)>, Error> {
    let decision = |option: Written| (option.origin, option.value.unwrap_or_default());
    let [version, minor] = VERSION.map(|name| options.take(name));
    let Some(minor) = minor else {
        return Ok(version.map(decision));
    };
    let whole = format!("4.{}", minor.text_of_value());
    match version {
        None => Ok(Some((minor.origin, whole))),
        Some(version) if version.text() == "vers=4" => Ok(Some((minor.origin, whole))),
        Some(version) if version.text_of_value() == whole => Ok(Some(decision(version))),
        // To the kernel it says nothing then.
        Some(version) if minor.text_of_value() == "0" && version.text() == "vers=3" => {
            Ok(Some(decision(version)))
        }
        Some(version) => Err(version.contradicts(&minor)),
    }
}

/// The whole list for the kernel.
pub(crate) fn for_version(
    options: &MountOptions,
    version: Version,
    defaults: Defaults,
) -> Vec<MountOption> {
    let mut list = vec![("vers".into(), Some(version.into()))];
    list.extend(options.to_list());
    for name in defaults.options(version) {
        let about = Nfs::subject(name);
        // Which locks are local can be said beside `lock` and `nolock`, and instead of them.
        let is_decided =
            options.decides(about) || (about == "lock" && options.decides("local_lock"));
        if !is_decided {
            list.push(((*name).into(), None));
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(lists: &[(&'static str, &str)]) -> Result<MountOptions, Error> {
        let mut options = MountOptions::default();
        for (origin, list) in lists {
            options.add(origin, list)?;
        }
        Ok(options)
    }

    fn for_version(list: &str, version: Version, defaults: Defaults) -> String {
        let options = written(&[("mountOptions", list)]).expect("good options");
        let texts: Vec<String> = super::for_version(&options, version, defaults)
            .into_iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{name}={value}"),
                None => name,
            })
            .collect();
        texts.join(",")
    }

    fn refusal(lists: &[(&'static str, &str)]) -> String {
        match written(lists) {
            Err(Error::InvalidArgument(message)) => message,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_volume_without_options_is_mounted_hard() {
        assert_eq!(for_version("", "4.2", Defaults::Standard), "vers=4.2,hard");
    }

    #[test]
    fn version_3_goes_without_the_lock_manager_unless_the_user_wants_it() {
        assert_eq!(
            for_version("", "3", Defaults::Standard),
            "vers=3,hard,nolock"
        );
        assert_eq!(
            for_version("lock", "3", Defaults::Standard),
            "vers=3,lock,hard"
        );
        assert_eq!(
            for_version("local_lock=flock", "3", Defaults::Standard),
            "vers=3,local_lock=flock,hard"
        );
        assert_eq!(
            for_version("nolock,local_lock=flock", "3", Defaults::None),
            "vers=3,nolock,local_lock=flock"
        );
    }

    #[test]
    fn alibaba_style_volumes_use_unprivileged_ports_unless_the_user_objects() {
        assert_eq!(
            for_version("", "4.0", Defaults::Nas),
            "vers=4.0,hard,noresvport"
        );
        assert_eq!(
            for_version("resvport", "4.0", Defaults::Nas),
            "vers=4.0,resvport,hard"
        );
    }

    #[test]
    fn none_leaves_the_version_alone() {
        assert_eq!(for_version("", "3", Defaults::None), "vers=3");
    }

    #[test]
    fn a_label_in_quotes_is_one_option_whatever_commas_it_has() {
        let label = "context=\"system_u:object_r:container_file_t:s0:c1,c2\"";
        assert_eq!(
            for_version(&format!("nconnect=4,{label},acl"), "4.2", Defaults::None),
            format!("vers=4.2,nconnect=4,{label},acl")
        );
        let other = "context=\"system_u:object_r:container_file_t:s0:c3,c4\"";
        refusal(&[("mountOptions", label), ("options", other)]);
    }

    #[test]
    fn soft_is_only_used_where_it_is_written() {
        assert_eq!(
            for_version("soft,timeo=50", "4.2", Defaults::Standard),
            "vers=4.2,soft,timeo=50"
        );
    }

    #[test]
    fn words_without_effect_are_left_out() {
        assert_eq!(
            for_version("intr, nointr,,retry=5,bg,_netdev", "4.2", Defaults::None),
            "vers=4.2,_netdev",
            "the host leaves out what every filesystem knows"
        );
    }

    #[test]
    fn every_spelling_of_a_transport_is_one_option() {
        assert_eq!(
            for_version("tcp,proto=tcp", "3", Defaults::None),
            "vers=3,proto=tcp"
        );
    }

    #[test]
    fn every_spelling_of_a_version_is_one_option() {
        for list in [
            "vers=4.1",
            "nfsvers=4.1",
            "minorversion=1",
            "v4.1,nfsvers=4.1",
            "vers=4,minorversion=1",
            "minorversion=1,v4",
            "vers=4.1,minorversion=1",
        ] {
            let mut options = written(&[("options", list)]).expect("good options");
            assert_eq!(
                take_version(&mut options).expect("one"),
                Some(("options", "4.1".into()))
            );
            assert_eq!(take_version(&mut options).expect("none"), None);
        }
    }

    #[test]
    fn a_minor_version_may_stand_in_another_list() {
        let mut options =
            written(&[("vers", "vers=4"), ("mountOptions", "minorversion=0")]).expect("good");
        assert_eq!(
            take_version(&mut options).expect("one"),
            Some(("mountOptions", "4.0".into()))
        );
        let mut three = written(&[("mountOptions", "vers=3,minorversion=0")]).expect("good");
        assert_eq!(
            take_version(&mut three).expect("one"),
            Some(("mountOptions", "3".into()))
        );
    }

    #[test]
    fn a_contradiction_names_both_sides() {
        assert_eq!(
            refusal(&[("vers", "vers=3"), ("mountOptions", "rw,nfsvers=4.1")]),
            "vers says vers=3 and mountOptions says vers=4.1: write one of them"
        );
    }

    #[test]
    fn two_lists_must_not_contradict_each_other() {
        for (one, other) in [
            ("hard", "soft"),
            ("lock", "nolock"),
            ("ro", "rw"),
            ("nosuid", "suid"),
            ("resvport", "noresvport"),
            ("tcp", "udp"),
            ("rsize=1", "rsize=2"),
        ] {
            refusal(&[("mountOptions", one), ("options", other)]);
        }
    }

    #[test]
    fn within_one_list_the_later_counts() {
        for (list, left) in [
            ("soft,hard", "hard"),
            ("ro,rw", "rw"),
            ("rsize=1,rsize=2", "rsize=2"),
            ("udp,tcp", "proto=tcp"),
            ("noatime,acl,atime", "acl,atime"),
        ] {
            let text = for_version(list, "4.2", Defaults::None);
            assert_eq!(text, format!("vers=4.2,{left}"));
        }
    }

    #[test]
    fn versions_contradict_each_other_in_one_list_too() {
        refusal(&[("mountOptions", "vers=3,vers=4.1")]);
        refusal(&[("mountOptions", "minorversion=1,minorversion=2")]);
        for list in ["vers=4.1,minorversion=2", "vers=3,minorversion=1"] {
            let mut options = written(&[("mountOptions", list)]).expect("read");
            assert!(matches!(
                take_version(&mut options),
                Err(Error::InvalidArgument(message)) if message.contains("minorversion")
            ));
        }
    }
}
