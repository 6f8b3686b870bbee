//! What room there is: what the pool's filesystem has, which all its volumes share.

use crate::Local;
use crate::bindings::drivebay::driver::types::{Error, Parameters, Topology};
use crate::bindings::exports::drivebay::driver::capacity::Guest;
use crate::options;
use crate::pool::Pool;

impl Guest for Local {
    fn available_capacity(parameters: Parameters, _place: Option<Topology>) -> Result<u64, Error> {
        let pool = Pool::open(&options::pool(&parameters))?;
        Ok(pool.directory.statfs()?.available_bytes)
    }
}
