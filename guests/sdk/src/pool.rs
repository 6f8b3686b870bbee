//! A granted directory whose directories are volumes, and the files in its `.drivebay` that say what is in it.
//!
//! What is written down about the volume `music` lies in `.drivebay/music.KIND`, with the kind of each
//! [`Record`](crate::records::Record).

use crate::bindings::files::Directory;
use crate::bindings::mounts;
use crate::bindings::types::{Access, Error};
use crate::error::missing_is_none;
use crate::records::Record;
use crate::store::MODE;
use crate::sub_dir::HIDDEN;
use crate::tree::{FILE, Tree};

/// An open pool.
#[derive(Debug)]
pub struct Pool {
    name: String,
    /// The directory.
    pub directory: Directory,
}

impl Pool {
    /// The directory that the operator granted by that name.
    pub fn open(name: &str) -> Result<Self, Error> {
        let directory = mounts::open_directory(name)?;
        let name = name.into();
        Ok(Self { name, directory })
    }

    /// Whether the volume is there.
    pub fn holds(&self, volume: &str) -> Result<bool, Error> {
        match self.directory.readdir(volume) {
            Err(Error::Exhausted(_)) => Ok(true),
            listed => Ok(missing_is_none(listed)?.is_some()),
        }
    }

    /// `not-found` if the volume is not there.
    pub fn require(&self, volume: &str) -> Result<(), Error> {
        ensure!(self.holds(volume)?, NotFound: "pool {} has no volume {volume}", self.name);
        Ok(())
    }

    /// Make a volume, empty or as a copy of another one of the pool, unless it is there. A copy appears whole or not at all,
    /// so a volume that is there is finished.
    pub fn fill(&self, volume: &str, source: Option<&str>, mode: u32) -> Result<(), Error> {
        if self.holds(volume)? {
            return Ok(());
        }
        match source {
            None => self.directory.mkdir(volume, mode),
            Some(source) => self.directory.copy_tree(source, volume),
        }
    }

    /// The volumes of which there is such a record, sorted.
    pub fn with<R: Record>(&self) -> Result<Vec<String>, Error> {
        let entries = missing_is_none(self.directory.readdir(HIDDEN))?.unwrap_or_default();
        let files = entries.iter().filter(|entry| entry.kind == FILE);
        let volumes = files.filter_map(|file| file.name.strip_suffix(R::KIND)?.strip_suffix('.'));
        let mut volumes: Vec<String> = volumes.map(String::from).collect();
        volumes.sort();
        Ok(volumes)
    }

    /// What is written down of that kind about a volume.
    pub fn record<R: Record>(&self, volume: &str) -> Result<Option<R>, Error> {
        self.tree().record(&path::<R>(volume))
    }

    /// Write it down, unless something is: of two who try, both get what the first one wrote.
    pub fn add<R: Record>(&self, volume: &str, record: R) -> Result<R, Error> {
        self.directory.mkdir(HIDDEN, MODE)?;
        self.tree().add_record(&path::<R>(volume), record)
    }

    /// Write what has become of it.
    pub fn replace<R: Record>(&self, volume: &str, record: &R) -> Result<(), Error> {
        self.directory
            .write_file(&path::<R>(volume), &record.to_bytes())
    }

    /// Nothing of that kind is written down any more.
    pub fn remove<R: Record>(&self, volume: &str) -> Result<(), Error> {
        self.directory.remove_tree(&path::<R>(volume))
    }

    /// A file of the operator's in our directory, as text; nothing where there is none.
    pub fn operators_file(&self, name: &str) -> Result<Option<String>, Error> {
        let path = format!("{HIDDEN}/{name}");
        let Some(bytes) = missing_is_none(self.directory.read_file(&path))? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).ok();
        let unread = || error!(Internal: "cannot read {path} of pool {}: it is no text", self.name);
        text.map(Some).ok_or_else(unread)
    }

    /// Give a volume to a node, unless another one has it; `volume_id` is for messages. The host makes a file only if there
    /// is none, so of two nodes one gets it.
    ///
    /// `failed-precondition`: another node uses it. `already-exists`: this one does, with other access.
    pub fn claim(&self, volume: &str, volume_id: &str, wanted: &Claim) -> Result<(), Error> {
        let claim = self.add(volume, wanted.clone())?;
        ensure!(claim.node == wanted.node, FailedPrecondition: "cannot attach volume {volume_id} to node {}: node {} \
            uses it", wanted.node, claim.node);
        ensure!(claim == *wanted, AlreadyExists: "volume {volume_id} is attached to node {} with other access; detach \
            it first", claim.node);
        Ok(())
    }

    /// `failed-precondition` unless the node has the volume still.
    pub fn require_claim(&self, volume: &str, volume_id: &str, node: &str) -> Result<(), Error> {
        match self.claimed_by(volume)? {
            Some(holder) if holder == node => Ok(()),
            Some(holder) => {
                bail!(FailedPrecondition: "volume {volume_id} is now used by node {holder}")
            }
            None => bail!(FailedPrecondition: "volume {volume_id} is no longer attached"),
        }
    }

    /// Take a volume from a node, or from whichever has it where the name is empty, as CSI does. A node that does not have
    /// it is success.
    pub fn release(&self, volume: &str, node: &str) -> Result<(), Error> {
        match self.claimed_by(volume)? {
            Some(holder) if node.is_empty() || holder == node => self.remove::<Claim>(volume),
            Some(_) | None => Ok(()),
        }
    }

    /// The node that has a volume.
    pub fn claimed_by(&self, volume: &str) -> Result<Option<String>, Error> {
        Ok(self.record::<Claim>(volume)?.map(|claim| claim.node))
    }

    fn tree(&self) -> &dyn Tree {
        &self.directory
    }
}

/// Where it is. No volume's name begins with a dot.
fn path<R: Record>(volume: &str) -> String {
    format!("{HIDDEN}/{volume}.{}", R::KIND)
}

/// Which node uses a volume, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// As the host names it.
    pub node: String,
    /// Whether it may write.
    pub access: Access,
}

impl Record for Claim {
    const KIND: &'static str = "claim";

    fn to_bytes(&self) -> Vec<u8> {
        let access = match self.access {
            Access::ReadOnly => "ro",
            Access::ReadWrite => "rw",
        };
        format!("{access}\n{}", self.node).into_bytes()
    }

    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let text = String::from_utf8(bytes).ok()?;
        let (access, node) = text.split_once('\n')?;
        let access = match access {
            "ro" => Access::ReadOnly,
            "rw" => Access::ReadWrite,
            _ => return None,
        };
        let node = node.into();
        Some(Self { node, access })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_survives_its_file() {
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let claim = Claim {
                node: "node-1".into(),
                access,
            };
            assert_eq!(Claim::parse(claim.to_bytes()), Some(claim));
        }
        assert_eq!(Claim::parse("xx\nnode-1".into()), None);
    }
}
