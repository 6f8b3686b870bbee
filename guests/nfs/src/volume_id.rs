//! Ids of volumes: `server#share#sub-directory#name#onDelete`. Pure.
//!
//! The form is that of Kubernetes' NFS driver, so that each finds the other's volumes. The name is there where the
//! sub-directory was chosen, and else is the sub-directory. `onDelete` is there where it says more than `delete`.

use drivebay_guest::ids::LONGEST_ID;
use drivebay_guest::layout::{self, OnDelete};
use drivebay_guest::name;
use drivebay_guest::prelude::*;
use drivebay_guest::remote_path::Export;

use crate::parameter_names as names;

/// Longer names are cut when an id has to be: those of Kubernetes' provisioner have 40 bytes.
const LONGEST_NAME: usize = 40;

/// A volume's id, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct VolumeId {
    pub(crate) export: Export,
    pub(crate) on_delete: OnDelete,
    /// The sub-directory, or, where it is too long, what no directory is called: the record has it then.
    sub_dir: String,
    /// Empty where the sub-directory has the volume's name.
    name: String,
}

impl VolumeId {
    /// For a new volume, with the directory it gets: that which was chosen, or one of its own name.
    pub(crate) fn made(
        export: Export,
        chosen: Option<SubDir>,
        name: &str,
        on_delete: OnDelete,
    ) -> Result<(Self, SubDir), Error> {
        let fixed = export.in_id().len() + in_id(on_delete).len() + "###".len();
        let room = LONGEST_ID.saturating_sub(fixed);
        let parts = match &chosen {
            None => name::fit(name, room).map(|sub_dir| (sub_dir, String::new())),
            Some(chosen) => chosen_parts(chosen.as_str(), name, room),
        };
        let (sub_dir, name) = parts.ok_or_else(|| export.no_room())?;
        let directory =
            chosen.map_or_else(|| SubDir::parse(names::SUB_DIR.name(), &sub_dir), Ok)?;
        Ok((
            Self {
                export,
                on_delete,
                sub_dir,
                name,
            },
            directory,
        ))
    }
}

impl layout::VolumeId for VolumeId {
    /// Also ids of other makers.
    fn parse(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.split('#').collect();
        let (server, share, sub_dir, name, on_delete) = match *parts.as_slice() {
            [server, share, sub_dir] => (server, share, sub_dir, "", ""),
            [server, share, sub_dir, name] => (server, share, sub_dir, name, ""),
            [server, share, sub_dir, name, on_delete] => (server, share, sub_dir, name, on_delete),
            // As that driver wrote them before version 3.
            [old] => {
                let (server, rest) = old.split_once('/')?;
                let (share, sub_dir) = rest.rsplit_once('/')?;
                (server, share, sub_dir, "", "")
            }
            _ => return None,
        };
        let sub_dir = SubDir::parse(names::SUB_DIR.name(), sub_dir).ok()?;
        Some(Self {
            export: Export::parse(server, share).ok()?,
            on_delete: OnDelete::read(names::ON_DELETE, on_delete).ok()?,
            sub_dir: sub_dir.as_str().into(),
            name: name.into(),
        })
    }

    fn export(&self) -> &Export {
        &self.export
    }

    fn name(&self) -> &str {
        match self.name.as_str() {
            "" => &self.sub_dir,
            name => name,
        }
    }

    fn sub_dir(&self) -> Result<SubDir, Error> {
        SubDir::parse(names::SUB_DIR.name(), &self.sub_dir)
    }

    fn has_own_directory(&self) -> bool {
        self.name.is_empty()
    }

    fn on_delete(&self) -> OnDelete {
        self.on_delete
    }

    fn with_on_delete(self, on_delete: OnDelete) -> Self {
        Self { on_delete, ..self }
    }

    fn is_same_volume(&self, other: &Self) -> bool {
        (&self.sub_dir, &self.name) == (&other.sub_dir, &other.name)
    }
}

impl std::fmt::Display for VolumeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (export, on_delete) = (self.export.in_id(), in_id(self.on_delete));
        write!(f, "{export}#{}#{}#{on_delete}", self.sub_dir, self.name)
    }
}

/// Left out where it says no more than nothing does.
fn in_id(on_delete: OnDelete) -> &'static str {
    match on_delete {
        OnDelete::Delete => "",
        OnDelete::Retain | OnDelete::Archive => on_delete.name(),
    }
}

/// The two parts that have to share the room: both as they are, or the name cut first.
fn chosen_parts(chosen: &str, name: &str, room: usize) -> Option<(String, String)> {
    let whole = name::fit(name, room.saturating_sub(chosen.len()));
    if let Some(whole) = whole.filter(|whole| whole == name) {
        return Some((chosen.into(), whole));
    }
    // Half of it at most: the other one needs as much at least.
    let name = name::fit(name, LONGEST_NAME.min(room / 2))?;
    let left = room - name.len();
    let sub_dir = match chosen.len() <= left {
        true => Some(chosen.into()),
        false => name::cut(chosen, left),
    };
    Some((sub_dir?, name))
}

#[cfg(test)]
mod tests {
    use drivebay_guest::layout::VolumeId as _;

    use super::*;

    fn made(
        share: &str,
        sub_dir: Option<&str>,
        name: &str,
        on_delete: OnDelete,
    ) -> (String, String) {
        let export = Export::parse("10.0.0.1", share).expect("good");
        let chosen = sub_dir.map(|s| SubDir::parse("subDir", s).expect("good"));
        let (id, directory) = VolumeId::made(export, chosen, name, on_delete).expect("room");
        (id.to_string(), directory.as_str().into())
    }

    #[test]
    fn ids_are_those_of_the_kubernetes_driver() {
        let (id, directory) = made("/export/data/", None, "pvc-1", OnDelete::Delete);
        assert_eq!(
            (id.as_str(), directory.as_str()),
            ("10.0.0.1#export/data#pvc-1##", "pvc-1")
        );
        let (id, directory) = made("/", Some("shop/data"), "pvc-1", OnDelete::Retain);
        assert_eq!(
            (id.as_str(), directory.as_str()),
            ("10.0.0.1##shop/data#pvc-1#retain", "shop/data")
        );
    }

    #[test]
    fn ids_of_every_age_are_read() {
        for (id, share, sub_dir, name, on_delete) in [
            (
                "s#export#pvc-1##",
                "/export",
                "pvc-1",
                "pvc-1",
                OnDelete::Delete,
            ),
            (
                "s#export#pvc-1",
                "/export",
                "pvc-1",
                "pvc-1",
                OnDelete::Delete,
            ),
            (
                "s##a/b#pvc-1#Archive",
                "/",
                "a/b",
                "pvc-1",
                OnDelete::Archive,
            ),
            (
                "s/export/data/pvc-1",
                "/export/data",
                "pvc-1",
                "pvc-1",
                OnDelete::Delete,
            ),
            (
                "[fd00::1]#export#pvc-1##retain",
                "/export",
                "pvc-1",
                "pvc-1",
                OnDelete::Retain,
            ),
        ] {
            let read = VolumeId::parse(id).expect(id);
            assert_eq!(read.export.share.to_string(), share, "{id}");
            assert_eq!(read.sub_dir().expect("good").as_str(), sub_dir, "{id}");
            assert_eq!((read.name(), read.on_delete), (name, on_delete), "{id}");
        }
    }

    #[test]
    fn what_is_no_id_is_no_volume() {
        for id in [
            "",
            "fake-vol-id",
            "s/pvc-1",
            "s#export",
            "s#export###",
            "s#export#..##",
            "s#../etc#a##",
            "s#export#.drivebay/volumes##",
            "#export#pvc-1##",
            "s#export#pvc-1##destroy",
            "s#export#pvc-1##retain#more",
        ] {
            assert!(VolumeId::parse(id).is_none(), "{id}");
        }
    }

    #[test]
    fn every_id_fits_and_is_read_back() {
        let long = "n".repeat(128);
        let deep = format!("{}/{}", "namespace".repeat(7), "claim".repeat(50));
        for (sub_dir, name) in [
            (None, long.as_str()),
            (None, "with # and /"),
            (Some("a/b"), &long),
            (Some("a/b"), "with # and /"),
            (Some(&deep), "pvc-1"),
            (Some(&deep), &long),
        ] {
            let (id, directory) = made("/exports/of/some/length", sub_dir, name, OnDelete::Archive);
            assert!(id.len() <= LONGEST_ID, "{id}");
            let read = VolumeId::parse(&id).expect("ours");
            assert_eq!(read.to_string(), id);
            assert!(name::keys(read.name()).contains(&name::key(name)), "{id}");
            assert_eq!(sub_dir.unwrap_or(&directory), directory);
        }
    }

    #[test]
    fn a_server_that_leaves_no_room_is_refused() {
        let export = Export::parse("s", &"x".repeat(110)).expect("good");
        assert!(matches!(
            VolumeId::made(export, None, "pvc-1234567890123456789", OnDelete::Delete),
            Err(Error::InvalidArgument(_))
        ));
    }
}
