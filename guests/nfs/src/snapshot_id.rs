//! Ids of snapshots: `server#share#directory#directory#source`. Pure.
//!
//! As Kubernetes' NFS driver has it, which keeps each snapshot as `SOURCE.tar.gz` in a directory of its own below the
//! share, and the source is the name of the volume. The directory's second mention says nothing; it is left out where
//! there is no room for it, and that driver reads such ids too.

use drivebay_guest::ids::LONGEST_ID;
use drivebay_guest::prelude::*;
use drivebay_guest::remote_path::Export;
use drivebay_guest::{layout, name};

/// Longer names are cut if the id has to be: those of Kubernetes' snapshotter have 45 bytes.
const LONGEST_NAME: usize = 45;

/// A snapshot's id, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotId {
    pub(crate) export: Export,
    directory: String,
    again: String,
    source: String,
}

impl SnapshotId {
    /// For a new snapshot of the volume of that name.
    pub(crate) fn made(export: Export, name: &str, source: &str) -> Result<Self, Error> {
        let room = LONGEST_ID.saturating_sub(export.in_id().len() + "###".len());
        let (directory, source) = parts(name, source, room).ok_or_else(|| export.no_room())?;
        let fits = 2 * directory.len() + source.len() <= room;
        let again = if fits {
            directory.clone()
        } else {
            String::new()
        };
        Ok(Self {
            export,
            directory,
            again,
            source,
        })
    }
}

impl layout::SnapshotId for SnapshotId {
    fn parse(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.split('#').collect();
        let [server, share, directory, again, source] = *parts.as_slice() else {
            return None;
        };
        for name in [directory, source] {
            let is_one = SubDir::parse("snapshot", name).is_ok_and(|plain| plain.as_str() == name);
            if !is_one || name.contains('/') {
                return None;
            }
        }
        Some(Self {
            export: Export::parse(server, share).ok()?,
            directory: directory.into(),
            again: again.into(),
            source: source.into(),
        })
    }

    fn export(&self) -> &Export {
        &self.export
    }

    fn directory(&self) -> &str {
        &self.directory
    }

    fn source(&self) -> &str {
        &self.source
    }

    /// The other driver's archive has the name of its volume.
    fn source_volume_id(&self) -> String {
        format!("{}#{}##", self.export.in_id(), self.source)
    }

    /// The other driver can be told not to compress.
    fn archives(&self) -> [String; 2] {
        let archive = format!("{}/{}.tar", self.directory, self.source);
        [archive.clone() + ".gz", archive]
    }
}

impl std::fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}#{}#{}#{}",
            self.export.in_id(),
            self.directory,
            self.again,
            self.source
        )
    }
}

/// Directory and source: both as they are, or the name cut first.
fn parts(name: &str, source: &str, room: usize) -> Option<(String, String)> {
    let kept = name::fit(source, room)?;
    let whole = room
        .checked_sub(kept.len())
        .and_then(|left| name::fit(name, left));
    if let Some(directory) = whole.filter(|whole| whole == name) {
        return Some((directory, kept));
    }
    let directory = name::fit(name, LONGEST_NAME.min(room / 2))?;
    let source = name::fit(source, room - directory.len())?;
    Some((directory, source))
}

#[cfg(test)]
mod tests {
    use drivebay_guest::layout::SnapshotId as _;

    use super::*;

    fn made(share: &str, name: &str, source: &str) -> SnapshotId {
        let export = Export::parse("10.0.0.1", share).expect("good");
        SnapshotId::made(export, name, source).expect("room")
    }

    #[test]
    fn ids_are_those_of_the_kubernetes_driver_where_they_fit() {
        let id = made("/export", "snap-1", "pvc-1");
        assert_eq!(id.to_string(), "10.0.0.1#export#snap-1#snap-1#pvc-1");
        assert_eq!(id.archive(), "snap-1/pvc-1.tar.gz");
        let snapshot = format!("snapshot-{}", "0".repeat(36));
        let volume = format!("pvc-{}", "1".repeat(36));
        let id = made("/export", &snapshot, &volume);
        assert_eq!(
            id.to_string(),
            format!("10.0.0.1#export#{snapshot}##{volume}")
        );
    }

    #[test]
    fn every_id_fits_and_is_read_back() {
        let long = "n".repeat(128);
        for (name, source) in [
            (long.as_str(), "pvc-1"),
            ("s", &long),
            (&long, &long),
            ("a/b", "c/d"),
            ("#", ".."),
        ] {
            let id = made("/exports/of/some/length", name, source);
            assert!(id.to_string().len() <= LONGEST_ID, "{id}");
            let read = SnapshotId::parse(&id.to_string()).expect("ours");
            assert_eq!(
                (read.to_string(), read.archive()),
                (id.to_string(), id.archive())
            );
            assert!(
                name::keys(read.directory()).contains(&name::key(name)),
                "{id}"
            );
        }
    }

    #[test]
    fn what_is_no_id_is_no_snapshot() {
        for id in [
            "",
            "fake-snapshot-id",
            "s#export#snap#pvc-1",
            "s#export#..#..#pvc-1",
            "s#export#snap#snap#../pvc-1",
            "s#export#a/b#a/b#pvc-1",
            "s#export#.drivebay##pvc-1",
            "s#export###pvc-1",
            "s#export#snap#snap#",
        ] {
            assert!(SnapshotId::parse(id).is_none(), "{id}");
        }
    }
}
