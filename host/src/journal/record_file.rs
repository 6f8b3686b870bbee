//! A volume's record as a file has it.

use std::io;
use std::path::PathBuf;

use serde::Deserialize;

use super::error::JournalError;
use super::record::{FORMAT, VolumeRecord};
use crate::sys::if_there;

/// Why a record cannot be had.
pub(super) enum Reason {
    Unreadable(io::Error),
    Later(u32),
    Corrupt(String),
}

/// What records of every format have.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
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
            Self::Later(found) => JournalError::Later {
                file,
                found,
                known: FORMAT,
            },
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
    let corrupt = |error: serde_json::Error| Reason::Corrupt(error.to_string());
    let record: VolumeRecord = match serde_json::from_slice(&bytes) {
        Ok(record) => record,
        // Later ones need not look like ours.
        Err(error) => match serde_json::from_slice(&bytes) {
            Ok(Versioned { format }) if format > FORMAT => return Err(Reason::Later(format)),
            _ => return Err(corrupt(error)),
        },
    };
    match record.format {
        FORMAT => Ok(record),
        later if later > FORMAT => Err(Reason::Later(later)),
        other => Err(Reason::Corrupt(format!(
            "it has format {other}, not {FORMAT}"
        ))),
    }
}
