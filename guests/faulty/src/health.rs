//! All volumes are well.

use drivebay_guest::exports::volume_health;
use drivebay_guest::exports::volume_health_listing::{self, VolumeHealthPage};
use drivebay_guest::page::cut;
use drivebay_guest::prelude::*;

use crate::{Faulty, breaks, existing, pool};

impl volume_health::Guest for Faulty {
    fn get_volume_health(id: String) -> Result<Vec<HealthCondition>, Error> {
        existing(&pool()?, &id)?;
        let made_up = || HealthCondition::degraded("Unattached", format!("nobody has volume {id}"));
        Ok(breaks("no-health-is-made-up")
            .then(made_up)
            .into_iter()
            .collect())
    }
}

impl volume_health_listing::Guest for Faulty {
    fn list_volume_health(
        max_entries: u32,
        token: Option<String>,
    ) -> Result<VolumeHealthPage, Error> {
        let (_none, next_token) = cut(Vec::new(), token.as_deref(), max_entries)?;
        Ok(VolumeHealthPage {
            volumes: Vec::new(),
            next_token,
        })
    }
}
