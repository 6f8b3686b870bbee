//! Which volumes there are, and what room for more.

use drivebay_guest::exports::volume_listing::VolumePage;
use drivebay_guest::exports::{capacity, volume_listing};
use drivebay_guest::page::cut;
use drivebay_guest::pool::Pool;
use drivebay_guest::prelude::*;

use crate::Local;
use crate::controller;
use crate::location::{self, Location};
use crate::records::Made;

impl volume_listing::Guest for Local {
    /// The volumes of the default pool: which others are granted, a guest cannot ask.
    fn list_volumes(max_entries: u32, starting_token: Option<String>) -> Result<VolumePage, Error> {
        let name = location::pool(&[]);
        let pool = Pool::open(name)?;
        let made = pool.with::<Made>()?;
        let (names, next_token) = cut(made, starting_token.as_deref(), max_entries)?;
        let mut volumes = Vec::new();
        for directory in names {
            // A volume may be deleted while it is being listed.
            if let Some(record) = pool.record(&directory)? {
                let location = Location::new(name, &directory);
                volumes.push(controller::info(&pool, &location, &record)?);
            }
        }
        Ok(VolumePage {
            volumes,
            next_token,
        })
    }
}

impl capacity::Guest for Local {
    /// What the pool's filesystem has, which all its volumes share.
    fn available_capacity(parameters: Parameters, _place: Option<Topology>) -> Result<u64, Error> {
        let pool = Pool::open(location::pool(&parameters))?;
        Ok(pool.directory.statfs()?.available_bytes)
    }
}
