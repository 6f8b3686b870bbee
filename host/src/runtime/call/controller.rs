//! `controller`: volumes come and go.

use super::words::{Named, capability_words, capacity_word, checked_id, token, volume};
use super::{CallSetup, Guest};
use crate::bindings::exports::drivebay::driver as exports;
use crate::error::DriverError;
use crate::volume::{
    CreateVolume, NodeId, PageToken, Parameters, SnapshotId, Topology, VolumeCapability, VolumeId,
    VolumeInfo, VolumePage, VolumeSource,
};

impl Guest {
    /// `controller.create-volume`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn create_volume(
        &self,
        setup: CallSetup,
        request: &CreateVolume,
    ) -> Result<VolumeInfo, DriverError> {
        let arguments = exports::controller::CreateRequest {
            name: request.name.clone(),
            capacity: capacity_word(request.capacity),
            parameters: request.parameters.pairs().to_vec(),
            capabilities: capability_words(&request.capabilities),
            source: request.source.as_ref().map(source_word),
            places: request.places.iter().map(|place| place.0.clone()).collect(),
        };
        let said = self.call(setup, "create-volume", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            controller.call_create_volume(&mut *store, &arguments)
        })?;
        info(said)
    }

    /// `controller.delete-volume`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn delete_volume(&self, setup: CallSetup, id: &VolumeId) -> Result<(), DriverError> {
        self.call(setup, "delete-volume", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            controller.call_delete_volume(&mut *store, &id.0)
        })
    }

    /// `controller.validate-volume`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn validate_volume(
        &self,
        setup: CallSetup,
        id: &VolumeId,
        context: &Parameters,
        capabilities: &[VolumeCapability],
    ) -> Result<(), DriverError> {
        let volume = volume(id, context, &Parameters::default());
        let capabilities = capability_words(capabilities);
        self.call(setup, "validate-volume", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            controller.call_validate_volume(&mut *store, &volume, &capabilities)
        })
    }

    /// `controller.get-volume`
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn get_volume(&self, setup: CallSetup, id: &VolumeId) -> Result<VolumeInfo, DriverError> {
        let said = self.call(setup, "get-volume", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            controller.call_get_volume(&mut *store, &id.0)
        })?;
        info(said)
    }

    /// `controller.list-volumes`; 0 entries means as many as the guest likes.
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn list_volumes(
        &self,
        setup: CallSetup,
        max_entries: u32,
        from: Option<&PageToken>,
    ) -> Result<VolumePage, DriverError> {
        let said = self.call(setup, "list-volumes", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            let from = from.map(|token| token.0.as_str());
            controller.call_list_volumes(&mut *store, max_entries, from)
        })?;
        Ok(VolumePage {
            volumes: said
                .volumes
                .into_iter()
                .map(info)
                .collect::<Result<_, _>>()?,
            next: token(said.next_token),
        })
    }

    /// `controller.available-capacity`: bytes.
    ///
    /// # Errors
    /// The guest's own, or `internal` where it broke down.
    pub fn available_capacity(
        &self,
        setup: CallSetup,
        parameters: &Parameters,
        place: Option<&Topology>,
    ) -> Result<u64, DriverError> {
        let pairs = parameters.pairs().to_vec();
        let place = place.map(|place| &place.0);
        self.call(setup, "available-capacity", |store, instance| {
            let controller =
                exports::controller::GuestIndices::new(&self.ready)?.load(&mut *store, instance)?;
            controller.call_available_capacity(&mut *store, &pairs, place)
        })
    }
}

fn source_word(source: &VolumeSource) -> exports::controller::VolumeSource {
    use exports::controller::VolumeSource as Word;
    match source {
        VolumeSource::Snapshot(id) => Word::Snapshot(id.0.clone()),
        VolumeSource::Volume(id) => Word::Volume(id.0.clone()),
    }
}

fn info(said: exports::controller::VolumeInfo) -> Result<VolumeInfo, DriverError> {
    use exports::controller::VolumeSource as Word;
    let source = match said.source {
        None => None,
        Some(Word::Snapshot(id)) => Some(VolumeSource::Snapshot(SnapshotId(checked_id(
            id,
            Named::Snapshot,
        )?))),
        Some(Word::Volume(id)) => Some(VolumeSource::Volume(VolumeId(checked_id(
            id,
            Named::Volume,
        )?))),
    };
    let node = |node| checked_id(node, Named::Node).map(NodeId);
    Ok(VolumeInfo {
        id: VolumeId(checked_id(said.id, Named::Volume)?),
        capacity_bytes: said.capacity_bytes,
        context: Parameters::new(said.context),
        source,
        places: said.places.into_iter().map(Topology).collect(),
        nodes: said.nodes.into_iter().map(node).collect::<Result<_, _>>()?,
    })
}
