//! Mount options from all the places where users write them, as one list without contradictions.
//!
//! Each word is kept with the place it came from, so that a contradiction can name both. What the kernel
//! makes of an option is not checked here, and whether it may be used is the grant's to say.

use crate::bindings::drivebay::driver::mounts::MountOption;
use crate::bindings::drivebay::driver::types::Error;
use crate::version::{self, Version};

/// Words for `/etc/fstab` and for `mount.nfs` rather than for the kernel, and those that every kernel since
/// 2.6.25 ignores. They stand in many volumes and change nothing, so they are left out.
const WITHOUT_EFFECT: [&str; 12] = [
    "_netdev", "auto", "bg", "comment", "defaults", "fg", "intr", "noauto", "nofail", "nointr",
    "retry", "user",
];

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

/// One option, and the parameter that asked for it.
#[derive(Debug)]
struct Written {
    name: String,
    value: Option<String>,
    origin: &'static str,
}

impl Written {
    fn text(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What the user asked for.
#[derive(Debug, Default)]
pub(crate) struct MountOptions {
    written: Vec<Written>,
}

impl MountOptions {
    /// Add options separated by commas. Saying the same twice is fine, contradicting is not.
    pub(crate) fn add(&mut self, origin: &'static str, list: &str) -> Result<(), Error> {
        for word in list.split(',').map(str::trim_ascii) {
            let (name, value) = canonical(word);
            if word.is_empty() || name.starts_with("x-") || WITHOUT_EFFECT.contains(&name.as_str())
            {
                continue;
            }
            self.add_one(Written {
                name,
                value,
                origin,
            })?;
        }
        Ok(())
    }

    fn add_one(&mut self, option: Written) -> Result<(), Error> {
        match self.deciding(subject(&option.name)) {
            None => self.written.push(option),
            Some(first) if first.text() == option.text() => {}
            Some(first) => {
                return Err(Error::InvalidArgument(format!(
                    "{} says {} and {} says {}: write one of them",
                    first.origin,
                    first.text(),
                    option.origin,
                    option.text(),
                )));
            }
        }
        Ok(())
    }

    /// Whether exactly this option was written.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.written.iter().any(|option| option.text() == text)
    }

    /// Take out the version, with the parameter that asked for it.
    pub(crate) fn take_version(&mut self) -> Option<(&'static str, String)> {
        let at = self
            .written
            .iter()
            .position(|option| option.name == "vers")?;
        let option = self.written.remove(at);
        Some((option.origin, option.value.unwrap_or_default()))
    }

    /// The whole list for the kernel.
    pub(crate) fn for_version(&self, version: Version, defaults: Defaults) -> Vec<MountOption> {
        let mut options = vec![("vers".into(), Some(version.into()))];
        for option in &self.written {
            // Read-write is what the host mounts unless told otherwise; as an option it would refuse it.
            if option.name != "rw" {
                options.push((option.name.clone(), option.value.clone()));
            }
        }
        for name in defaults.options(version) {
            if self.deciding(subject(name)).is_none() {
                options.push(((*name).into(), None));
            }
        }
        options
    }

    fn deciding(&self, about: &str) -> Option<&Written> {
        self.written
            .iter()
            .find(|option| subject(&option.name) == about)
    }
}

/// One spelling for each thing that has several.
fn canonical(word: &str) -> (String, Option<String>) {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let version = name.strip_prefix('v').filter(|v| version::is_known(v));
    match (name, value, version) {
        (_, None, Some(version)) => ("vers".into(), Some(version.into())),
        ("nfsvers", Some(version), _) => ("vers".into(), Some(version.into())),
        ("minorversion", Some(minor), _) => ("vers".into(), Some(format!("4.{minor}"))),
        ("tcp" | "udp" | "rdma", None, _) => ("proto".into(), Some(name.into())),
        _ => (name.into(), value.map(String::from)),
    }
}

/// What an option decides: two options with one subject contradict each other.
fn subject(name: &str) -> &str {
    match name {
        "rw" => "ro",
        "soft" | "softerr" => "hard",
        "local_lock" => "lock",
        "noatime" | "relatime" | "strictatime" => "atime",
        _ => name.strip_prefix("no").unwrap_or(name),
    }
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
        let texts: Vec<String> = options
            .for_version(version, defaults)
            .into_iter()
            .map(|(name, value)| {
                Written {
                    name,
                    value,
                    origin: "",
                }
                .text()
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
    fn soft_is_only_used_where_it_is_written() {
        assert_eq!(
            for_version("soft,timeo=50", "4.2", Defaults::Standard),
            "vers=4.2,soft,timeo=50"
        );
    }

    #[test]
    fn words_without_effect_are_left_out() {
        assert_eq!(
            for_version(
                "defaults, _netdev,intr,x-systemd.automount,,retry=5,bg",
                "4.2",
                Defaults::None
            ),
            "vers=4.2"
        );
    }

    #[test]
    fn read_write_is_not_asked_for_and_read_only_is() {
        assert_eq!(for_version("rw", "4.2", Defaults::None), "vers=4.2");
        assert_eq!(for_version("ro", "4.2", Defaults::None), "vers=4.2,ro");
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
        ] {
            let mut options = written(&[("options", list)]).expect("good options");
            assert_eq!(options.take_version(), Some(("options", "4.1".into())));
            assert_eq!(options.take_version(), None);
        }
    }

    #[test]
    fn read_write_is_not_passed_on() {
        assert_eq!(for_version("rw,acl", "4.2", Defaults::None), "vers=4.2,acl");
    }

    #[test]
    fn a_contradiction_names_both_sides() {
        assert_eq!(
            refusal(&[("vers", "vers=3"), ("mountOptions", "rw,nfsvers=4.1")]),
            "vers says vers=3 and mountOptions says vers=4.1: write one of them"
        );
    }

    #[test]
    fn opposites_contradict_each_other() {
        for list in [
            "hard,soft",
            "lock,nolock",
            "ro,rw",
            "resvport,noresvport",
            "tcp,udp",
            "rsize=1,rsize=2",
        ] {
            refusal(&[("mountOptions", list)]);
        }
        refusal(&[("mountOptions", "vers=4,minorversion=1")]);
    }
}
