//! Whose files are believed.

use std::sync::OnceLock;

use nix::unistd::geteuid;

/// Whom a user namespace shows as the owner of what belongs to nobody in it (/proc/sys/kernel/overflowuid).
const UNMAPPED: u32 = 65_534;

/// Whether what that user may do to a file is no news: it is this process's own user, or root, who could do anything
/// anyway. Where a host does not run as root, all that a pod is given, as ConfigMaps, Secrets and its image, is root's.
pub(super) fn is_trusted(owner: u32) -> bool {
    is_trusted_by(geteuid().as_raw(), owner) || (owner == UNMAPPED && is_one_persons())
}

/// Whether this process is in a user namespace that a person made for himself, as `unshare --map-root-user` does. Root's
/// files cannot be told from other people's there, and whom somebody deceives is that person alone.
fn is_one_persons() -> bool {
    static ONE_PERSONS: OnceLock<bool> = OnceLock::new();
    *ONE_PERSONS.get_or_init(|| {
        let map = std::fs::read_to_string("/proc/self/uid_map");
        map.is_ok_and(|map| maps_one_person(&map))
    })
}

/// Of each range: the first user inside, who that is outside, and how many there are (user_namespaces(7)).
fn maps_one_person(map: &str) -> bool {
    let mut words = map.split_whitespace().skip(1);
    let (outside, number) = (words.next(), words.next());
    outside.is_some_and(|outside| outside != "0") && number == Some("1") && words.next().is_none()
}

/// For whoever is told that a file is somebody else's: whose it would have to be.
pub(super) fn whose() -> String {
    match geteuid().as_raw() {
        0 => "user 0".to_owned(),
        own => format!("user 0 or user {own}"),
    }
}

fn is_trusted_by(own: u32, owner: u32) -> bool {
    owner == 0 || owner == own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_trusted_by_everybody_and_everybody_else_by_himself_alone() {
        for (own, owner, is_trusted) in [
            (0, 0, true),
            (65_532, 0, true),
            (65_532, 65_532, true),
            (0, 65_532, false),
            (65_532, 65_534, false),
        ] {
            assert_eq!(is_trusted_by(own, owner), is_trusted, "{own} {owner}");
        }
    }

    #[test]
    fn a_namespace_of_one_user_is_told_from_that_of_a_machine_a_pod_and_roots() {
        for (map, is_one_persons) in [
            ("         0       1000          1\n", true),
            ("         0          0 4294967295\n", false),
            ("         0     100000      65536\n", false),
            ("         0          0          1\n", false),
            (
                "         0       1000          1\n         1     100000      65536\n",
                false,
            ),
            ("", false),
        ] {
            assert_eq!(maps_one_person(map), is_one_persons, "{map:?}");
        }
    }
}
