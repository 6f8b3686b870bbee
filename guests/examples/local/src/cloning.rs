//! A volume starts with another volume's content.

use crate::Local;
use crate::bindings::drivebay::driver::types::{CreateRequest, Error, VolumeInfo};
use crate::bindings::exports::drivebay::driver::cloning::Guest;
use crate::controller;
use crate::options::Location;

impl Guest for Local {
    fn clone_volume(request: CreateRequest, source_volume_id: String) -> Result<VolumeInfo, Error> {
        let location = Location::for_claim(&request.name, &request.parameters);
        let source = Location::of_id(&source_volume_id)?;
        // Copies are made within a pool, because a handle reaches no further.
        if source.pool != location.pool {
            return Err(Error::InvalidArgument(format!(
                "cannot copy volume {source_volume_id} into pool {}: it is in another",
                location.pool
            )));
        }
        controller::make(&location, request, Some(source.directory))
    }
}
