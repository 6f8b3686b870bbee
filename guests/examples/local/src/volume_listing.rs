//! Which volumes there are.

use crate::Local;
use crate::bindings::drivebay::driver::types::Error;
use crate::bindings::exports::drivebay::driver::volume_listing::{Guest, VolumePage};
use crate::controller;
use crate::options::{self, Location};
use crate::page::Page;
use crate::pool::Pool;

impl Guest for Local {
    /// The volumes of the default pool: which others are granted, a guest cannot ask.
    fn list_volumes(max_entries: u32, starting_token: Option<String>) -> Result<VolumePage, Error> {
        let name = options::pool(&[]);
        let pool = Pool::open(&name)?;
        let page = Page::cut(pool.volumes()?, starting_token.as_deref(), max_entries)?;
        let mut volumes = Vec::new();
        for directory in page.names {
            let location = Location {
                pool: name.clone(),
                directory,
            };
            // A volume may be deleted while it is being listed.
            if let Some(record) = pool.record(&location.directory)? {
                volumes.push(controller::info(&pool, &location, &record)?);
            }
        }
        Ok(VolumePage {
            volumes,
            next_token: page.next_token,
        })
    }
}
