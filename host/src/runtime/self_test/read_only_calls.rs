//! Each function of the contract that only reads is called once, by whoever exports it, in an instance of its own.
//!
//! An error is a good answer: nothing is granted, and nothing of what is asked for exists. What is found here is a guest
//! that a caller would find broken at once: it traps, has no end, wants all memory, or answers what no caller may believe.
//! A guest that means harm can tell this pass from a call and behave; calls are checked as if there had been none.

use std::time::{Duration, Instant};

use crate::error::{DriverError, ErrorOrigin};
use crate::runtime::call::{AttachRequest, CallSetup, NobodysCall};
use crate::runtime::guest::Guest;
use crate::store::{Description, Export, Need, Scope};
use crate::sys::ThreadClock;
use crate::volume::{
    AccessMode, AccessType, GroupSnapshotId, NodeId, Parameters, SnapshotFilter, SnapshotId,
    VolumeCapability, VolumeId,
};

/// Of all calls together. Milliseconds are usual, and some hundred where a language's runtime has to start for each; what
/// more there is, is for machines from which others take the processors.
const CPU: Duration = Duration::from_secs(6);

/// By the clock: a guest that waits instead of computing is as useless.
const DEADLINE: Duration = Duration::from_secs(30);

/// The id of everything that is asked for. A plain word: a guest that takes ids apart finds nothing of its own in it.
const ID: &str = "self-test";

/// One function, and a call of it.
struct Trial {
    export: Export,
    function: &'static str,
    call: fn(&Guest, CallSetup, &Asked) -> Result<(), DriverError>,
}

/// What is asked for.
struct Asked {
    volume: VolumeId,
    node: NodeId,
    /// What the guest says that no volume is without.
    context: Parameters,
}

const TRIALS: [Trial; 16] = [
    Trial {
        export: Export::Node,
        function: "node.get-info",
        call: |guest, setup, _| guest.get_info(setup).map(drop),
    },
    Trial {
        export: Export::Node,
        function: "node.get-health",
        call: |guest, setup, asked| {
            let published = Parameters::default();
            guest
                .get_health(setup, &asked.volume, &asked.context, &published)
                .map(drop)
        },
    },
    Trial {
        export: Export::AttachLimit,
        function: "attach-limit.get-instance-type",
        call: |guest, setup, _| guest.get_instance_type(setup).map(drop),
    },
    Trial {
        export: Export::AttachLimit,
        function: "attach-limit.get-limit",
        call: |guest, setup, _| guest.get_limit(setup).map(drop),
    },
    Trial {
        export: Export::AttachLimit,
        function: "attach-limit.list-limits",
        call: |guest, setup, _| guest.list_limits(setup).map(drop),
    },
    Trial {
        export: Export::Accessibility,
        function: "accessibility.get-topology",
        call: |guest, setup, _| guest.get_topology(setup).map(drop),
    },
    Trial {
        export: Export::VolumeListing,
        function: "volume-listing.list-volumes",
        call: |guest, setup, _| guest.list_volumes(setup, 1, None).map(drop),
    },
    Trial {
        export: Export::VolumeHealth,
        function: "volume-health.get-volume-health",
        call: |guest, setup, asked| guest.get_volume_health(setup, &asked.volume).map(drop),
    },
    Trial {
        export: Export::VolumeHealthListing,
        function: "volume-health-listing.list-volume-health",
        call: |guest, setup, _| guest.list_volume_health(setup, 1, None).map(drop),
    },
    Trial {
        export: Export::Controller,
        function: "controller.get-volume",
        call: |guest, setup, asked| guest.get_volume(setup, &asked.volume).map(drop),
    },
    Trial {
        export: Export::Controller,
        function: "controller.validate-volume",
        call: |guest, setup, asked| {
            guest.validate_volume(setup, &asked.volume, &asked.context, &[mounted()])
        },
    },
    Trial {
        export: Export::Capacity,
        function: "capacity.available-capacity",
        call: |guest, setup, _| {
            let parameters = Parameters::default();
            guest.available_capacity(setup, &parameters, None).map(drop)
        },
    },
    Trial {
        export: Export::Attachment,
        function: "attachment.is-attached",
        call: |guest, setup, asked| {
            let request = AttachRequest {
                id: &asked.volume,
                context: &asked.context,
                publish_context: &Parameters::default(),
                node: &asked.node,
            };
            guest.is_attached(setup, &request).map(drop)
        },
    },
    Trial {
        export: Export::Snapshots,
        function: "snapshots.get-snapshot",
        call: |guest, setup, _| guest.get_snapshot(setup, &snapshot()).map(drop),
    },
    Trial {
        export: Export::SnapshotListing,
        function: "snapshot-listing.list-snapshots",
        call: |guest, setup, _| {
            let all = SnapshotFilter::default();
            guest.list_snapshots(setup, &all, 1, None).map(drop)
        },
    },
    Trial {
        export: Export::GroupSnapshots,
        function: "group-snapshots.get-group-snapshot",
        call: |guest, setup, _| {
            let group = GroupSnapshotId(ID.to_owned());
            guest
                .get_group_snapshot(setup, &group, &[snapshot()])
                .map(drop)
        },
    },
];

/// # Errors
/// That of the first function in which the guest broke down; its name is in the message.
pub(super) fn run(mut guest: Guest, nobodys_call: NobodysCall) -> Result<(), DriverError> {
    let asked = Asked {
        volume: VolumeId(ID.to_owned()),
        node: NodeId(ID.to_owned()),
        context: required(&guest.manifest.description),
    };
    let (clock, deadline) = (ThreadClock::now(), Instant::now() + DEADLINE);
    for trial in TRIALS {
        if !guest.manifest.exports(trial.export) {
            continue;
        }
        guest.limits.cpu = CPU.saturating_sub(clock.elapsed());
        guest.limits.deadline = DEADLINE;
        let outcome = (trial.call)(&guest, nobodys_call(deadline), &asked);
        match outcome.err().filter(broke_down) {
            None => {}
            Some(_) if clock.elapsed() >= CPU => {
                let bound = format!("{CPU:?} of processor time");
                return Err(unfinished(&guest, trial.function, &bound));
            }
            Some(_) if Instant::now() >= deadline => {
                return Err(unfinished(&guest, trial.function, &format!("{DEADLINE:?}")));
            }
            Some(error) => return Err(error),
        }
    }
    Ok(())
}

fn broke_down(error: &DriverError) -> bool {
    error.origin() == ErrorOrigin::Guest
}

/// What the one call had left of a bound for all is not worth telling.
fn unfinished(guest: &Guest, function: &str, bound: &str) -> DriverError {
    let said = &guest.manifest.description;
    DriverError::internal(format!(
        "guest {} {} was not done with {function} when all that a self-test asks had taken {bound}",
        said.name, said.version
    ))
}

fn mounted() -> VolumeCapability {
    VolumeCapability {
        mode: AccessMode::SingleNodeWriter,
        kind: AccessType::Filesystem {
            fs_type: String::new(),
            mount_options: Vec::new(),
        },
    }
}

fn snapshot() -> SnapshotId {
    SnapshotId(ID.to_owned())
}

/// No caller ever leaves these out, so a guest may rely on them.
fn required(description: &Description) -> Parameters {
    let parameters = description.of_scope(Scope::Volume);
    let required = parameters.filter(|parameter| parameter.need == Need::Required);
    let pairs = required.map(|parameter| {
        let value = parameter.default.as_deref().unwrap_or(ID);
        (parameter.name.to_string(), value.to_owned())
    });
    Parameters::new(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::GuestText;
    use crate::store::Parameter;

    #[test]
    fn a_volume_that_is_asked_about_has_what_no_volume_is_without() {
        let parameter = |name: &str, scope, need, default: Option<&str>| Parameter {
            name: GuestText::name(name),
            scope,
            need,
            default: default.map(GuestText::sentence),
            meaning: GuestText::default(),
        };
        let description = Description {
            parameters: vec![
                parameter("server", Scope::Volume, Need::Required, None),
                parameter("port", Scope::Volume, Need::Required, Some("2049")),
                parameter("path", Scope::Volume, Need::Optional, None),
                parameter("pool", Scope::Creation, Need::Required, None),
            ],
            ..Description::default()
        };
        let expected = [("server", ID), ("port", "2049")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(required(&description).pairs(), expected);
    }
}
