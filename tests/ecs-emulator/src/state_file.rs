//! The cloud on disk: all of it once in a while, and after it each change.
//!
//! A change is there before anyone sees it, and costs what it changes: not what there is, which with thousands of disks
//! would keep a machine busier than the requests do. A killed emulator finds the last change or the one before.

use std::fs::File;
use std::io::{self, Write};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::cloud::Cloud;
use crate::cloud::changes::Changes;
use crate::files::Files;

/// All of it, as it was at some time.
const STATE: &str = "state.json";

/// Each change since then, a line each.
const CHANGES: &str = "changes.jsonl";

/// Changes that are larger together than this and than twice the state are made in it.
const MANY_BYTES: usize = 1 << 20;

/// Where the cloud is written down.
#[derive(Debug)]
pub(crate) struct StateFile {
    files: Files,
    /// None until all of it has been written by this run, and after a change that could not be written whole.
    changes: Option<Lines>,
}

#[derive(Debug)]
struct Lines {
    file: File,
    bytes: usize,
    most: usize,
}

impl StateFile {
    pub(crate) fn new(files: Files) -> Self {
        let changes = None;
        Self { files, changes }
    }

    /// The cloud of the earlier run; none if there was none.
    pub(crate) fn read(&self) -> Result<Option<Cloud>> {
        let Some(text) = self.files.read(STATE)? else {
            return Ok(None);
        };
        let unreadable = "the state cannot be read";
        let mut state: Map<String, Value> = serde_json::from_str(&text).context(unreadable)?;
        let changes = self.files.read(CHANGES)?.unwrap_or_default();
        // What has no end was being written when the run was killed: nobody saw that change.
        let whole = changes.rfind('\n').map_or("", |end| &changes[..end]);
        for line in whole.lines() {
            let changes: Changes = serde_json::from_str(line).context(unreadable)?;
            changes.apply(&mut state);
        }
        let cloud = serde_json::from_value(Value::Object(state)).context(unreadable)?;
        Ok(Some(cloud))
    }

    /// Writes down what has changed.
    pub(crate) fn write(&mut self, cloud: &mut Cloud) -> io::Result<()> {
        let changes = cloud.take_changes()?;
        // Whatever fails from here on, the next change is written with all that there is.
        let lines = self.changes.take().filter(Lines::are_few);
        self.changes = Some(match lines {
            Some(lines) => lines.and(&changes)?,
            None => self.write_whole(cloud)?,
        });
        Ok(())
    }

    /// A run that is killed between the two makes the changes in a state that has them already.
    fn write_whole(&self, cloud: &Cloud) -> io::Result<Lines> {
        let text = serde_json::to_string(cloud)?;
        self.files.write(STATE, &text)?;
        Ok(Lines {
            file: self.files.create(CHANGES)?,
            bytes: 0,
            most: MANY_BYTES.max(2 * text.len()),
        })
    }
}

impl Lines {
    fn are_few(&self) -> bool {
        self.bytes < self.most
    }

    fn and(mut self, changes: &Changes) -> io::Result<Self> {
        let mut line = serde_json::to_string(changes)?;
        line.push('\n');
        self.file.write_all(line.as_bytes())?;
        self.bytes += line.len();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    use jiff::Timestamp;

    use crate::cloud::disk::Making;
    use crate::words::{DiskId, InstanceId, RegionId, ZoneId};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn open(directory: &Path) -> StateFile {
        StateFile::new(Files::open(directory).unwrap())
    }

    fn cloud() -> Cloud {
        Cloud::new(RegionId::from("cn-hangzhou"), InstanceId::from("i-1"))
    }

    /// Makes an instance, whose system disk is the cloud's newest.
    fn add(cloud: &mut Cloud, number: usize) -> DiskId {
        let id = InstanceId::from(format!("i-{number}"));
        cloud.add_instance(&id, &ZoneId::from("cn-hangzhou-g"), NOW);
        let newest = cloud.disks.values().max_by_key(|disk| disk.sequence);
        newest.unwrap().id.clone()
    }

    #[track_caller]
    fn is_read_back(directory: &Path, cloud: &Cloud) {
        let read = open(directory).read().unwrap().unwrap();
        let [read, cloud] = [&read, cloud].map(|cloud| serde_json::to_value(cloud).unwrap());
        assert_eq!(read, cloud);
    }

    #[test]
    fn each_change_is_there_once_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let (mut state, mut cloud) = (open(directory.path()), cloud());
        assert!(state.read().unwrap().is_none());
        state.write(&mut cloud).unwrap();
        is_read_back(directory.path(), &cloud);
        let disk = add(&mut cloud, 1);
        state.write(&mut cloud).unwrap();
        is_read_back(directory.path(), &cloud);
        cloud.disks.get_mut(&disk).unwrap().making = Making::Underway;
        cloud.knobs.delay_ms = 7;
        state.write(&mut cloud).unwrap();
        is_read_back(directory.path(), &cloud);
        cloud.disks.remove(&disk);
        state.write(&mut cloud).unwrap();
        is_read_back(directory.path(), &cloud);
    }

    #[test]
    fn a_run_goes_on_with_what_another_wrote() {
        let directory = tempfile::tempdir().unwrap();
        let mut cloud = cloud();
        for number in 0..3 {
            let mut state = open(directory.path());
            for change in 0..3 {
                add(&mut cloud, 3 * number + change);
                state.write(&mut cloud).unwrap();
            }
            is_read_back(directory.path(), &cloud);
        }
    }

    #[test]
    fn a_change_that_was_being_written_when_the_run_was_killed_never_was() {
        let directory = tempfile::tempdir().unwrap();
        let (mut state, mut cloud) = (open(directory.path()), cloud());
        for number in 0..2 {
            add(&mut cloud, number);
            state.write(&mut cloud).unwrap();
        }
        let file = directory.path().join(CHANGES);
        let before = cloud.clone();
        let whole = fs::read(&file).unwrap().len();
        add(&mut cloud, 2);
        state.write(&mut cloud).unwrap();
        let written = fs::read(&file).unwrap();
        for end in [whole, whole + 1, written.len() - 1] {
            fs::write(&file, &written[..end]).unwrap();
            is_read_back(directory.path(), &before);
        }
    }

    #[test]
    fn changes_that_the_state_has_already_do_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let (mut state, mut cloud) = (open(directory.path()), cloud());
        for number in 0..3 {
            add(&mut cloud, number);
            state.write(&mut cloud).unwrap();
        }
        let gone = add(&mut cloud, 3);
        state.write(&mut cloud).unwrap();
        cloud.disks.remove(&gone);
        state.write(&mut cloud).unwrap();
        // As of a run that was killed between the two.
        state.write_whole(&cloud).map(drop).unwrap();
        let text = fs::read_to_string(directory.path().join(STATE)).unwrap();
        assert!(!text.contains(gone.as_str()));
        is_read_back(directory.path(), &cloud);
    }

    #[test]
    fn changes_do_not_outgrow_the_state() {
        let directory = tempfile::tempdir().unwrap();
        let (mut state, mut cloud) = (open(directory.path()), cloud());
        let disk = add(&mut cloud, 1);
        let size = |name: &str| fs::metadata(directory.path().join(name)).map_or(0, |it| it.len());
        for number in 0..2000 {
            cloud.disks.get_mut(&disk).unwrap().name = number.to_string();
            state.write(&mut cloud).unwrap();
            assert!(size(CHANGES) < 2 * MANY_BYTES as u64);
        }
        is_read_back(directory.path(), &cloud);
    }
}
