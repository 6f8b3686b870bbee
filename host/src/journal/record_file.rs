//! A volume's record as a file has it.

use std::io;
use std::path::PathBuf;

use super::error::JournalError;
use super::record::{FORMAT, VolumeRecord};
use crate::sys::if_there;

/// Why a record cannot be had.
pub(super) enum Reason {
    Unreadable(io::Error),
    Corrupt(String),
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Reason {
    pub(super) fn of(self, file: PathBuf) -> JournalError {
        match self {
            Self::Unreadable(source) => JournalError::Unreadable { file, source },
            Self::Corrupt(reason) => JournalError::Corrupt { file, reason },
        }
    }
}

pub(super) fn read_record(file: PathBuf) -> Result<Option<VolumeRecord>, JournalError> {
    let bytes = if_there(std::fs::read(&file)).map_err(Reason::Unreadable);
    let record = bytes.and_then(|bytes| bytes.map(parse_record).transpose());
    record.map_err(|reason| reason.of(file))
}

pub(super) fn parse_record(bytes: Vec<u8>) -> Result<VolumeRecord, Reason> {
    let record: VolumeRecord =
        serde_json::from_slice(&bytes).map_err(|error| Reason::Corrupt(error.to_string()))?;
    if record.format != FORMAT {
        let reason = format!("it has format {}, not {FORMAT}", record.format);
        return Err(Reason::Corrupt(reason));
    }
    Ok(record)
}
