//! On the node: the appliance says which directory it is, to whom has the key of the volume's account.

use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::mounts::{self, Target};
use drivebay_guest::prelude::*;

use crate::controller::path_of;
use crate::{ACCOUNT, Appliance, api};

impl node::Guest for Appliance {
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo::default())
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let volume = &request.volume;
        let account = Params(&volume.context).get(ACCOUNT).unwrap_or_default();
        let call = api::request("GET", format!("{}/export", path_of(&volume.id)), &[]);
        let answer = api::signed(account, call)?;
        let directory = api::text("asking where a volume is", &answer)?;
        target.bind(&mounts::open_directory("pool")?, &directory)
    }

    fn get_health(_: Volume) -> Result<Health, Error> {
        Ok(Health::Ok)
    }
}
