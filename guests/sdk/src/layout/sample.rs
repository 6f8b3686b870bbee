//! A backend for tests: one share, volumes `directory#name#on-delete` and snapshots `directory@volume`.

use std::fmt;

use super::{Layout, OnDelete, SnapshotId, VolumeId};
use crate::bindings::types::Error;
use crate::keywords::Keyword;
use crate::remote_path::Export;
use crate::sub_dir::SubDir;

/// The backend.
#[derive(Debug)]
pub(crate) struct Sample;

impl Layout for Sample {
    type VolumeId = SampleVolume;
    type SnapshotId = SampleSnapshot;
}

fn export() -> Export {
    Export::parse("s", "/export").expect("good")
}

#[derive(Clone, Debug)]
pub(crate) struct SampleVolume {
    export: Export,
    directory: String,
    name: String,
    on_delete: OnDelete,
}

impl VolumeId for SampleVolume {
    fn parse(id: &str) -> Option<Self> {
        let [directory, name, on_delete] = *id.split('#').collect::<Vec<_>>().as_slice() else {
            return None;
        };
        Some(Self {
            export: export(),
            directory: directory.into(),
            name: name.into(),
            on_delete: OnDelete::read("id", on_delete).ok()?,
        })
    }

    fn export(&self) -> &Export {
        &self.export
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn sub_dir(&self) -> Result<SubDir, Error> {
        SubDir::parse("id", &self.directory)
    }

    fn has_own_directory(&self) -> bool {
        self.directory == self.name
    }

    fn on_delete(&self) -> OnDelete {
        self.on_delete
    }

    fn with_on_delete(self, on_delete: OnDelete) -> Self {
        Self { on_delete, ..self }
    }

    fn is_same_volume(&self, other: &Self) -> bool {
        (&self.directory, &self.name) == (&other.directory, &other.name)
    }
}

impl fmt::Display for SampleVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_delete = self.on_delete.name();
        write!(f, "{}#{}#{on_delete}", self.directory, self.name)
    }
}

#[derive(Debug)]
pub(crate) struct SampleSnapshot {
    export: Export,
    directory: String,
    source: String,
}

impl SnapshotId for SampleSnapshot {
    fn parse(id: &str) -> Option<Self> {
        let (directory, source) = id.split_once('@')?;
        Some(Self {
            export: export(),
            directory: directory.into(),
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

    fn source_volume_id(&self) -> String {
        format!("{0}#{0}#delete", self.source)
    }

    fn archives(&self) -> [String; 2] {
        let Self {
            directory, source, ..
        } = self;
        ["tar.gz", "tar"].map(|suffix| format!("{directory}/{source}.{suffix}"))
    }
}

impl fmt::Display for SampleSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.directory, self.source)
    }
}
