//! A volume starts with another volume's content.

use crate::Local;
use crate::bindings::drivebay::driver::types::{CreateRequest, Error, VolumeInfo};
use crate::bindings::exports::drivebay::driver::cloning::Guest;
use crate::controller;
use crate::options::Place;

impl Guest for Local {
    fn clone_volume(request: CreateRequest, source_volume_id: String) -> Result<VolumeInfo, Error> {
        let place = Place::for_claim(&request.name, &request.parameters);
        let source = Place::of_id(&source_volume_id)?;
        // Copies are made within a pool, because a handle reaches no further.
        if source.pool != place.pool {
            return Err(Error::InvalidArgument(format!(
                "cannot copy volume {source_volume_id} into pool {}: it is in another",
                place.pool
            )));
        }
        controller::make(&place, request, Some(source.directory))
    }
}
