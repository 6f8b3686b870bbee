//! What of a volume can change, which is nothing that is kept.

use drivebay_guest::exports::modification;
use drivebay_guest::prelude::*;

use crate::records::Mounted;
use crate::{Faulty, SPEED, breaks, existing, pool};

impl modification::Guest for Faulty {
    fn modify_volume(id: String, parameters: Parameters) -> Result<(), Error> {
        let pool = pool()?;
        let name = existing(&pool, &id)?;
        let Some(speed) = Params(&parameters).get(SPEED) else {
            return Ok(());
        };
        if speed.parse::<u64>().is_err() {
            match breaks("wrong-changes-are-told") {
                true => bail!(InProgress: "volume {id} gets its speed"),
                false => bail!(InvalidArgument: "volume {id}: the speed {speed:?} is no number"),
            }
        }
        if breaks("modify-repeats") {
            let changed = pool.record::<Mounted>(&name)?;
            ensure!(changed.is_none(), FailedPrecondition: "volume {id} has that speed");
            pool.add(&name, Mounted { id })?;
        }
        Ok(())
    }
}
