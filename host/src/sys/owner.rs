//! Whose files are believed.

use nix::unistd::geteuid;

/// Whether what that user may do to a file is no news: it is this process's own user, or root, who could do anything
/// anyway. Where a host does not run as root, all that a pod is given, as ConfigMaps, Secrets and its image, is root's.
pub(super) fn is_trusted(owner: u32) -> bool {
    is_trusted_by(geteuid().as_raw(), owner)
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
}
