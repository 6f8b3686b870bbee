//! The volume's directory appears at the target.

use drivebay_guest::encode::hex;
use drivebay_guest::exports::node::{Guest, Health, NodeInfo, StageRequest};
use drivebay_guest::mounts::Target;
use drivebay_guest::prelude::*;
use drivebay_guest::signing;

use crate::records::Mounted;
use crate::{Faulty, SPEED, breaks, existing, pool};

impl Guest for Faulty {
    fn get_info() -> Result<NodeInfo, Error> {
        match breaks("node-info-stays") {
            true => Ok(NodeInfo {
                id: hex(&signing::nonce()),
                ..NodeInfo::default()
            }),
            false => Ok(NodeInfo::default()),
        }
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let volume = &request.volume;
        if let Some(speed) = Params(&volume.context).get(SPEED)
            && speed.parse::<u64>().is_err()
        {
            match breaks("wrong-contexts-are-told") {
                true => bail!(Unavailable: "volume {}: no speed yet", volume.id),
                false => {
                    bail!(InvalidArgument: "volume {}: the speed {speed:?} is no number", volume.id)
                }
            }
        }
        let pool = pool()?;
        let name = existing(&pool, &volume.id)?;
        if breaks("volume-mounts") {
            return Ok(());
        }
        if breaks("mount-repeats") {
            let mounted = pool.record::<Mounted>(&name)?;
            ensure!(mounted.is_none(), AlreadyExists: "volume {} is mounted", volume.id);
            pool.add(
                &name,
                Mounted {
                    id: volume.id.clone(),
                },
            )?;
        }
        target.bind(&pool.directory, &name)
    }

    fn get_health(volume: Volume) -> Result<Health, Error> {
        let is_well = !breaks("good-volumes-are-well") && existing(&pool()?, &volume.id).is_ok();
        match is_well {
            true => Ok(Health::Ok),
            false => Ok(Health::Inaccessible(format!("no volume {}", volume.id))),
        }
    }
}
