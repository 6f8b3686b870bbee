//! Health as CSI 1.13 has it, in its own words and numbers. All of it is alpha there, and may change.

use super::proto;
use crate::volume::{
    HealthCondition, Severity, StorageCondition, StorageSeverity, VolumeHealth, VolumeHealthPage,
};

/// Of one volume; without any condition it is well.
pub(super) fn of_volume(id: String, conditions: Vec<HealthCondition>) -> proto::VolumeHealth {
    proto::VolumeHealth {
        volume_id: id,
        health_statuses: conditions.into_iter().map(entry).collect(),
    }
}

/// Volumes that are well "SHOULD" be left out.
pub(super) fn of_page(page: VolumeHealthPage) -> proto::ControllerListVolumeHealthResponse {
    let unwell = |volume: &VolumeHealth| !volume.conditions.is_empty();
    let volumes = page.volumes.into_iter().filter(unwell);
    proto::ControllerListVolumeHealthResponse {
        entries: volumes
            .map(|it| of_volume(it.volume.0, it.conditions))
            .collect(),
        next_token: page.next.map(|token| token.0).unwrap_or_default(),
    }
}

fn entry(condition: HealthCondition) -> proto::volume_health::VolumeHealthEntry {
    use proto::VolumeHealthErrorType as Status;
    let status = match condition.severity {
        Severity::Degraded => Status::Degraded,
        Severity::Inaccessible => Status::Inaccessible,
        Severity::DataLoss => Status::DataLoss,
    };
    proto::volume_health::VolumeHealthEntry {
        status: status.into(),
        reason: condition.reason,
        message: condition.message,
    }
}

/// Of what is behind all volumes; it counts for all ways of using them.
pub(super) fn of_storage(conditions: Vec<StorageCondition>) -> proto::NodeGetStorageHealthResponse {
    use proto::StorageHealthErrorType as Status;
    let entry = |condition: StorageCondition| {
        let status = match condition.severity {
            StorageSeverity::Degraded => Status::StorageDegraded,
            StorageSeverity::Unreachable => Status::StorageUnreachable,
        };
        proto::node_get_storage_health_response::StorageBackendHealth {
            status: status.into(),
            reason: condition.reason.to_owned(),
            message: condition.message,
            volume_capability: None,
        }
    };
    proto::NodeGetStorageHealthResponse {
        backend_health: conditions.into_iter().map(entry).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::{PageToken, VolumeId};

    #[test]
    fn a_page_leaves_out_what_is_well_and_goes_on() {
        let locked = HealthCondition {
            severity: Severity::Degraded,
            reason: "DiskLocked".to_owned(),
            message: "disk d-2 is locked".to_owned(),
        };
        let volume = |id: &str, conditions: &[HealthCondition]| VolumeHealth {
            volume: VolumeId(id.to_owned()),
            conditions: conditions.to_vec(),
        };
        let told = of_page(VolumeHealthPage {
            volumes: vec![volume("d-1", &[]), volume("d-2", &[locked])],
            next: Some(PageToken("t".to_owned())),
        });
        let ids: Vec<&str> = told
            .entries
            .iter()
            .map(|it| it.volume_id.as_str())
            .collect();
        assert_eq!((ids, told.next_token.as_str()), (vec!["d-2"], "t"));
        let first = &told.entries[0].health_statuses[0];
        assert_eq!(first.status(), proto::VolumeHealthErrorType::Degraded);
    }
}
