//! `[grants.mounts]`: which sources, filesystems, options and directories of the node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{Capability, GrantedOptions, Refusal, SourcePattern};

/// What may be mounted.
#[derive(Debug, Clone, Default)]
pub struct MountsGrant {
    /// Kernel names of filesystems for remote mounts.
    pub filesystems: Vec<String>,
    /// Servers and paths for remote mounts.
    pub sources: Vec<SourcePattern>,
    /// Mount options, but for the words that need no grant.
    pub options: GrantedOptions,
    /// Directories of the node that can be opened by name.
    pub directories: BTreeMap<String, PathBuf>,
}

impl MountsGrant {
    /// Whether the filesystem may be mounted.
    pub fn allows_filesystem(&self, fs_type: &str) -> Result<(), Refusal> {
        let granted = self.filesystems.iter().any(|name| name == fs_type);
        granted.then_some(()).ok_or_else(|| {
            refusal(
                format!("filesystem {fs_type:?}"),
                format!("grants.mounts.filesystems = {:?}", self.filesystems),
            )
        })
    }

    /// Whether the option may be used with that value.
    pub fn allows_option(&self, name: &str, value: Option<&str>) -> Result<(), Refusal> {
        self.options
            .allow("grants.mounts.options", name, value)
            .map_err(|(scope, grant)| refusal(scope, grant))
    }

    /// Whether any pattern could allow the source once its address is known. Asked before the name is
    /// resolved, so that a guest cannot send bytes out by asking for made-up names.
    pub fn could_allow_source(&self, server: &str, path: &str) -> Result<(), Refusal> {
        let possible = self
            .sources
            .iter()
            .any(|pattern| pattern.could_match(server, path));
        possible
            .then_some(())
            .ok_or_else(|| self.source_refusal(server, path))
    }

    /// Whether the source may be mounted from that address.
    pub fn allows_source(&self, server: &str, address: IpAddr, path: &str) -> Result<(), Refusal> {
        let granted = self
            .sources
            .iter()
            .any(|pattern| pattern.matches(server, address, path));
        granted
            .then_some(())
            .ok_or_else(|| self.source_refusal(server, path))
    }

    /// The directory granted under that name.
    pub fn directory(&self, name: &str) -> Result<&Path, Refusal> {
        self.directories
            .get(name)
            .map(PathBuf::as_path)
            .ok_or_else(|| {
                let names: Vec<_> = self.directories.keys().collect();
                refusal(
                    format!("directory {name:?}"),
                    format!("grants.mounts.directories has {names:?}"),
                )
            })
    }

    fn source_refusal(&self, server: &str, path: &str) -> Refusal {
        let patterns: Vec<_> = self.sources.iter().map(ToString::to_string).collect();
        refusal(
            format!("source {server:?} {path:?}"),
            format!("grants.mounts.sources = {patterns:?}"),
        )
    }
}

fn refusal(scope: String, grant: String) -> Refusal {
    Refusal {
        capability: Capability::Mounts,
        scope,
        grant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> MountsGrant {
        MountsGrant {
            filesystems: vec!["nfs".into()],
            sources: vec!["10.0.0.0/8:/exports/**".parse().expect("a pattern")],
            options: ["vers", "sec=sys"]
                .map(|text| text.parse().expect("an option"))
                .into_iter()
                .collect(),
            directories: BTreeMap::from([("pool".into(), PathBuf::from("/srv/pool"))]),
        }
    }

    #[test]
    fn what_is_granted_is_allowed() {
        let grant = grant();
        assert_eq!(grant.allows_filesystem("nfs"), Ok(()));
        assert_eq!(grant.allows_option("vers", Some("4.1")), Ok(()));
        assert_eq!(grant.allows_option("sec", Some("sys")), Ok(()));
        assert_eq!(grant.directory("pool"), Ok(Path::new("/srv/pool")));
        assert_eq!(
            grant.allows_source("filer", "10.1.2.3".parse().expect("ip"), "/exports/a"),
            Ok(())
        );
    }

    #[test]
    fn what_is_not_granted_is_refused_with_the_key_that_decides() {
        let grant = grant();
        let refusal = grant.allows_filesystem("cifs").expect_err("not granted");
        assert_eq!(
            refusal.to_string(),
            "filesystem \"cifs\" is not granted (grants.mounts.filesystems = [\"nfs\"])"
        );
        assert!(grant.allows_option("soft", None).is_err());
        assert_eq!(
            grant
                .allows_option("sec", Some("krb5"))
                .expect_err("not granted")
                .to_string(),
            "mount option \"sec=krb5\" is not granted (grants.mounts.options has \"sec=sys\")"
        );
        assert!(grant.directory("etc").is_err());
        assert!(
            grant
                .allows_source("filer", "192.0.2.1".parse().expect("ip"), "/exports/a")
                .is_err()
        );
        assert!(grant.could_allow_source("filer", "/other").is_err());
    }
}
