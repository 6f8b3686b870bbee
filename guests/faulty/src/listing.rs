//! Which volumes there are, and what room.

use drivebay_guest::exports::volume_listing::VolumePage;
use drivebay_guest::exports::{capacity, volume_listing};
use drivebay_guest::page::cut;
use drivebay_guest::prelude::*;

use crate::controller::info;
use crate::records::Made;
use crate::{Faulty, breaks, pool};

impl volume_listing::Guest for Faulty {
    fn list_volumes(max_entries: u32, token: Option<String>) -> Result<VolumePage, Error> {
        let pool = pool()?;
        let names = pool.with::<Made>()?;
        let (names, mut next_token) = match cut(names.clone(), token.as_deref(), max_entries) {
            Err(_) if breaks("wrong-tokens-are-told") => cut(names, None, max_entries)?,
            page => page?,
        };
        if breaks("lists-are-whole") {
            next_token = None;
        }
        let mut volumes = Vec::new();
        for name in names {
            if let Some(made) = pool.record(&name)? {
                volumes.push(info(format!("v-{name}"), made));
            }
        }
        Ok(VolumePage {
            volumes,
            next_token,
        })
    }
}

impl capacity::Guest for Faulty {
    fn available_capacity(_parameters: Parameters, _place: Option<Topology>) -> Result<u64, Error> {
        ensure!(!breaks("exports-work"), Unsupported: "nobody knows what room there is");
        Ok(pool()?.directory.statfs()?.available_bytes)
    }
}
