//! What a process has to be allowed for a driver, by what its file grants: found out at the start of whoever serves, and
//! not by the first call that wants it.

use std::io;

use crate::config::DriverConfig;
use crate::error::DriverError;
use crate::sys::{Privilege, Privileges};
use crate::worker::server;

/// Whose calls a process answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The cluster's controllers'.
    Controller,
    /// A node's.
    Node,
    /// Both.
    All,
}

/// Something that a driver does, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// What parses the network's bytes is nobody, whom root has to become.
    Network,
    Mount,
}

impl Deed {
    fn takes(self, privileges: &Privileges) -> &'static [Privilege] {
        match self {
            // Whoever is not root is powerless already.
            Self::Network if privileges.user != 0 => &[],
            Self::Network => &[Privilege::SetUid, Privilege::SetGid],
            Self::Mount => &[Privilege::SysAdmin],
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Network => "to speak to the network as nobody",
            Self::Mount => "to mount",
        }
    }
}

impl Work {
    fn is_for_a_node(self) -> bool {
        self != Self::Controller
    }

    /// A share is mounted also where nothing but directories on it are made.
    fn deeds(self, config: &DriverConfig) -> Vec<Deed> {
        let grants = &config.grants;
        let mounts = grants.mounts.as_ref();
        let has_sources = mounts.is_some_and(|mounts| !mounts.sources.is_empty());
        let has_remote_keys = grants.signing.values().any(|key| key.source.is_remote());
        let network = has_sources || !grants.https.is_empty() || has_remote_keys;
        let is_mounted = mounts.is_some() || grants.block_devices.is_some();
        let mount = has_sources || (self.is_for_a_node() && is_mounted);
        let deeds = [(network, Deed::Network), (mount, Deed::Mount)];
        let wanted = deeds.into_iter().filter(|(is_wanted, _)| *is_wanted);
        wanted.map(|(_, deed)| deed).collect()
    }
}

/// The filesystems' own programs that are missing where disks are formatted, checked and grown, each with its package.
pub fn missing_programs(config: &DriverConfig, work: Work) -> Vec<String> {
    let disks = config.grants.block_devices.as_ref();
    let disks = disks.filter(|_| work.is_for_a_node());
    disks.map_or_else(Vec::new, |disks| {
        server::missing_programs(&disks.filesystems)
    })
}

/// Whether this process may do for the driver what its file grants.
///
/// # Errors
/// `failed-precondition` with what is missing, and what to add to a pod.
pub fn check_privileges(config: &DriverConfig, work: Work) -> Result<(), DriverError> {
    missing(config, work, Privileges::of_this_process())
        .map_or(Ok(()), |what| Err(DriverError::failed_precondition(what)))
}

fn missing(
    config: &DriverConfig,
    work: Work,
    privileges: io::Result<Privileges>,
) -> Option<String> {
    let driver = &config.name;
    let privileges = match privileges {
        Ok(privileges) => privileges,
        Err(error) => {
            return Some(format!(
                "driver {driver} cannot work in this process: /proc, by which workers are started, cannot be read ({error}); mount it"
            ));
        }
    };
    let lacks = |deed: &Deed| {
        let mut taken = deed.takes(&privileges).iter();
        taken.any(|privilege| !privileges.has(*privilege))
    };
    let deeds: Vec<Deed> = work.deeds(config).into_iter().filter(lacks).collect();
    if deeds.is_empty() {
        return None;
    }
    let taken = deeds.iter().flat_map(|deed| deed.takes(&privileges));
    let names: Vec<&str> = taken
        .filter(|privilege| !privileges.has(**privilege))
        .map(|privilege| privilege.name())
        .collect();
    let purposes: Vec<&str> = deeds.iter().map(|deed| deed.in_words()).collect();
    Some(format!(
        "driver {driver} cannot work in this process, which runs as {} without CAP_{} ({}); {} in the container's securityContext",
        whose(privileges.user),
        names.join(" and CAP_"),
        purposes.join(", "),
        remedy(&deeds, &names, work, privileges.user)
    ))
}

fn whose(user: u32) -> String {
    match user {
        0 => "root".to_owned(),
        user => format!("user {user}"),
    }
}

fn remedy(deeds: &[Deed], names: &[&str], work: Work, user: u32) -> String {
    let add = format!("add {} to capabilities.add", names.join(" and "));
    match (deeds, work.is_for_a_node()) {
        // Mounts reach pods by Bidirectional propagation, which Kubernetes gives to privileged containers alone.
        ([.., Deed::Mount], true) if user != 0 => {
            "set runAsUser: 0 and privileged: true".to_owned()
        }
        ([.., Deed::Mount], true) => "set privileged: true".to_owned(),
        ([.., Deed::Mount], false) if user != 0 => {
            "set runAsUser: 0, and add SYS_ADMIN, SETUID and SETGID to capabilities.add".to_owned()
        }
        ([Deed::Network], false) => format!("{add}, or set runAsUser: 65532, which needs neither,"),
        _ => add,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse_driver;

    const NFS: &str = "component = \"nfs\"\n[grants.mounts]\nfilesystems = [\"nfs\"]\nsources = [\"filer:/**\"]\n";
    const DISK: &str = "component = \"disk\"\n[grants.mounts]\n[grants.block-devices]\ndevices = [\"virtio-*\"]\nfilesystems = [\"ext4\"]\n[grants.https.api]\norigin = \"https://example.com\"\nmethods = [\"GET\"]\npaths = [\"/\"]\n";

    fn said(text: &str, work: Work, user: u32, has: &[Privilege]) -> Option<String> {
        let config = parse_driver(Path::new("/x/some.toml"), text).expect("valid");
        missing(&config, work, Ok(Privileges::of(user, has)))
    }

    const ALL: [Privilege; 3] = [Privilege::SetUid, Privilege::SetGid, Privilege::SysAdmin];

    #[test]
    fn whoever_has_what_the_grants_take_is_let_work() {
        for text in [NFS, DISK, "component = \"none\"\n"] {
            for work in [Work::Controller, Work::Node, Work::All] {
                assert_eq!(said(text, work, 0, &ALL), None, "{text}");
            }
        }
        let network = [Privilege::SetUid, Privilege::SetGid];
        assert_eq!(said(DISK, Work::Controller, 0, &network), None);
        assert_eq!(said(DISK, Work::Controller, 65_532, &[]), None);
        assert_eq!(said("component = \"none\"\n", Work::All, 65_532, &[]), None);
    }

    #[test]
    fn root_that_cannot_become_nobody_learns_both_ways_out() {
        assert_eq!(
            said(DISK, Work::Controller, 0, &[]).expect("missing"),
            "driver some cannot work in this process, which runs as root without CAP_SETUID and CAP_SETGID (to speak to the network as nobody); add SETUID and SETGID to capabilities.add, or set runAsUser: 65532, which needs neither, in the container's securityContext"
        );
        let half = said(DISK, Work::Controller, 0, &[Privilege::SetUid]).expect("missing");
        assert!(half.contains("without CAP_SETGID (to"), "{half}");
        assert!(half.contains("add SETGID to"), "{half}");
    }

    #[test]
    fn who_mounts_needs_more_on_a_node_and_for_shares_also_beside_controllers() {
        for (text, work, user, has, words) in [
            (
                NFS,
                Work::Node,
                0,
                &ALL[..2],
                "CAP_SYS_ADMIN (to mount); set privileged: true in",
            ),
            (
                NFS,
                Work::Node,
                7,
                &[],
                "user 7 without CAP_SYS_ADMIN (to mount); set runAsUser: 0 and privileged: true",
            ),
            (
                NFS,
                Work::Controller,
                0,
                &ALL[..2],
                "add SYS_ADMIN to capabilities.add in",
            ),
            (
                NFS,
                Work::Controller,
                7,
                &[],
                "set runAsUser: 0, and add SYS_ADMIN, SETUID and SETGID",
            ),
            (
                DISK,
                Work::All,
                65_532,
                &[],
                "set runAsUser: 0 and privileged: true",
            ),
            (
                DISK,
                Work::Node,
                0,
                &[],
                "CAP_SETUID and CAP_SETGID and CAP_SYS_ADMIN (to speak to the network as nobody, to mount)",
            ),
        ] {
            let said = said(text, work, user, has).expect(words);
            assert!(said.contains(words), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn without_proc_nobody_works() {
        let config = parse_driver(Path::new("/x/some.toml"), NFS).expect("valid");
        let said = missing(&config, Work::All, Err(io::Error::other("gone"))).expect("missing");
        assert!(
            said.contains("/proc") && said.ends_with("mount it"),
            "{said}"
        );
    }
}
