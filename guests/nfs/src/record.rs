//! What is written down about volumes and snapshots: a word and its value on each line. Pure.
//!
//! Words that are not known are kept out of the way, so that a later version may add some.

use crate::bindings::drivebay::driver::types::{Error, VolumeSource};
use crate::sub_dir::SubDir;

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    /// It was begun; what is there so far is nothing yet.
    Making,
    Ready,
    /// Removing it was begun; what is there still is nothing any more.
    Deleting,
}

impl State {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Making, "making"),
        (Self::Ready, "ready"),
        (Self::Deleting, "deleting"),
    ];
}

/// Something of which a record is kept.
pub(crate) trait Record: Sized {
    /// The directory of such records.
    const KIND: &'static str;
    fn to_fields(&self) -> Fields;
    fn from_fields(fields: &Fields) -> Option<Self>;

    fn to_bytes(&self) -> Vec<u8> {
        self.to_fields().to_text().into_bytes()
    }

    /// `internal` for a file that is none of ours; `path` is for the message.
    fn from_bytes(path: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        let text = String::from_utf8(bytes).ok();
        text.and_then(|text| Self::from_fields(&Fields::parse(&text)))
            .ok_or_else(|| {
                Error::Internal(format!(
                    "{path} on the share is corrupt: somebody changed it"
                ))
            })
    }
}

/// What a volume was made as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VolumeRecord {
    pub(crate) state: State,
    pub(crate) id: String,
    /// The whole name it was made for.
    pub(crate) name: String,
    pub(crate) sub_dir: SubDir,
    /// A promise: NFS has no quota that a client could set. 0 where nothing was asked for.
    pub(crate) capacity_bytes: u64,
    pub(crate) mode: Option<u32>,
    pub(crate) source: Option<VolumeSource>,
}

/// What a snapshot was cut as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SnapshotRecord {
    pub(crate) state: State,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) source_volume_id: String,
    /// Of the archive; 0 until it is there.
    pub(crate) size_bytes: u64,
    pub(crate) created_at_seconds: u64,
}

impl Record for VolumeRecord {
    const KIND: &'static str = "volumes";

    fn to_fields(&self) -> Fields {
        let mut fields = Fields::default();
        fields.add_state(self.state);
        fields.add("id", &self.id);
        fields.add("name", &self.name);
        fields.add("directory", self.sub_dir.as_str());
        fields.add("capacity-bytes", &self.capacity_bytes.to_string());
        if let Some(mode) = self.mode {
            fields.add("mode", &format!("{mode:o}"));
        }
        match &self.source {
            Some(VolumeSource::Snapshot(id)) => fields.add("source-snapshot", id),
            Some(VolumeSource::Volume(id)) => fields.add("source-volume", id),
            None => {}
        }
        fields
    }

    fn from_fields(fields: &Fields) -> Option<Self> {
        let snapshot = fields.get("source-snapshot").map(VolumeSource::Snapshot);
        let volume = fields.get("source-volume").map(VolumeSource::Volume);
        let mode = match fields.get("mode") {
            Some(mode) => Some(u32::from_str_radix(&mode, 8).ok()?),
            None => None,
        };
        Some(Self {
            state: fields.state()?,
            id: fields.get("id")?,
            name: fields.get("name")?,
            sub_dir: SubDir::parse("directory", &fields.get("directory")?).ok()?,
            capacity_bytes: fields.get("capacity-bytes")?.parse().ok()?,
            mode,
            source: snapshot.or(volume),
        })
    }
}

impl Record for SnapshotRecord {
    const KIND: &'static str = "snapshots";

    fn to_fields(&self) -> Fields {
        let mut fields = Fields::default();
        fields.add_state(self.state);
        fields.add("id", &self.id);
        fields.add("name", &self.name);
        fields.add("source-volume", &self.source_volume_id);
        fields.add("size-bytes", &self.size_bytes.to_string());
        fields.add("created-at-seconds", &self.created_at_seconds.to_string());
        fields
    }

    fn from_fields(fields: &Fields) -> Option<Self> {
        Some(Self {
            state: fields.state()?,
            id: fields.get("id")?,
            name: fields.get("name")?,
            source_volume_id: fields.get("source-volume")?,
            size_bytes: fields.get("size-bytes")?.parse().ok()?,
            created_at_seconds: fields.get("created-at-seconds")?.parse().ok()?,
        })
    }
}

/// Words and their values.
#[derive(Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    fn add(&mut self, word: &str, value: &str) {
        self.0.push((word.into(), value.into()));
    }

    fn add_state(&mut self, state: State) {
        if let Some((_, word)) = State::ALL.iter().find(|(one, _)| *one == state) {
            self.add("state", word);
        }
    }

    fn get(&self, word: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(one, _)| one == word)?;
        Some(value.clone())
    }

    fn state(&self) -> Option<State> {
        let written = self.get("state")?;
        let (state, _) = State::ALL.iter().find(|(_, word)| *word == written)?;
        Some(*state)
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for (word, value) in &self.0 {
            // A name may hold line breaks.
            let value = value.replace('\\', "\\\\").replace('\n', "\\n");
            text += &format!("{word} {value}\n");
        }
        text
    }

    fn parse(text: &str) -> Self {
        // One that was cut off would end without a line break.
        let lines = text
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n')?.split_once(' '));
        Self(
            lines
                .map(|(word, value)| (word.into(), unescaped(value)))
                .collect(),
        )
    }
}

fn unescaped(value: &str) -> String {
    let mut plain = String::new();
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        plain.push(match c {
            '\\' if rest.clone().next() == Some('n') => {
                rest.next();
                '\n'
            }
            '\\' => rest.next().unwrap_or(c),
            c => c,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume() -> VolumeRecord {
        VolumeRecord {
            state: State::Making,
            id: "s#export#a/b#pvc-1#".into(),
            name: "a \\name\nwith \\n lines \\".into(),
            sub_dir: SubDir::parse("subDir", "a/b").expect("good"),
            capacity_bytes: 7,
            mode: Some(0o2770),
            source: Some(VolumeSource::Snapshot("s#export#x##y".into())),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let none = VolumeRecord {
            mode: None,
            source: None,
            state: State::Ready,
            ..volume()
        };
        for record in [volume(), none] {
            let read = VolumeRecord::from_bytes("r", record.to_bytes()).expect("ours");
            assert_eq!(read, record);
        }
        let record = SnapshotRecord {
            state: State::Deleting,
            id: "i".into(),
            name: "n".into(),
            source_volume_id: "v".into(),
            size_bytes: 1,
            created_at_seconds: 2,
        };
        let read = SnapshotRecord::from_bytes("r", record.to_bytes()).expect("ours");
        assert_eq!(read, record);
    }

    #[test]
    fn later_versions_may_add_words() {
        let text = [volume().to_bytes(), b"colour blue\n".to_vec()].concat();
        assert_eq!(VolumeRecord::from_bytes("r", text).expect("ours"), volume());
    }

    #[test]
    fn half_a_record_and_a_wrong_one_are_refused() {
        let whole = volume().to_bytes();
        let text = String::from_utf8(whole.clone()).expect("text");
        let cut = text.find("capacity-bytes 7").expect("there") + "capacity-bytes 7".len();
        let out = text.replace("a/b", "../b");
        for bad in [&whole[..cut], b"", b"\xff", out.as_bytes()] {
            assert!(matches!(
                VolumeRecord::from_bytes("r", bad.to_vec()),
                Err(Error::Internal(m)) if m.starts_with("r on the share")
            ));
        }
    }
}
