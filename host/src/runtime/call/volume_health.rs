//! `volume-health`, `volume-health-listing`: how volumes are doing, as their backend knows it.

use super::validate::{Answered, Named, Shown};
use super::{CallSetup, Guest};
use crate::bindings::drivebay::driver::types as wit;
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::{DriverError, GuestText};
use crate::volume::{
    HealthCondition, PageToken, Severity, VolumeHealth, VolumeHealthPage, VolumeId,
};

/// Of one volume; no backend is known to tell more than a few.
const MAX_CONDITIONS: usize = 32;

/// CSI's bound on strings.
const LONGEST_REASON: usize = 128;

impl Guest {
    /// `volume-health.get-volume-health`
    pub fn get_volume_health(
        &self,
        setup: CallSetup,
        id: &VolumeId,
    ) -> Result<Vec<HealthCondition>, DriverError> {
        let said = self.call(setup, "get-volume-health", |store, instance| {
            let health = exports::volume_health::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            health.call_get_volume_health(&mut *store, &id.0)
        })?;
        conditions(self.answered("volume-health.get-volume-health"), said)
    }

    /// `volume-health-listing.list-volume-health`; 0 entries means as many as the guest likes.
    pub fn list_volume_health(
        &self,
        setup: CallSetup,
        max_entries: u32,
        from: Option<&PageToken>,
    ) -> Result<VolumeHealthPage, DriverError> {
        let said = self.call(setup, "list-volume-health", |store, instance| {
            let listing = exports::volume_health_listing::GuestIndices::new(&self.ready)?
                .load(&mut *store, instance)?;
            let token = from.map(|token| token.0.as_str());
            listing.call_list_volume_health(&mut *store, max_entries, token)
        })?;
        let answered = self.answered("volume-health-listing.list-volume-health");
        answered.page("volumes", said.volumes.len(), max_entries)?;
        let volumes = said.volumes.into_iter().map(|volume| {
            Ok(VolumeHealth {
                volume: VolumeId(answered.id("id", volume.id, Named::Known)?),
                conditions: conditions(answered, volume.conditions)?,
            })
        });
        Ok(VolumeHealthPage {
            volumes: volumes.collect::<Result<_, DriverError>>()?,
            next: answered.token(said.next_token, from)?,
        })
    }
}

/// Those of one volume, of which no two are the same to a program.
fn conditions(
    answered: Answered<'_>,
    said: Vec<wit::HealthCondition>,
) -> Result<Vec<HealthCondition>, DriverError> {
    answered.count("conditions", said.len(), MAX_CONDITIONS)?;
    let mut checked: Vec<HealthCondition> = Vec::with_capacity(said.len());
    for said in said {
        let condition = HealthCondition {
            severity: severity(answered, &said.severity)?,
            reason: reason(answered, said.reason)?,
            message: GuestText::sentence(&said.message).into(),
        };
        let is_same = |other: &HealthCondition| {
            (other.severity, &other.reason) == (condition.severity, &condition.reason)
        };
        if checked.iter().any(is_same) {
            let twice = format!("{} {} is there twice", said.severity, condition.reason);
            return Err(answered.wrong("conditions", twice));
        }
        checked.push(condition);
    }
    Ok(checked)
}

fn severity(answered: Answered<'_>, said: &str) -> Result<Severity, DriverError> {
    let known = Severity::NAMES.into_iter().find(|(name, _)| *name == said);
    known.map(|(_, severity)| severity).ok_or_else(|| {
        let names = Severity::NAMES.map(|(name, _)| name).join(", ");
        let shown = Shown(said);
        let reason = format!("{shown} is none that this host knows, which are {names}");
        answered.wrong("severity", reason)
    })
}

/// Programs compare it, and Kubernetes keeps it as a condition's reason.
fn reason(answered: Answered<'_>, said: String) -> Result<String, DriverError> {
    let begins = said.starts_with(|c: char| c.is_ascii_uppercase());
    let goes_on = said.bytes().all(|b| b.is_ascii_alphanumeric());
    if begins && goes_on && said.len() <= LONGEST_REASON {
        return Ok(said);
    }
    let shown = Shown(&said);
    let wrong = format!("{shown} is no word in CamelCase of at most {LONGEST_REASON} bytes");
    Err(answered.wrong("reason", wrong))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Description, Manifest};

    fn condition(severity: &str, reason: &str) -> wit::HealthCondition {
        wit::HealthCondition {
            severity: severity.to_owned(),
            reason: reason.to_owned(),
            message: "disk d-1 is locked".to_owned(),
        }
    }

    fn checked(said: Vec<wit::HealthCondition>) -> Result<Vec<HealthCondition>, String> {
        let manifest = Manifest {
            component_sha256: String::new(),
            code_sha256: String::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            description: Description::default(),
        };
        let answered = Answered::by(&manifest, "volume-health.get-volume-health");
        conditions(answered, said).map_err(|error| error.to_string())
    }

    #[test]
    fn conditions_that_programs_can_tell_apart_are_passed_on() {
        let told = checked(vec![
            condition("degraded", "DiskLocked"),
            condition("inaccessible", "DiskLocked"),
            condition("data-loss", "PlatterLost"),
        ]);
        let severities: Vec<Severity> = told.expect("sound").iter().map(|it| it.severity).collect();
        assert_eq!(
            severities,
            [
                Severity::Degraded,
                Severity::Inaccessible,
                Severity::DataLoss
            ]
        );
        assert!(checked(Vec::new()).expect("well").is_empty());
    }

    #[test]
    fn what_programs_could_not_read_is_a_wrong_answer() {
        let locked = || condition("degraded", "DiskLocked");
        for (said, words) in [
            (
                vec![condition("bad", "DiskLocked")],
                "wrong severity: \"bad\" is none",
            ),
            (vec![condition("degraded", "")], "wrong reason: "),
            (
                vec![condition("degraded", "disk locked")],
                "wrong reason: \"disk locked\"",
            ),
            (
                vec![condition("degraded", "Disk\nLocked")],
                "wrong reason: ",
            ),
            (vec![locked(), locked()], "DiskLocked is there twice"),
            (
                (0..33)
                    .map(|number| condition("degraded", &format!("R{number}")))
                    .collect(),
                "wrong conditions: there are 33, and 32 may be",
            ),
        ] {
            let error = checked(said).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }
}
