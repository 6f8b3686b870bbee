//! A volume grows by a larger promise: directories share what their pool has.

use crate::Local;
use crate::bindings::drivebay::driver::types::{CapacityRange, Error, Volume};
use crate::bindings::exports::drivebay::driver::expansion::Guest;
use crate::options::Location;
use crate::pool::Pool;
use crate::state::{self, Record};

impl Guest for Local {
    fn expand_volume(volume: Volume, capacity: CapacityRange) -> Result<u64, Error> {
        let wanted = state::size(&capacity)?;
        let location = Location::of(&volume)?;
        let pool = Pool::open(&location.pool)?;
        pool.require(&location.directory)?;
        let Some(record) = pool.record(&location.directory)? else {
            return Err(Error::Unsupported(format!(
                "volume {} was made by hand and has no size",
                volume.id
            )));
        };
        let size_bytes = record.size_bytes.max(wanted);
        if !state::holds(&capacity, size_bytes) {
            return Err(Error::OutOfRange(format!(
                "volume {} has {size_bytes} bytes already, which is more than the limit",
                volume.id
            )));
        }
        if size_bytes > record.size_bytes {
            pool.replace_record(
                &location.directory,
                &Record {
                    size_bytes,
                    ..record
                },
            )?;
        }
        Ok(size_bytes)
    }
}
